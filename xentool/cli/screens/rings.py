"""How rings look while they are served: a page in place on a terminal, JSON lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from traces.foreign import printable
from xentool import output
from xentool.cli.screens import views
from xentool.tools.block import rings as of_disks
from xentool.tools.net import rings as of_vifs

Row = Mapping[str, Any]
#: Seconds between two pictures.
PICTURE_S = 0.5
#: Characters that a ring is drawn in, and what each stands for.
_DRAWN = 32
FREE, WAITING, UNDER_WAY = "·", "▒", "█"
_INDICES = ("req_prod", "req_cons", "rsp_prod", "under_way", "req_event", "rsp_event")
_CHANNELS = (("woken/s", "notifications_received"), ("notified/s", "notifications_sent"))


class Look(NamedTuple):
    """What is shown of a class of devices.

    rows    gives its rings, as ``xentool.documents.serving`` has them
    noun    what a device is called
    counts  headings and fields that are shown as they are
    rates   the same of what is told a second
    taken   what a slot is in that was taken and not answered
    """

    rows: Callable[[Any], Iterable[Row]]
    noun: str
    counts: tuple[tuple[str, str], ...]
    rates: tuple[tuple[str, str], ...]
    taken: str


DISKS = Look(
    of_disks.rings,
    "disk",
    (("pages mapped", "grants_mapped"),),
    (("requests/s", "requests"), *_CHANNELS),
    "taken, not answered",
)
VIFS = Look(
    of_vifs.rings,
    "vif",
    (),
    (("packets/s", "packets"), ("copied/s", "grant_copies"), *_CHANNELS),
    "taken, not answered: of rx, pages for frames",
)


@contextmanager
def watched(look: Look, *, as_json: bool) -> Iterator[Callable[[Any], None]]:
    """Show what is served, whenever it is called with that; the last picture stays."""

    def lines(service: Any) -> None:  # noqa: ANN401 - what serves devices of the class
        for row in look.rows(service):
            output.write_json(row)
        sys.stdout.flush()

    if as_json or not sys.stdout.isatty():
        yield lines
        return
    before: tuple[list[Row], float] = [], time.monotonic()
    nobody = Text("no frontend is connected", "dim")
    with output.drawing(), Live(nobody, console=output.stdout(), auto_refresh=False) as live:

        def show(service: Any) -> None:  # noqa: ANN401 - as above
            nonlocal before
            now: tuple[list[Row], float] = list(look.rows(service)), time.monotonic()
            live.update(picture(look, now[0], before[0], now[1] - before[1]), refresh=True)
            before = now

        yield show


def picture(look: Look, now: Sequence[Row], before: Sequence[Row], seconds: float) -> RenderableType:
    """Draw one moment; rates are those since ``before``."""
    if not now:
        return Text("no frontend is connected", "dim")
    earlier = {_key(row): row for row in before}
    more = (f">{head}" for head, _ in (*look.counts, *look.rates))
    table = views.table(
        f"!{look.noun}", ">!req_prod", ">!req_cons", ">!rsp_prod", ">under way", ">req_event", ">rsp_event", *more,
        flat=True,
    )  # fmt: skip
    for row in now:
        then = earlier.get(_key(row))
        table.add_row(
            views.words(_name(row)),
            *(f"{row[name]:,}" for name in (*_INDICES, *(name for _, name in look.counts))),
            *(_rate(row, then, name, seconds) for _, name in look.rates),
        )
    slots = [Text(f"{_name(row)}  {drawn(row)}") for row in now]
    legend = f"{WAITING} waits to be taken   {UNDER_WAY} {look.taken}   {FREE} free.   Ctrl-C ends."
    return Group(table, *slots, Text(legend, "dim"))


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
    queue = f" queue {row['queue']}" if row["queue"] else ""
    ring = f" {row['ring']}" if "ring" in row else ""
    return printable(f"{row['domid']}:{row['device']}{queue}{ring}")


def _key(row: Row) -> tuple[object, ...]:
    return row["domid"], row["device"], row["queue"], row.get("ring")


def _rate(row: Row, then: Row | None, name: str, seconds: float) -> str:
    # A queue that began anew has no earlier one.
    if then is None or row[name] < then[name] or seconds <= 0:
        return "-"
    return f"{(row[name] - then[name]) / seconds:,.0f}"
