"""A port that is a file: what a frontend sends is recorded, and what another file holds is sent to it.

``pcap:FILE`` writes FILE as pcapng, readable by its owner alone: others' traffic is in it. ``pcap:FILE,from=OTHER``
gives the frontend the frames of OTHER as well, a pcap or pcapng, as fast as it takes them, and then nothing more: those
of Ethernet that were kept whole. ``pcap:from=OTHER`` records nothing.

The interface is the port's end, as dom0's vif is: what the frontend sends is inbound.
"""

import os
import stat
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from pvdrivers.errors import MachineError
from pvdrivers.net import captures
from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.pcapng import LINKTYPE_ETHERNET, Interface, Writer, remark
from pvdrivers.net.ports.base import ALL, PortStats
from pvdrivers.net.ports.fitted import Fitted


class Pcap:
    """The port.

    :param to: where frames are recorded. What was there goes, at the first `open`; later ones go on with the file.
    :param source: where frames come from, anew at each `open`
    """

    abilities = ALL
    carrier = True

    def __init__(self, to: Path | None, source: Path | None = None) -> None:
        self._to, self._from = to, source
        self._record: _Record | None = None
        self._begun = False
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
        try:
            if self._to:
                self._record = _Record(self._to, begun=self._begun)
                self._begun = True
            source = _Source(self._from) if self._from else None
        except MachineError:
            self.close()
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
            self._record.close()
            self._record = None


def _open(path: Path, how: int) -> BinaryIO:
    try:
        # A named pipe that nobody writes to would keep us here.
        file = os.open(path, how | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise MachineError(f"{path} is no file")
        return os.fdopen(file, "rb" if how == os.O_RDONLY else "wb")
    except OSError as error:
        raise MachineError(f"cannot open {path}: {error.strerror}") from error


class _Record:
    # The file that all lanes write to.

    def __init__(self, path: Path, *, begun: bool) -> None:
        self._path = path
        # Not through a link that somebody else may have left in /tmp.
        how = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_APPEND if begun else os.O_TRUNC)
        self._file = _open(path, how)
        self._lock = threading.Lock()
        try:
            os.fchmod(self._file.fileno(), 0o600)
            self._writer = Writer(self._file, [Interface("vif")], begun=begun)
            self._writer.flush()
        except OSError as error:
            self.close()
            raise self._failed(error) from error

    def write(self, queue: int, frames: Sequence[Frame]) -> None:
        now = time.time_ns()
        with self._lock:
            try:
                for frame in frames:
                    said = remark(frame.offload)
                    self._writer.write(0, now, frame.data, inbound=True, comment=said, queue=queue)
                self._writer.flush()
            except OSError as error:
                raise self._failed(error) from error

    def _failed(self, error: OSError) -> MachineError:
        return MachineError(f"cannot write {self._path}: {error.strerror}")

    def close(self) -> None:
        # What could not be written is written no better now.
        with self._lock, suppress(OSError):
            self._file.close()


class _Source:
    # The file that frames come from.

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, _open(path, os.O_RDONLY)
        # Readable as long as there is more, be it an error; a file is nothing for epoll.
        self.more = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._captured = captures.read(self._file)
        self.error: MachineError | None = None
        # What is no capture is told before anybody relies on it.
        self._following = self._read()
        if self.error:
            self.close()
            raise self.error

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
        frame = self._following
        if frame is not None:
            self._following = self._read()
        return frame

    def close(self) -> None:
        if self.more >= 0:
            self._file.close()
            os.close(self.more)
        self.more = -1


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
        while captured := self._source and self._source.take():
            if captured.linktype == LINKTYPE_ETHERNET and len(captured.data) == captured.length:
                return Frame(captured.data)
            self.stats.lost += 1
        return None

    def send(self, frames: Sequence[Frame]) -> None:
        """Record frames.

        :raises MachineError: there is no room left for them
        """
        if self._record:
            self._record.write(self._number, frames)
            self.stats.syscalls += 1
        self.stats.sent += len(frames)

    def close(self) -> None:
        """Close the source; not an error if it is closed."""
        if self._source:
            self._source.close()
