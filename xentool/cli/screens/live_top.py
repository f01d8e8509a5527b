"""``xentool trace --live``: a domain's hypercalls, VM exits, notifications and run states, as they are made.

On a terminal it is a page that keys choose and sort. Elsewhere it is a block of lines every two seconds, or with --json
an object a line, for whoever reads it.
"""

import json
import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from traces.exporters.fitted import Fitted
from traces.exporters.words import duration
from traces.foreign import printable
from traces.xen.formats.events import HVM_SVM_EXIT, HVM_VMX_EXIT, PV_HYPERCALL_V2, RUNSTATE_CHANGE
from traces.xen.formats.names import EVENT_CHANNEL_OP, HYPERCALLS
from xentool import output
from xentool.cli.screens.sample import Moment, between, heading, sample
from xentool.tools.tracing.watched import Look, Watched

#: Seconds between two pictures: rates over less than that jump about.
INTERVAL, PLAIN_INTERVAL = 1.0, 2.0
#: Lines of the page that are not rows: heading, views, table head and rule, what had no room, keys.
_FRAME = 7
_DASH = "-"
#: What columns are called in JSON, where not as on the page: shares of a second, and seconds.
_KEYS = {"per s": "per_s", "in Xen": "in_xen", "in kernel": "in_kernel", "mean": "mean_s"}


@dataclass(frozen=True)
class Row:
    """A line of a page: its name, and its values by column; None where one is not known."""

    name: str
    values: Mapping[str, float | None]
    #: How people read the name.
    shown: str = ""


@dataclass(frozen=True)
class View:
    """A page: what its rows are called, how they are found, and how each column's values are written.

    :param empty: says why there are none, if something other than that none came yet
    """

    title: str
    rows: Callable[[Moment, Moment], list[Row]]
    columns: Mapping[str, Callable[[float], str]]
    empty: Callable[[Moment], str | None]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def _tallied(kind: str) -> Callable[[Moment, Moment], list[Row]]:
    def rows(now: Moment, before: Moment) -> list[Row]:
        span = between(before, now)
        found = []
        for key, tally in getattr(now.shown, kind).items():
            earlier = getattr(before.shown, kind).get(key)
            made = tally.count - (earlier.count if earlier else 0)
            took = None
            if tally.seconds is not None:
                took = tally.seconds - ((earlier.seconds or 0.0) if earlier else 0.0)
            values = {
                "per s": made / span,
                "count": tally.count,
                "in Xen": None if took is None else took / span,
                "in kernel": None if took is None else took / span,
                "waited": None if took is None else took / span,
                "mean": took / made if took is not None and made else None,
            }
            # What is between domains has their numbers, by which programs know them, and for people their names.
            if isinstance(key, str):
                found.append(Row(key, values, key))
            else:
                one, other = key
                found.append(Row(f"d{one} → d{other}", values, f"{now.who(one)} → {now.who(other)}"))
        return found

    return rows


def _states(now: Moment, before: Moment) -> list[Row]:
    found = []
    for name, states in now.shown.runstates.items():
        earlier = before.shown.runstates.get(name, {})
        took = {state: seconds - earlier.get(state, 0.0) for state, seconds in states.items()}
        whole = sum(took.values())
        found.append(Row(name, {state: one / whole if whole else None for state, one in took.items()}, name))
    return found


def _no_hypercalls(now: Moment) -> str | None:
    kept = any(now.where.kinds.keeps(PV_HYPERCALL_V2, nr) for nr in HYPERCALLS)
    return None if kept else "-e leaves hypercalls out"


def _no_exits(now: Moment) -> str | None:
    if not (now.where.kinds.keeps(HVM_VMX_EXIT) or now.where.kinds.keeps(HVM_SVM_EXIT)):
        return "-e leaves VM exits out"
    return "a PV guest has no VM exits" if now.mode() == "pv" else None


def _none(_now: Moment) -> str | None:
    return None


def _no_states(now: Moment) -> str | None:
    return None if now.where.kinds.keeps(RUNSTATE_CHANGE) else "-e leaves run states out"


