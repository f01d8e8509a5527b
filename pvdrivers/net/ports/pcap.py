"""A port that is a file: what a frontend sends is recorded, and what another file holds is sent to it.

``pcap:FILE`` writes FILE as pcapng, readable by its owner alone: others' traffic is in it. What was recorded there
before is gone on with, as a log is, by whichever process; any other file stays as it is. ``pcap:FILE,from=OTHER`` gives
the frontend the frames of OTHER as well, a pcap or pcapng, as fast as it takes them, and then nothing more: those of
Ethernet that were kept whole. ``pcap:from=OTHER`` records nothing. A file is written by one at a time.

The interface is the port's end, as dom0's vif is: what the frontend sends is inbound.
"""

import fcntl
import io
import os
import stat
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pvdrivers.errors import MachineError
from pvdrivers.net import captures
from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.pcapng import LINKTYPE_ETHERNET, Interface, Writer, beginning, remark
from pvdrivers.net.ports.base import ALL, PortLost, PortStats
from pvdrivers.net.ports.fitted import Fitted

_INTERFACES = [Interface("vif")]


class Pcap:
    """The port.

    :param to: where frames are recorded, behind those that were recorded there before
    :param source: where frames come from, anew at each `open`
    """

    abilities = ALL
    carrier = True

    def __init__(self, to: Path | None, source: Path | None = None) -> None:
        self._to, self._from = to, source
        self._record: _Record | None = None
        # What need not be read again.
        self._left: _Left | None = None
        self._lanes: Sequence[PcapLane] = ()

    @property
    def name(self) -> str:
        """``pcap:FILE``, with what it reads."""
        parts = [str(self._to)] if self._to else []
        return "pcap:" + ",".join([*parts, f"from={self._from}"] if self._from else parts)

    def open(self, lanes: int, reader: Abilities) -> Sequence["PcapLane"]:
        """Open the files.

        :raises MachineError: one cannot be opened
        """
        source = _Source(self._from) if self._from else None
        if self._to:
            try:
                self._record = _Record(self._to, source, self._left)
            except MachineError:
                if source:
                    source.close()
                raise
        self._lanes = [
            PcapLane(number, self._record, source if number == 0 else None, reader) for number in range(lanes)
        ]
        return self._lanes

    def close(self) -> None:
        """Close the files."""
        for lane in self._lanes:
            lane.close()
        if self._record:
            self._left = self._record.left()
            self._record.close()
            self._record = None


def _open(path: Path, how: int) -> int:
    try:
        # A named pipe that nobody writes to would keep us here.
        file = os.open(path, how | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise MachineError(f"{path} is no file")
        return file
    except OSError as error:
        raise MachineError(f"cannot open {path}: {error.strerror}") from error


class _Left(NamedTuple):
    # A file as its last `_Record` has left it.
    device: int
    inode: int
    size: int


class _Record:
    # The file that all lanes write to.

    def __init__(self, path: Path, source: "_Source | None", left: "_Left | None") -> None:
        self._path = path
        # Not through a link that somebody else may have left in /tmp.
        self._file = _open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_APPEND)
        self._lock = threading.Lock()
        self._blocks = io.BytesIO()
        try:
            self._claim(source)
            self._writer = Writer(self._blocks, _INTERFACES, begun=self._begun(left))
            os.fchmod(self._file, 0o600)
            self._add()
        except OSError as error:
            self.close()
            raise self._failed(error) from error
        except MachineError:
            self.close()
            raise

    def _claim(self, source: "_Source | None") -> None:
        # Before anything of it is gone.
        if source and os.path.samestat(os.fstat(self._file), source.status()):
            raise MachineError(f"{self._path} cannot be read and written: name another file")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MachineError(f"{self._path} is taken: another vif is recorded there; name another file") from error

    def _begun(self, left: "_Left | None") -> bool:
        # Whether something is recorded there.
        if left and left == self.left():
            return True
        # Of a block that somebody was killed over, nothing stays: behind half of one nothing could be read any more.
        with open(self._file, "rb", buffering=1 << 20, closefd=False) as file:
            try:
                end = captures.whole(file, beginning(_INTERFACES))
            except captures.BadCapture as error:
                raise MachineError(
                    f"{self._path} is there, and nothing that was recorded here ({error}): name another file"
                ) from error
        os.ftruncate(self._file, end)
        return end > 0

    def left(self) -> "_Left":
        status = os.fstat(self._file)
        return _Left(status.st_dev, status.st_ino, status.st_size)

    def _add(self) -> None:
        # All blocks or none.
        blocks = self._blocks.getvalue()
        self._blocks.seek(0)
        self._blocks.truncate()
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            while blocks:
                blocks = blocks[os.write(self._file, blocks) :]
        except OSError:
            os.ftruncate(self._file, end)
            raise

    def write(self, queue: int, frames: Sequence[Frame]) -> None:
        now = time.time_ns()
        with self._lock:
            try:
                for frame in frames:
                    said = remark(frame.offload)
                    self._writer.write(0, now, frame.data, inbound=True, comment=said, queue=queue)
                self._add()
            except OSError as error:
                raise self._failed(error) from error

    def _failed(self, error: OSError) -> PortLost:
        return PortLost(f"cannot write {self._path}: {error.strerror}")

    def close(self) -> None:
        with self._lock, suppress(OSError):
            os.close(self._file)


