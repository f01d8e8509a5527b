"""The far side of a vif by a relay (`relay`), in this dom0 or in a guest; see `pvdrivers.conformance.net.subject`."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pvdrivers.conformance.net.frames import Carried
from pvdrivers.errors import MachineError
from xentool.tools.conformance.headed import read, written
from xentool.tools.conformance.xen.relay import HEAD, relay

#: Seconds that an interface may take to be there.
PATIENCE = 60.0


class RelayedFar:
    """Frames by a stream.

    :param joined: the stream, whose other end is a relay's
    """

    def __init__(self, joined: socket.socket) -> None:
        self._joined = joined
        self._there = bytearray()
        self._ready = False

    def ready(self) -> bool:
        """Wait until its interface is listened on; tell whether it is."""
        if not self._ready:
            self._ready = self._record(PATIENCE) == b""
        return self._ready

    def send(self, frame: Carried) -> bool:
        """Let a frame come in; tell whether it was taken."""
        if not self.ready():
            return False
        message = written(frame)
        try:
            self._joined.sendall(HEAD.pack(len(message)) + message)
        except OSError:
            return False
        return True

    def receive(self, seconds: float) -> Carried | None:
        """Give the next frame that has come out; None if none does within a time."""
        message = self._record(seconds) if self.ready() else None
        return read(message) if message else None

    def close(self) -> None:
        """Have the relay end."""
        self._joined.close()

    def _record(self, seconds: float) -> bytes | None:
        deadline = time.monotonic() + seconds
        while True:
            if len(self._there) >= HEAD.size:
                (length,) = HEAD.unpack_from(self._there)
                if len(self._there) >= HEAD.size + length:
                    message = bytes(self._there[HEAD.size : HEAD.size + length])
                    del self._there[: HEAD.size + length]
                    return message
            left = max(deadline - time.monotonic(), 0.0)
            try:
                if not select.select([self._joined], [], [], left)[0] or not (some := self._joined.recv(1 << 16)):
                    return None
            except OSError:
                return None
            self._there += some


@contextmanager
def here(folder: str) -> Iterator[RelayedFar]:
    """Have the far side of a driver of this machine.

    :param folder: the driver's ``net`` in sysfs
    :raises MachineError: it has no interface, or nobody may listen there
    """
    ours, theirs = socket.socketpair()

    def relayed() -> None:
        with theirs, suppress(OSError):
            relay(folder, theirs.fileno(), theirs.fileno())

    thread = threading.Thread(target=relayed, name="conformance relay", daemon=True)
    thread.start()
    with ours:
        far = RelayedFar(ours)
        if not far.ready():
            raise MachineError(f"the driver has no interface in {folder}, or nobody may listen there")
        yield far
        ours.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)