def _no_notifications(now: Moment) -> str | None:
    if now.where.vcpus:
        return "notifications are known by domain only: leave out --vcpu"
    if not now.where.kinds.keeps(PV_HYPERCALL_V2, EVENT_CHANNEL_OP):
        return "-e leaves event_channel_op out, by which notifications are found"
    return None


_TALLY = {"per s": _count, "count": _count}
_STATES = dict.fromkeys(("running", "runnable", "blocked", "offline", "lost"), _share)
XEN: dict[str, View] = {
    "h": View("Hypercalls", _tallied("hypercalls"), _TALLY, _no_hypercalls),
    "x": View("VM exits", _tallied("exits"), {**_TALLY, "in Xen": _share, "mean": duration}, _no_exits),
    "w": View("Waits", _tallied("waits"), {**_TALLY, "waited": _share, "mean": duration}, _no_states),
    "n": View("Notifications", _tallied("notifications"), _TALLY, _no_notifications),
    "v": View("vCPUs", _states, _STATES, _no_states),
}
_MODES = dict.fromkeys(("guest", "kernel", "user", "runnable", "blocked", "lost"), _share)
KVM: dict[str, View] = {
    "x": View("VM exits", _tallied("exits"), {**_TALLY, "in kernel": _share, "mean": duration}, _none),
    "i": View("Devices", _tallied("io"), _TALLY, _none),
    "w": View("Waits", _tallied("waits"), {**_TALLY, "waited": _share, "mean": duration}, _none),
    "v": View("vCPUs", _states, _MODES, _none),
}
#: By what makes a trace's records.
VIEWS = {"xentrace": XEN, "kvm": KVM}


class Page:
    """What keys have chosen: a view, the column that sorts, and which end comes first."""

    def __init__(self, views: Mapping[str, View] = XEN) -> None:
        self.views = views
        first = next(iter(views))
        self.view = views[first]
        self.column = 0  # 0 is the name
        self.reverse = False
        self._choose(first)

    def press(self, key: str) -> bool:
        """Take a key; say whether it means something."""
        if key in self.views:
            self._choose(key)
        elif key == "\t":
            keys = list(self.views)
            current = next(name for name, view in self.views.items() if view is self.view)
            self._choose(keys[(keys.index(current) + 1) % len(keys)])
        elif key in "<>":
            self.column = (self.column + (1 if key == ">" else -1)) % (1 + len(self.view.columns))
        elif key == "r":
            self.reverse = not self.reverse
        else:
            return False
        return True

    def rows(self, now: Moment, before: Moment) -> list[Row]:
        """Give the view's rows in order: names from a on, numbers from the largest on."""
        found = sorted(self.view.rows(now, before), key=lambda row: row.name)
        if self.column:
            name = list(self.view.columns)[self.column - 1]
            found.sort(key=lambda row: -(row.values.get(name) or 0.0))
        return found[::-1] if self.reverse else found

    def _choose(self, key: str) -> None:
        self.view = self.views[key]
        self.column = 0 if key == "v" else 1
        self.reverse = False


def picture(domain: str, page: Page, now: Moment, before: Moment, height: int) -> RenderableType:
    """Draw a page of so many lines; rates are those since ``before``."""
    rows = page.rows(now, before)
    shown = rows[: max(height - _FRAME, 1)]
    table = _table(page, shown)
    tabs = Text()
    for key, view in page.views.items():
        tabs.append(f"[{key}] {view.title}", "reverse" if view is page.view else "").append("  ")
    keys = Text("< > sort by another column, r reverse, Tab next page, q end", "dim")
    if len(shown) < len(rows):
        keys = Text(f"{len(rows) - len(shown)} more; ", "dim").append(keys)
    head = heading(domain, now, before)
    for line in (head, tabs, keys):
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(head, tabs, table if rows else _empty(page, now), keys)


def _empty(page: Page, now: Moment) -> Text:
    why = page.view.empty(now)
    if why is None:
        why = "none so far" if now.records else "no record has come yet"
        # What the host records of it comes when it ends, or changes.
        why += ": a vCPU is shown from its first change of run state on" if page.view is page.views["v"] else ""
    return Text(f"\n{page.view.title}: {why}\n", "yellow")


