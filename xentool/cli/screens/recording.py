"""How far recordings on many hosts are: on a terminal a line for each, and elsewhere nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.text import Text

from traces.foreign import printable
from xentool import output
from xentool.tools.fleet.recording.together import Show, State

_PER_SECOND = 4
_MB = 1e6
#: Columns that hosts' names have at most; the rest is for what is said of them.
_NAME_MAX = 40


@contextmanager
def shown(hosts: Sequence[str]) -> Iterator[Show]:
    """Give what is told how far each host is."""
    states = [State() for _ in hosts]

    def show(who: int, state: State) -> None:
        states[who] = state

    console = output.stderr()
    if not console.is_terminal:
        yield show
        return

    room = min(max(Text(printable(host)).cell_len for host in hosts), _NAME_MAX)

    def drawn() -> Group:
        return Group(*(row(host, state) for host, state in zip(hosts, states, strict=True)))

    def row(host: str, state: State) -> Text:
        name = Text(printable(host))
        name.truncate(room, overflow="ellipsis", pad=True)
        return Text.assemble(name, "  ", printable(line(state)), no_wrap=True, overflow="ellipsis")

    # What does not fit on the terminal is left out below.
    live = Live(console=console, get_renderable=drawn, refresh_per_second=_PER_SECOND, transient=True)
    with output.drawing(), live:
        yield show


def line(state: State) -> str:
    """Say how far a host is."""
    match state.phase:
        case "failed":
            return f"not recorded: {state.said}"
        case "recording" | "recorded":
            rate = f"  {state.bytes / _MB / max(state.seconds, 0.001):.1f} MB/s" if state.phase == "recording" else ""
            return f"{state.phase}  {state.seconds:.1f} s  {state.bytes / _MB:.1f} MB{rate}"
        case "connecting" | "ready":
            return f"{state.phase} …"
