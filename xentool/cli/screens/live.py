"""What a running trace shows in place: time, rates, losses and the domain's busiest hypercalls, or VM exits."""

import sys
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType

from rich.console import Group, RenderableType
from rich.live import Live as RichLive
from rich.text import Text

from traces.exporters.fitted import Fitted
from traces.foreign import printable
from xentool import output
from xentool.cli.common.wanted import Tracing
from xentool.cli.screens.sample import Moment, between, heading, sample
from xentool.tools.tracing.trace import Progress
from xentool.tools.tracing.watched import Look, Watched

#: Seconds between two pictures: rates over less than that jump about.
_INTERVAL = 0.5
_BUSIEST = 8


class Live:
    """Shows samples on stderr while stdout is a terminal, else nothing."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._live: RichLive | None = None
        self._drawing = ExitStack()
        self._last = Moment()

    def __enter__(self) -> Look:
        """Begin to show; give what is to be told of the trace."""
        if sys.stdout.isatty() and sys.stderr.isatty():
            waiting = Text(f"Tracing {printable(self._domain)}: waiting for records. Ctrl-C ends it.", "dim")
            self._drawing.enter_context(output.drawing())
            live = RichLive(waiting, console=output.stderr(), auto_refresh=False, transient=True)
            self._live = self._drawing.enter_context(live)
        return self.show

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the picture away."""
        self._drawing.close()

    def show(self, running: Watched, _chunk: bytes) -> None:
        """Show how the trace goes, at most twice a second."""
        if self._live and running.seconds - self._last.seconds >= _INTERVAL:
            now = sample(running)
            self._live.update(picture(self._domain, now, self._last), refresh=True)
            self._last = now


def picture(domain: str, now: Moment, before: Moment) -> RenderableType:
    """Draw one moment; rates are those since ``before``."""
    span = between(before, now)
    kind, title = ("exits", "VM exit") if now.source == "kvm" else ("hypercalls", "Hypercall")
    busiest = sorted(getattr(now.shown, kind).items(), key=lambda one: -one[1].count)[:_BUSIEST]
    table = Fitted(lined=True, flat=True)
    table.add_column(Text(title), folds=True)
    table.add_column(Text("count"), right=True)
    table.add_column(Text("per s"), right=True)
    for name, of in busiest:
        table.add_row(name, f"{of.count:,}", f"{(of.count - before.count(kind, name)) / span:,.0f}")
    return Group(heading(domain, now, before), table, Text("Ctrl-C ends the trace and reports.", "dim"))


def shown(domain: str, wanted: Tracing) -> AbstractContextManager[Progress]:
    """Show a trace of ``domain`` while it runs: a page of rates, its records, or else where it is."""
    # What is not used would delay the start of the trace.
    if wanted.dump:
        from xentool.cli.common.paint import paint  # noqa: PLC0415 - see above
        from xentool.cli.screens.follow import Follow  # noqa: PLC0415 - see above

        return nullcontext(Follow(paint(), as_json=wanted.as_json).show)
    return rates(domain, wanted)


def rates(domain: str, wanted: Tracing) -> AbstractContextManager[Look]:
    """Show how a trace of any hypervisor's ``domain`` goes: a page of rates, or else where it is."""
    if wanted.live:
        from xentool.cli.screens import live_top  # noqa: PLC0415 - see above

        return live_top.shown(domain, as_json=wanted.as_json)
    return Live(domain)