def _table(page: Page, rows: Sequence[Row]) -> Fitted:
    table = Fitted(lined=True, flat=True)
    names = ["", *page.view.columns]
    for index, name in enumerate(names):
        mark = ("▲" if page.reverse == (index > 0) else "▼") if index == page.column else ""
        table.add_column(Text(f"{name}{mark}"), right=index > 0, folds=not index)
    for row in rows:
        cells = ((row.values.get(name), form) for name, form in page.view.columns.items())
        table.add_row(Text(row.shown), *(_DASH if value is None else form(value) for value, form in cells))
    return table


@contextmanager
def shown(domain: str, *, as_json: bool) -> Iterator[Look]:
    """Give what shows a running trace: a page on a terminal, else lines."""
    if as_json or not sys.stdout.isatty():
        yield _Lines(domain, as_json=as_json).show
        return
    with _keys() as pressed:
        waiting = Text(f"Tracing {printable(domain)}: waiting for records.", "dim")
        with output.drawing(), Live(waiting, console=output.stdout(), screen=True, auto_refresh=False) as live:
            screen = _Screen(domain, live, pressed)
            yield screen.show
        screen.leave()


class Shown:
    """The moment that was shown last, and an earlier one since which its rates are."""

    def __init__(self) -> None:
        self.before = self.now = Moment()

    def take(self, running: Watched, interval: float, *, last: bool) -> bool:
        """Take a sample where so much time has passed, or it is the last; say whether it was taken."""
        passed = running.seconds - self.now.seconds >= interval
        if passed:
            self.before = self.now
        if passed or last:
            # The last one may come right after another: rates of that little time would say nothing.
            self.now = sample(running)
        return passed or last


class _Screen:
    def __init__(self, domain: str, live: Live, pressed: Callable[[], str]) -> None:
        self._domain, self._live, self._pressed = domain, live, pressed
        self._page: Page | None = None
        self._shown = Shown()

    def show(self, running: Watched, chunk: bytes) -> None:
        keys = self._pressed()
        if "q" in keys:
            running.stop()
        page = self._page = self._page or Page(VIEWS[running.source])
        turned = [page.press(key) for key in keys]
        if self._shown.take(running, INTERVAL, last=not chunk) or any(turned):
            self._live.update(self._drawn(page), refresh=True)

    def leave(self) -> None:
        # What was seen last stays, where the page was.
        if self._page is not None:
            self._live.console.print(self._drawn(self._page))

    def _drawn(self, page: Page) -> RenderableType:
        return picture(self._domain, page, self._shown.now, self._shown.before, self._live.console.height)


class _Lines:
    def __init__(self, domain: str, *, as_json: bool) -> None:
        self._domain, self._as_json = domain, as_json
        self._shown = Shown()

    def show(self, running: Watched, chunk: bytes) -> None:
        if self._shown.take(running, PLAIN_INTERVAL, last=not chunk):
            now, before = self._shown.now, self._shown.before
            if self._as_json:
                sys.stdout.write(json.dumps(document(now, before)) + "\n")
            else:
                console = output.stdout()
                console.print(heading(self._domain, now, before))
                for page in _pages(VIEWS[now.source]):
                    if rows := page.rows(now, before):
                        console.print(Text(page.view.title, "bold"), _table(page, rows))
                console.print()
            sys.stdout.flush()


def _pages(views: Mapping[str, View]) -> Iterator[Page]:
    for key in views:
        page = Page(views)
        page.press(key)
        yield page


def document(now: Moment, before: Moment) -> dict[str, object]:
    """Give a sample as what ``json`` writes: rates and shares since ``before``, counts from the beginning."""
    return {
        "seconds": now.seconds,
        "records": now.records,
        "lost_records": now.lost_records,
        **{
            view.title.lower().replace(" ", "_"): {
                row.name: {_KEYS.get(name, name): row.values.get(name) for name in view.columns}
                for row in view.rows(now, before)
            }
            for view in VIEWS[now.source].values()
        },
    }


@contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    # Keys as they are pressed, without Enter and echo; Ctrl-C stays a signal.
    if not sys.stdin.isatty():
        yield str
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield lambda: os.read(terminal, 64).decode(errors="ignore") if select.select([terminal], [], [], 0)[0] else ""
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
