"""How rings look while they are served: a page in place on a terminal, JSON lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from pvdrivers.block.back.backend import Backend
from traces.foreign import printable
from xentool import output
from xentool.cli.screens import views
from xentool.tools.block.disks import Wanted
from xentool.tools.block.rings import rings
from xentool.tools.serving.service import Service

Row = Mapping[str, Any]
#: Characters that a ring is drawn in, and what each stands for.
_DRAWN = 32
FREE, WAITING, UNDER_WAY = "·", "▒", "█"
_LEGEND = f"{WAITING} waits to be taken   {UNDER_WAY} taken, not answered   {FREE} free.   Ctrl-C ends."


@contextmanager
def watched(*, as_json: bool) -> Iterator[Callable[[Service[Wanted, Backend]], None]]:
    """Show what is served, whenever it is called with that; the last picture stays."""
    if as_json or not sys.stdout.isatty():
        yield _lines
        return
    before: tuple[list[Row], float] = [], time.monotonic()
    with Live(Text("no frontend is connected", "dim"), console=output.stdout(), auto_refresh=False) as live:

        def show(service: Service[Wanted, Backend]) -> None:
            nonlocal before
            now: tuple[list[Row], float] = list(rings(service)), time.monotonic()
            live.update(picture(now[0], before[0], now[1] - before[1]), refresh=True)
            before = now

        yield show


def _lines(service: Service[Wanted, Backend]) -> None:
    for row in rings(service):
        output.write_json(row)
    sys.stdout.flush()


def picture(now: Sequence[Row], before: Sequence[Row], seconds: float) -> RenderableType:
    """Draw one moment; rates are those since ``before``."""
    if not now:
        return Text("no frontend is connected", "dim")
    earlier = {_key(row): row for row in before}
    table = views.table(
        "!disk", ">!req_prod", ">!req_cons", ">!rsp_prod", ">under way", ">req_event", ">rsp_event",
        ">pages mapped", ">requests/s", ">woken/s", ">notified/s", flat=True,
    )  # fmt: skip
    for row in now:
        then = earlier.get(_key(row))
        table.add_row(
            views.words(_name(row)),
            *(f"{row[name]:,}" for name in ("req_prod", "req_cons", "rsp_prod", "under_way", "req_event", "rsp_event")),
            f"{row['grants_mapped']:,}",
            *(_rate(row, then, name, seconds) for name in _RATES),
        )
    slots = [Text(f"{_name(row)}  {drawn(row)}") for row in now]
    return Group(table, *slots, Text(_LEGEND, "dim"))


_RATES = ("requests", "notifications_received", "notifications_sent")


def drawn(row: Row) -> str:
    """Draw a ring's slots from the first to the last, several in a character where there are many."""
    slots = row["slots"]
    states = [FREE] * slots
    # A frontend may write any index; there are no more slots than there are.
    for first, count, state in (
        (row["rsp_prod"], row["under_way"], UNDER_WAY),
        (row["req_cons"], row["waiting"], WAITING),
    ):
        for index in range(first, first + min(count, slots)):
            states[index % slots] = state
    each = max(slots // _DRAWN, 1)
    parts = (states[at : at + each] for at in range(0, slots, each))
    return "".join(next((state for state in (UNDER_WAY, WAITING) if state in part), FREE) for part in parts)


def _name(row: Row) -> str:
    return printable(f"{row['domid']}:{row['device']}" + (f" queue {row['queue']}" if row["queue"] else ""))


def _key(row: Row) -> tuple[object, ...]:
    return row["domid"], row["device"], row["queue"]


def _rate(row: Row, then: Row | None, name: str, seconds: float) -> str:
    # A queue that began anew has no earlier one.
    if then is None or row[name] < then[name] or seconds <= 0:
        return "-"
    return f"{(row[name] - then[name]) / seconds:,.0f}"