class _Source:
    # The file that frames come from.

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, os.fdopen(_open(path, os.O_RDONLY), "rb")
        # Readable as long as there is more, be it an error; a file is nothing for epoll.
        self.more = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._captured = captures.read(self._file)
        self.error: MachineError | None = None
        # What is no capture, or has nothing for a vif, is told before anybody relies on it.
        self._following = self._read()
        passed = 0
        while self._following and not _whole(self._following):
            passed, self._following = passed + 1, self._read()
        if passed and not (self._following or self.error):
            self.error = MachineError(f"{path} has no frame of Ethernet that was kept whole")
        if self.error:
            self.close()
            raise self.error
        #: Frames that were not given since that was last looked at.
        self.passed = passed

    def status(self) -> os.stat_result:
        return os.fstat(self._file.fileno())

    def _read(self) -> captures.Captured | None:
        try:
            following = next(self._captured, None)
        except (captures.BadCapture, OSError) as error:
            self.error = MachineError(f"cannot read {self._path}: {error}")
            return None
        if following is None:
            os.eventfd_read(self.more)
        return following

    def take(self) -> captures.Captured | None:
        # The next that a vif can be given.
        while (frame := self._following) is not None:
            self._following = self._read()
            if _whole(frame):
                break
            self.passed += 1
        return frame

    def close(self) -> None:
        if self.more >= 0:
            self._file.close()
            os.close(self.more)
        self.more = -1


def _whole(frame: captures.Captured) -> bool:
    return frame.linktype == LINKTYPE_ETHERNET and len(frame.data) == frame.length


class PcapLane:
    """One lane of the port."""

    def __init__(self, number: int, record: _Record | None, source: _Source | None, reader: Abilities) -> None:
        self._number, self._record, self._source = number, record, source
        self.stats = PortStats()
        self._fitted = Fitted(reader, self.stats)

    def fileno(self) -> int:
        """Give an eventfd."""
        return self._source.more if self._source else -1

    def receive(self, limit: int) -> Sequence[Frame]:
        """Give the next frames of the source.

        :raises MachineError: it is damaged where it would go on
        """
        if not self._source:
            return ()
        frames = self._fitted.take(limit, self._next)
        if not frames and self._source.error:
            raise self._source.error
        return frames

    def _next(self) -> Frame | None:
        source = self._source
        if not source:
            return None
        captured = source.take()
        self.stats.lost, source.passed = self.stats.lost + source.passed, 0
        return Frame(captured.data) if captured else None

    def send(self, frames: Sequence[Frame]) -> None:
        """Record frames.

        :raises PortLost: there is no room left for them
        """
        if self._record:
            self._record.write(self._number, frames)
            self.stats.syscalls += 1
        self.stats.sent += len(frames)

    def close(self) -> None:
        """Close the source; not an error if it is closed."""
        if self._source:
            self._source.close()
