"""Live captures: xentrace in dom0, its records here while they are made, and tracing put back whatever happens.

The dom0 side is capture.sh, sent over the connection; nothing is installed there but Xen's own tools.
"""

import contextlib
import fcntl
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from types import FrameType, TracebackType
from typing import IO, Self

from traces.counting.wallclock import Noted
from xentool.errors import XentoolError
from xentool.hosts import Host
from xentool.tools.tracing import capture_status
from xentool.tools.tracing.capture_status import Began, Compared, Ended, Over, Refused, Started, Used

# Held in dom0 while a capture runs. /run is root's own, so that nobody else can take it.
LOCK = "/run/xentool-capture.lock"
# Seconds between signs of life; dom0 gives up after `capture_status.PATIENCE`.
HEARTBEAT = 2.0
STOP = b"stop\n"
# Seconds that dom0 gets to put tracing back when the caller leaves early: disabling it may take three tries.
PUT_BACK = 20.0
# The most that one read returns, and what the pipe is grown to: fewer, larger reads at tens of MB a second.
CHUNK = 1 << 20


class Capture:
    """A running capture as a context manager; leaving it puts tracing back, with or without an exception.

    Xen has one set of trace buffers and no filter by domain: a capture holds what the whole host did.

    :param mask: Xen's event mask (`traces.choice.where.Kinds.mask`)
    :param buffer_pages: 4 KiB pages of buffer per CPU; Xen keeps the first size set since it booted
    :param cpus: CPUs to record on; None for all
    :param seconds: end by itself after so long, by dom0's clock; None for no limit
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
    ) -> None:
        self.host = host
        self.mask = mask
        self.buffer_pages = buffer_pages  # what was asked for, and once started what there is
        self.started = 0.0  # time.monotonic() when records began
        #: Of one of dom0's processors, the share that the tracer took; known once an orderly stop has ended.
        self.share: float | None = None
        #: Seconds that were recorded, by dom0's clock; known with `share`.
        self.recorded: float | None = None
        self._seconds = seconds
        self._times: list[Began | Compared | Over] = []
        self._cpus = "all" if cpus is None else ",".join(map(str, cpus))
        self._stopping = False
        self._over = threading.Event()

    def __enter__(self) -> Self:
        words = ["bash", "-s", "--", hex(self.mask), str(self.buffer_pages), self._cpus, LOCK]
        # Rounded up: 0 means no limit.
        words.append(str(0 if self._seconds is None else math.ceil(self._seconds * 100)))
        pipe = subprocess.PIPE
        self._process = self.host.popen(words, stdin=pipe, stdout=pipe, stderr=pipe)
        self._stdin, self.stdout, self._stderr = _streams(self._process)
        with contextlib.suppress(OSError):  # a smaller pipe serves as well, only slower
            fcntl.fcntl(self.stdout, fcntl.F_SETPIPE_SZ, CHUNK)
        self._heart = threading.Thread(target=self._beat, name="xentool-capture-heartbeat", daemon=True)
        try:
            with contextlib.suppress(BrokenPipeError):  # its stderr says why it ended
                self._stdin.write(files(__package__).joinpath("capture.sh").read_bytes())
            self._heart.start()
            self._await_start()
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    def chunks(self) -> Iterator[bytes]:
        """Yield records as they come, in pieces of any length, until the capture ends.

        :raises XentoolError: after the last piece, when the capture did not end because of `stop`
        """
        while chunk := os.read(self.stdout.fileno(), CHUNK):
            yield chunk
        self._finish()

    def stop(self) -> None:
        """Ask dom0 to end the capture; `chunks` goes on until it has handed out the last record.

        Safe in a signal handler, more than once, and after the end.
        """
        if not self._stopping and not self._over.is_set():
            self._stopping = True
            with contextlib.suppress(OSError):
                os.write(self._stdin.fileno(), STOP)

    def _await_start(self) -> None:
        refused: Refused | None = None
        messages: list[str] = []
        for line in self._lines():
            match status := capture_status.parse(line):
                case Began() | Compared():
                    self._times.append(status)
                case Started(pages):
                    self.buffer_pages = pages
                    self.started = time.monotonic()
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

    def _lines(self) -> Iterator[str]:
        # Line by line without reading ahead, so that the caller may leave off anywhere.
        while line := self._stderr.readline():
            yield line.decode(errors="replace").rstrip()

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

    def _beat(self) -> None:
        with contextlib.suppress(OSError):  # the other side ended; whoever reads its output notices
            while not self._over.wait(HEARTBEAT):
                # Said again and again: bash's `read -t` drops the part of a line that it has when its time is over.
                os.write(self._stdin.fileno(), STOP if self._stopping else b"\n")

    def _abandon(self) -> None:
        # End of file on its stdin makes dom0 kill xentrace and put tracing back; after an orderly end it does nothing.
        self._over.set()
        if self._heart.is_alive():
            self._heart.join()  # else it might write to a descriptor that is closed and somebody else's by then
        self._stdin.close()
        self.stdout.close()
        try:
            self._process.wait(PUT_BACK)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the connection hangs; dom0 notices the silence by itself
            self._process.wait()
        self._stderr.close()


def _streams(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise XentoolError("the host gave no pipes")
    return process.stdin, process.stdout, process.stderr


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
