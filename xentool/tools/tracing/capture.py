"""Live captures: xentrace in dom0, its records here while they are made, and tracing put back whatever happens.

The dom0 side is capture.sh, sent over the connection; nothing is installed there but Xen's own tools.
"""

import contextlib
import math
import signal
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from types import FrameType

from traces.counting.wallclock import Noted
from xentool.hosts import Host
from xentool.tools.tracing import capture_status
from xentool.tools.tracing.capture_status import Began, Compared, Ended, Over, Ready, Refused, Started, Used
from xentool.tools.tracing.remote import Gate, Remote

# Held in dom0 while a capture runs. /run is root's own, so that nobody else can take it.
LOCK = "/run/xentool-capture.lock"


class Capture(Remote):
    """A running capture as a context manager; leaving it puts tracing back, with or without an exception.

    Xen has one set of trace buffers and no filter by domain: a capture holds what the whole host did.

    :param mask: Xen's event mask (`traces.choice.where.Kinds.mask`)
    :param buffer_pages: 4 KiB pages of buffer per CPU; Xen keeps the first size set since it booted
    :param cpus: CPUs to record on; None for all
    :param seconds: end by itself after so long, by dom0's clock; None for no limit
    :param gate: see `Remote`; by then dom0 has given its clock, and holds its lock
    :raises Unavailable: the host cannot be reached, is no dom0, or (from `chunks`) went away
    :raises XentoolError: the host is being traced already, cannot trace, or (from `chunks`) xentrace ended by itself
    """

    def __init__(
        self,
        host: Host,
        mask: int,
        buffer_pages: int = 1024,
        cpus: Sequence[int] | None = None,
        seconds: float | None = None,
        gate: Gate | None = None,
    ) -> None:
        super().__init__(host, gate)
        self.mask = mask
        self.buffer_pages = buffer_pages  # what was asked for, and once started what there is
        self.started = 0.0  # by `clock`, when records began
        #: Of one of dom0's processors, the share that the tracer took; known once an orderly stop has ended.
        self.share: float | None = None
        #: Seconds that were recorded, by dom0's clock; known with `share`.
        self.recorded: float | None = None
        self._seconds = seconds
        self._times: list[Began | Compared | Over] = []
        self._cpus = "all" if cpus is None else ",".join(map(str, cpus))

    def _words(self) -> list[str]:
        words = ["bash", "-s", "--", hex(self.mask), str(self.buffer_pages), self._cpus, LOCK]
        # Rounded up: 0 means no limit.
        words.append(str(0 if self._seconds is None else math.ceil(self._seconds * 100)))
        return words if self._gate is None else [*words, "gate"]

    def _input(self) -> bytes:
        return files(__package__).joinpath("capture.sh").read_bytes()

    def _await_start(self) -> None:
        refused: Refused | None = None
        messages: list[str] = []
        for line in self._lines():
            match status := capture_status.parse(line):
                case Began() | Compared():
                    self._times.append(status)
                case Ready():
                    self._pass()
                case Started(pages):
                    self.buffer_pages = pages
                    self.started = self._begun(self._seconds)
                    return
                case Refused() as refused:
                    pass
                case None:
                    messages.append(line)
        raise capture_status.start_error(self.host.name, self.buffer_pages, refused, messages)

    @property
    def noted(self) -> Noted | None:
        """When it was recorded, by dom0's clock: its begin from the start on, and all of it after an orderly stop."""
        return capture_status.noted(self._times)

    def _finish(self) -> None:
        ended: Ended | None = None
        messages: list[str] = []
        for line in self._lines():
            match status := capture_status.parse(line):
                case Ended() as ended:
                    pass
                case Compared() | Over():
                    self._times.append(status)
                case Used(seconds, recorded) if recorded > 0:
                    self.share, self.recorded = seconds / recorded, recorded
                case None:
                    messages.append(line)
        error = capture_status.end_error(self.host.name, ended, messages)
        if error is not None:
            raise error


@contextlib.contextmanager
def on_interrupt(stop: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Make Ctrl-C call `stop` instead of raising; yield a function that tells whether it was pressed.

    An exception could arrive between a read and its write and lose records. A second Ctrl-C does raise.
    """
    pressed = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            signal.default_int_handler(number, frame)
        pressed = True
        stop()

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
