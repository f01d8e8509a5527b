"use strict";
// Values under the pointer, and tables sorted by a click on a column. The page says everything without it.
const tip = document.getElementById("tip");

// The heights of a layer's steps, column by column, as its path says them.
function heights(path) {
  const found = [];
  let height = 0;
  for (const [, command, value] of path.getAttribute("d").matchAll(/([vh])(-?[\d.]+)/g)) {
    if (command === "v") height -= Number(value);
    else for (let i = 0; i < Number(value); i++) found.push(height);
  }
  return found;
}

function layers(stack) {
  const found = [...stack.querySelectorAll("path")].map((path) => [path.dataset.name, heights(path)]);
  return found.map(([name, line], i) => [name, line.map((height, at) => height - (found[i + 1]?.[1][at] ?? 0))]);
}

for (const stack of document.querySelectorAll("svg.stack")) {
  const columns = stack.viewBox.baseVal.width;
  const width = Number(stack.dataset.span) / columns;
  let read;
  stack.addEventListener("pointermove", (event) => {
    read ??= layers(stack);
    const box = stack.getBoundingClientRect();
    const column = Math.min(Math.max(Math.floor((event.clientX - box.left) / box.width * columns), 0), columns - 1);
    const say = stack.dataset.kind === "rate"
      ? (value) => `${Math.round(value / width).toLocaleString("en")}/s`
      : (value) => `${value} %`;
    const lines = read.filter(([, values]) => values[column] > 0).map(([name, values]) => `${name}  ${say(values[column])}`);
    tip.textContent = [`${(column * width).toFixed(4)} s`, ...lines].join("\n");
    tip.hidden = false;
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
  });
  stack.addEventListener("pointerleave", () => { tip.hidden = true; });
}

for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((head, index) => {
    head.classList.add("sortable");
    let sign = -1;
    head.addEventListener("click", () => {
      const value = (row) => row.cells[index].dataset.value;
      const compare = (a, b) => value(a) === undefined || value(b) === undefined
        ? b.cells[index].textContent.localeCompare(a.cells[index].textContent)
        : Number(value(a)) - Number(value(b));
      body.append(...[...body.rows].sort((a, b) => sign * compare(a, b)));
      sign = -sign;
    });
  });
}
