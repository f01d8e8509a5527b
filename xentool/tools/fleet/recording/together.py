"""Records many hosts together: a thread each, which wait for one another, and one that leads them."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal, TypeAlias

from traces.plain import frozen
from xentool.errors import XentoolError
from xentool.hosts import Host, waiting
from xentool.tools.fleet.recording.meeting import Meeting
from xentool.tools.fleet.recording.one import Recorded, Wanted, kept, record_one
from xentool.tools.tracing.capture import on_interrupt
from xentool.tools.tracing.lead import Lead

Phase: TypeAlias = Literal["connecting", "ready", "recording", "recorded", "failed"]


@frozen
class State:
    """How far a host is.

    :param seconds: since records began
    :param said: why it failed
    """

    phase: Phase = "connecting"
    seconds: float = 0.0
    bytes: int = 0
    said: str = ""


#: Is told, in any thread, how far a host is, by its number.
Show: TypeAlias = Callable[[int, State], None]


@frozen
class Target:
    """A host to record.

    :param name: by which its capture, and whoever is told of it, know it
    :param find: finds it
    :param stem: of its file, see `record_one`
    """

    name: str
    find: Callable[[], Host]
    stem: Path


@frozen
class Missed:
    """A host that was not recorded, or not to the end; then ``file`` is what there is."""

    host: str
    error: str
    file: Path | None


@frozen
class Gathered:
    """What came of all hosts, in their order."""

    recorded: tuple[Recorded, ...]
    missed: tuple[Missed, ...]
    interrupted: bool

    @property
    def spread_ns(self) -> int | None:
        """Between the first that began and the last, as far as clocks tell; None where there are not two."""
        began = [one.began_ns for one in self.recorded if one.began_ns is not None]
        return max(began) - min(began) if len(began) > 1 else None


@frozen
class _Ready:
    who: int


_Outcome: TypeAlias = Recorded | Missed | Exception


@frozen
class _Ended:
    who: int
    outcome: _Outcome


@frozen
class _Interrupt:
    pass


def record(
    targets: Sequence[Target],
    wanted: Wanted,
    *,
    limit_s: float,
    show: Show = lambda _who, _state: None,
) -> Gathered:
    """Record hosts from the same second on, until the time is over or Ctrl-C; another Ctrl-C raises.

    :param limit_s: hosts that are not ready by then are left out
    """
    leader = _Leader(targets, wanted, limit_s, show)
    with waiting.unasked(), on_interrupt(leader.interrupt):
        return leader.lead()


class _Leader:
    def __init__(self, targets: Sequence[Target], wanted: Wanted, limit_s: float, show: Show) -> None:
        self._targets, self._wanted, self._limit_s, self._show = targets, wanted, limit_s, show
        # May be put into while it is taken from in the same thread, as a signal's handler does.
        self._events: SimpleQueue[_Ready | _Ended | _Interrupt] = SimpleQueue()
        self._meeting = Meeting(self._arrived)
        self._ready: set[int] = set()
        self._outcomes: dict[int, _Outcome] = {}
        self._interrupted = False

    def interrupt(self) -> None:
        self._events.put(_Interrupt())

    def lead(self) -> Gathered:
        for who in range(len(self._targets)):
            # The program's end waits for none: one may hang, and the others are wanted.
            threading.Thread(target=self._work, args=(who,), name=f"xentool-record-{who}", daemon=True).start()
        limit = time.monotonic() + self._limit_s
        while not self._interrupted and self._missing() and self._hear(limit):
            pass
        if self._ready:
            # Where clocks are right, all captures begin in one second by anybody's.
            second = time.monotonic() - time.time() % 1 + 1
            while not self._interrupted and self._hear(second):
                pass
        self._meeting.begin(() if self._interrupted else self._ready, self._late())
        while self._ready and self._hear(None):
            pass
        return self._gathered()

    def _missing(self) -> int:
        return len(self._targets) - len(self._ready) - len(self._outcomes)

    def _late(self) -> str:
        return "Ctrl-C came before it began" if self._interrupted else f"it was not ready within {self._limit_s:g} s"

    def _hear(self, until: float | None) -> bool:
        """Take in what has happened, or happens until then; tell whether anything did."""
        try:
            event = self._events.get(timeout=None if until is None else max(until - time.monotonic(), 0.0))
        except Empty:
            return False
        match event:
            case _Ready(who):
                self._ready.add(who)
            case _Ended(who, outcome):
                self._ready.discard(who)
                self._outcomes[who] = outcome
            case _Interrupt():
                self._interrupted = True
                self._meeting.end()
        return True

    def _gathered(self) -> Gathered:
        recorded, missed = [], []
        for who, target in enumerate(self._targets):
            match self._outcomes.get(who, Missed(target.name, self._late(), None)):
                case Recorded() as one:
                    recorded.append(one)
                case Missed() as one:
                    missed.append(one)
                case error:
                    raise error
        return Gathered(tuple(recorded), tuple(missed), self._interrupted)

    def _arrived(self, who: int) -> None:
        self._show(who, State("ready"))
        self._events.put(_Ready(who))

    def _work(self, who: int) -> None:
        outcome = self._outcome(who)
        match outcome:
            case Recorded():
                self._show(who, State("recorded", outcome.seconds, outcome.bytes))
            case Missed():
                self._show(who, State("failed", said=outcome.error))
        self._events.put(_Ended(who, outcome))

    def _outcome(self, who: int) -> _Outcome:
        target = self._targets[who]
        lead = Lead(partial(self._meeting.gate, who), partial(self._meeting.ended_by, who))

        def progress(seconds: float, size: int) -> None:
            self._show(who, State("recording", seconds, size))

        try:
            with closing(target.find()) as host:
                host.name = target.name
                return record_one(host, target.stem, self._wanted, lead, progress)
        except XentoolError as error:
            why = str(error)
        except OSError as error:
            why = f"{error.filename or target.stem}: {error.strerror or error}"
        except Exception as error:  # noqa: BLE001 - raised in the leader's thread, once the others have ended
            return error
        return Missed(target.name, why, kept(target.stem))
