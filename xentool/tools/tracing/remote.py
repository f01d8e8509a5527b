"""A script that records on a host over its connection: its output here, its life hung on ours.

The script hears a sign of life every `HEARTBEAT` seconds, and puts everything back when these stop, its input ends,
or it is told to stop. What it says of itself are lines on its stderr, which each kind of recording reads its own way.
"""

import contextlib
import fcntl
import math
import os
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import IO, Self

from xentool.errors import XentoolError
from xentool.hosts import Host

# Seconds between signs of life; hosts give up after `capture_status.PATIENCE`.
HEARTBEAT = 2.0
STOP = b"stop\n"
GO = b"go\n"
# Seconds that a host gets to put tracing back when the caller leaves early: disabling Xen's may take three tries.
PUT_BACK = 20.0
# The most that one read returns, and what the pipe is grown to: fewer, larger reads at tens of MB a second.
CHUNK = 1 << 20


#: Called when a host has all that it needs to begin, and has not begun: it does so when this has returned. What this
#: raises calls the recording off.
Gate = Callable[[], None]


class Remote(ABC):
    """A running script as a context manager; leaving it puts everything back, with or without an exception.

    :param gate: None to begin at once
    """

    def __init__(self, host: Host, gate: Gate | None = None) -> None:
        self.host = host
        self._gate = gate
        self._word = b"\n"  # what a sign of life says
        self._over = threading.Event()
        self._ends = math.inf  # by `clock`: what comes later was recorded before

    @abstractmethod
    def _words(self) -> Sequence[str]:
        """Give what is run on the host."""

    @abstractmethod
    def _await_start(self) -> None:
        """Read the script's lines until records come, or raise why they don't."""

    @abstractmethod
    def _finish(self) -> None:
        """Read the script's last lines; raise if it did not end because of `stop`."""

    def _input(self) -> bytes:
        """Give what the script is to read before anything else."""
        return b""

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = self.host.popen(self._words(), stdin=pipe, stdout=pipe, stderr=pipe)
        self._stdin, self.stdout, self._stderr = _streams(self._process)
        with contextlib.suppress(OSError):  # a smaller pipe serves as well, only slower
            fcntl.fcntl(self.stdout, fcntl.F_SETPIPE_SZ, CHUNK)
        self._heart = threading.Thread(target=self._beat, name="xentool-capture-heartbeat", daemon=True)
        try:
            with contextlib.suppress(BrokenPipeError):  # its stderr says why it ended
                self._stdin.write(self._input())
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
        """Yield what is recorded as it comes, in pieces of any length, until the recording ends.

        :raises XentoolError: after the last piece, when it did not end because of `stop`
        """
        while chunk := os.read(self.stdout.fileno(), CHUNK):
            yield chunk
        self._finish()

    def clock(self) -> float:
        """Give `time.monotonic`, which stands still here once it is to end: to wait for the last records is no part."""
        return min(time.monotonic(), self._ends)

    def stop(self) -> None:
        """Ask the host to end it; `chunks` goes on until it has handed out the last record.

        Safe in a signal handler, more than once, and after the end.
        """
        self._ends = self.clock()
        if self._word != STOP and not self._over.is_set():
            self._say(STOP)

    def _begun(self, seconds: float | None) -> float:
        """Note that records come, and for how long if that is known; give since when by `clock`."""
        began = time.monotonic()
        self._ends = min(self._ends, math.inf if seconds is None else began + seconds)
        return began

    def _pass(self) -> None:
        """Let the host begin, now that it is ready, when that is wanted."""
        if self._gate is not None:
            self._gate()
        self._say(GO)

    def _say(self, word: bytes) -> None:
        self._word = word
        with contextlib.suppress(OSError):
            os.write(self._stdin.fileno(), word)

    def _lines(self) -> Iterator[str]:
        # Line by line without reading ahead, so that the caller may leave off anywhere.
        while line := self._stderr.readline():
            yield line.decode(errors="replace").rstrip()

    def _beat(self) -> None:
        with contextlib.suppress(OSError):  # the other side ended; whoever reads its output notices
            while not self._over.wait(HEARTBEAT):
                # Said again and again: bash's `read -t` drops the part of a line that it has when its time is over.
                os.write(self._stdin.fileno(), self._word)

    def _abandon(self) -> None:
        # End of file on its stdin makes the host put everything back; after an orderly end it does nothing.
        self._over.set()
        if self._heart.is_alive():
            self._heart.join()  # else it might write to a descriptor that is closed and somebody else's by then
        self._stdin.close()
        self.stdout.close()
        try:
            self._process.wait(PUT_BACK)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the connection hangs; the host notices the silence by itself
            self._process.wait()
        self._stderr.close()


def _streams(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise XentoolError("the host gave no pipes")
    return process.stdin, process.stdout, process.stderr
