"""PV devices for people and as JSON, for ``show`` and ``device list``."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from traces.foreign import printable
from traces.plural import plural
from xentool.cli.screens import views
from xentool.tools.devices import kinds
from xentool.tools.devices.inspect import Inspected, Inspection
from xentool.tools.devices.paired import Device, End, Queue, negotiation, state_name

#: As much of a guest's words as helps; JSON has them whole.
_LONGEST = 300
_QUEUES = 16
#: Leftovers in one place that are told one by one.
_STALE = 5


def document(inspected: Inspected) -> dict[str, Any]:
    """Give a device as JSON writes it, states by name."""
    told = asdict(inspected.device)
    for side, end in (("front", inspected.device.front), ("back", inspected.device.back)):
        if end is not None:
            told[side]["state"] = None if end.state is None else state_name(end.state)
    return {**told, "problems": inspected.problems}


def write_table(found: Inspection, names: dict[int, str | None], console: Console) -> None:
    """Write a line for each device, and below what looks wrong.

    :param names: of the domains
    """
    table = views.table("~Domain", "Device", "Frontend", "Backend", ">in", "~what it is")
    for inspected in found.devices:
        device = inspected.device
        table.add_row(
            views.words(names.get(device.domid) or device.domid),
            views.words(device.name),
            _state(device, device.front),
            _state(device, device.back),
            views.words(device.back.domid if device.back else None),
            _short(", ".join(islice(device.details.values(), 2))),
        )
    console.print(table)
    wrong = [
        f"{names.get(inspected.device.domid) or inspected.device.domid} {inspected.device.name}: {problem}"
        for inspected in found.devices
        for problem in inspected.problems
    ]
    wrong += _stale(found.stale)
    if wrong:
        console.print()
    for line in wrong:
        console.print(_problem(line))


def _stale(paths: Sequence[str]) -> Iterator[str]:
    # A host that makes domains all day may have a thousand of them in one place.
    together: dict[str, list[str]] = {}
    for path in paths:
        together.setdefault(path.rpartition("/")[0], []).append(path)
    for above, each in together.items():
        if len(each) > _STALE:
            yield f"{above}: has {len(each):,} nodes of domains that are gone, such as {each[0].rpartition('/')[2]}"
        else:
            yield from (f"{path}: left by a domain that is gone" for path in each)


def write(found: Sequence[Inspected], domid: int | None, console: Console) -> None:
    """Write all about the devices of a domain: those that it uses, and those for which it is the backend."""
    if not found:
        console.print("\n  no PV devices")
    for inspected in found:
        device = inspected.device
        whose = f" of domain {device.domid}" if device.domid != domid else ""
        title = Text.assemble((printable(device.name), "bold"), f"  {device.kind} {device.devid}{whose}: ")
        if device.kind not in kinds.NO_HANDSHAKE:
            title.append(_state(device, device.front)).append(" ↔ ", "dim").append(_state(device, device.back)).append(
                ", "
            )
        title.append(f"backend in domain {device.back.domid}" if device.back else "no backend")
        console.print()
        _print(title, 2, console)
        for line in (*_lines(device), *map(_problem, inspected.problems)):
            _print(line, 4, console)
    if found and not any(inspected.problems for inspected in found):
        console.print("\n  Nothing looks wrong.", style="green")


def _print(text: Text, indent: int, console: Console) -> None:
    console.print(Padding(text, (0, 0, 0, indent), expand=False))


def _lines(device: Device) -> list[Text]:
    lines = [", ".join(f"{name} {value}" for name, value in device.details.items())]
    lines += map(_queue, device.queues[:_QUEUES])
    if len(device.queues) > _QUEUES:
        lines.append(f"and {plural(len(device.queues) - _QUEUES, 'more queue')}")
    agreed = negotiation(device)
    lines += (f"{title}: {', '.join(names)}" for title, names in agreed.items() if names)
    return [_short(line) for line in lines if line]


def _queue(queue: Queue) -> str:
    title = "" if queue.queue is None else f"queue {queue.queue}: "
    rings = (f"{name} {','.join(map(str, refs))}" for name, refs in queue.rings.items())
    ports = (f"{name} {port}" for name, port in queue.ports.items())
    return title + ", ".join((*rings, *ports))


def _state(device: Device, end: End | None) -> Text:
    if device.kind in kinds.NO_HANDSHAKE:
        return views.NONE
    if end is None:
        return Text("missing", "red")
    if end.state is None:
        return Text("no state", "dim") if end.state_text is None else Text("invalid", "red")
    return views.end(end.state, state_name(end.state))


def _problem(text: str) -> Text:
    return Text.assemble(("! ", "bold red"), _short(text))


def _short(text: str) -> Text:
    shown = printable(text[: _LONGEST + 1])
    return Text(shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…")
