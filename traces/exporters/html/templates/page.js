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

function show(event, text, told) {
  tip.textContent = text;
  tip.classList.toggle("told", told);
  tip.hidden = false;
  tip.style.left = `${Math.max(Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8), 0)}px`;
  tip.style.top = `${Math.max(Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8), 0)}px`;
}

function hide() { tip.hidden = true; }

// What a name means stands at the page's end, and here beside it.
for (const name of document.querySelectorAll("[aria-describedby]")) {
  const told = document.getElementById(name.getAttribute("aria-describedby"));
  const lines = [...told.children].map((line) => line.textContent);
  name.addEventListener("pointermove", (event) => show(event, lines.join("\n"), true));
  name.addEventListener("pointerleave", hide);
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
    show(event, [`${(column * width).toFixed(4)} s`, ...lines].join("\n"), false);
  });
  stack.addEventListener("pointerleave", hide);
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
