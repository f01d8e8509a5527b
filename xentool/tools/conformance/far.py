"""The far side of a vif of ours under test: a socket that its port is joined to, frames with a virtio_net_hdr each.

As a TAP's other end it is told all that a TAP is told, and tells as much; unlike a TAP it needs no right to anything.
"""

import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pvdrivers.conformance.net.frames import Carried
from pvdrivers.errors import MachineError
from pvdrivers.net.frame import Abilities
from pvdrivers.net.ports.base import ALL
from pvdrivers.net.ports.headed import HeadedLane
from pvdrivers.net.ports.packed import PackedHeadedLane
from pvdrivers.net.ports.plain.single import SingleLine
from xentool.tools.conformance.headed import read, written

#: Bytes of the longest frame, with its header.
_ROOM = 1 << 17
#: Seconds that a frame waits for others before it to be read, and that a driver may take to join.
_PATIENCE = 10.0


class SocketFar:
    """The kit's end; see `pvdrivers.conformance.net.subject.FarSide`.

    :param path: where `SocketPort` finds it; to be made
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listening.bind(str(path))
        self._listening.listen()
        self._changed = threading.Condition()
        self._frames: deque[Carried] = deque()
        self._joined: socket.socket | None = None
        # Whoever writes there ends the thread.
        self._end, self._ended = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._read, name="conformance far side", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listening, selectors.EVENT_READ)
            selector.register(self._end, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj == self._end:
                        return
                    if key.fileobj is self._listening:
                        self._join(selector)
                    elif isinstance(key.fileobj, socket.socket):
                        self._take(key.fileobj, selector)

    def _join(self, selector: selectors.BaseSelector) -> None:
        joined, _ = self._listening.accept()
        with self._changed:
            former, self._joined = self._joined, joined
            self._changed.notify_all()
        if former:
            with suppress(KeyError):
                selector.unregister(former)
            # What lies there yet came out before.
            with suppress(OSError):
                while message := former.recv(_ROOM, socket.MSG_DONTWAIT):
                    self._came_out(message)
            former.close()
        selector.register(joined, selectors.EVENT_READ)

    def _take(self, joined: socket.socket, selector: selectors.BaseSelector) -> None:
        if joined.fileno() < 0:
            # Another has taken its place since it was found to have something.
            return
        try:
            message = joined.recv(_ROOM)
        except OSError:
            message = b""
        if not message:
            # Its frontend has parted; another may come.
            selector.unregister(joined)
            return
        self._came_out(message)

    def _came_out(self, message: bytes) -> None:
        with self._changed:
            self._frames.append(read(message))
            self._changed.notify_all()

    def send(self, frame: Carried) -> bool:
        """Let a frame come in; tell whether it was taken."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._joined, _PATIENCE):
                return False
            joined = self._joined
        assert joined  # noqa: S101 - waited for
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                joined.send(written(frame), socket.MSG_DONTWAIT)
            except BlockingIOError:
                time.sleep(0.001)
            except OSError:
                return False
            else:
                return True
        return False

    def receive(self, seconds: float) -> Carried | None:
        """Give the next frame that has come out; None if none does within a time."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames, seconds)
            return self._frames.popleft() if self._frames else None

    def close(self) -> None:
        """Be gone."""
        os.write(self._ended, b".")
        self._thread.join()
        for file in (self._end, self._ended):
            os.close(file)
        self._listening.close()
        if self._joined:
            self._joined.close()
        self._path.unlink()


class SocketPort:
    """The driver's end, as a port.

    :param path: where `SocketFar` is
    :param compiled: False for the reference alone
    """

    abilities = ALL
    carrier = True

    def __init__(self, path: Path, *, compiled: bool = True) -> None:
        self._path, self._compiled = path, compiled
        self._lanes: Sequence[HeadedLane] = ()

    @property
    def name(self) -> str:
        """``socket:PATH``."""
        return f"socket:{self._path}"

    def open(self, lanes: int, reader: Abilities) -> Sequence[HeadedLane]:
        """Join the far side: one way in, and one out for each queue.

        :raises MachineError: it is not there
        """
        joined = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            joined.connect(str(self._path))
        except OSError as error:
            joined.close()
            raise MachineError(f"no far side at {self._path}: {error.strerror}") from error
        joined.setblocking(False)
        lines = [_Line(joined if number == 0 else joined.dup()) for number in range(lanes)]
        self._lanes = [self._lane(line, reader, receives=at == 0) for at, line in enumerate(lines)]
        return self._lanes

    def _lane(self, line: "_Line", reader: Abilities, *, receives: bool) -> HeadedLane:
        if not self._compiled:
            return HeadedLane(self.name, line, self.abilities, reader, receives=receives)
        plain = SingleLine(line.fileno(), self.abilities, reader)
        return PackedHeadedLane(self.name, line, plain, self.abilities, reader, receives=receives)

    def close(self) -> None:
        """Part from it."""
        for lane in self._lanes:
            lane.close()
        self._lanes = ()


class _Line:
    # One queue's descriptor.

    def __init__(self, joined: socket.socket) -> None:
        self._joined = joined

    def fileno(self) -> int:
        return self._joined.fileno()

    def read(self, header: bytearray, room: memoryview) -> memoryview:
        size, *_ = self._joined.recvmsg_into((header, room))
        return room[: size - len(header)]

    def write(self, header: bytes, data: bytes | memoryview) -> None:
        self._joined.sendmsg((header, data))

    def gone(self) -> bool:
        return False

    def lost(self) -> int:
        return 0

    def close(self) -> None:
        self._joined.close()
