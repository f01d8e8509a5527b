"""A domain's connection to its machine, with what the domain has from there: both end together."""

import os
import select
import socket
import threading
from contextlib import suppress
from errno import EACCES
from pathlib import Path
from struct import Struct
from typing import Protocol

from pvdrivers.errors import MachineError
from pvdrivers.transport.loopback import calls
from pvdrivers.transport.loopback.calls import Call

# struct ucred
_CREDENTIALS = Struct("iII")


class Denied(Exception):
    """The machine said no.

    :param errno: what Xen would say
    """

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


class Held(Protocol):
    """What a domain has from its machine."""

    def lose(self, reason: MachineError) -> object:
        """Take note that the machine is gone; from the link's thread."""
        ...

    def close(self) -> object:
        """Give it back."""
        ...


class Link:
    """A connection; for any thread.

    :raises MachineError: there is no machine, or no such domain in it
    :ivar gone: why there is none any more
    :ivar held: what is to be given back
    """

    def __init__(self, directory: Path, domid: int) -> None:
        self.gone: MachineError | None = None
        self.held: dict[Held, None] = {}
        self._directory = directory
        self._lock = threading.Lock()
        self._machine = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._closing = False
        try:
            self._machine.connect(str(calls.address(directory, domid)))
            _, uid, _ = _CREDENTIALS.unpack(
                self._machine.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
            if uid not in (os.geteuid(), 0):
                # Who made a folder where we look for ours.
                raise OSError(EACCES, f"it is another user's ({uid})")
        except OSError as error:
            self._machine.close()
            raise MachineError(f"no domain {domid} of a loopback in {directory}: {error.strerror or error}") from error
        self._thread = threading.Thread(target=self._attend, name="loopback", daemon=True)
        self._thread.start()

    def call(self, call: Call, *arguments: int) -> tuple[list[int], list[int]]:
        """Ask the machine; give results and descriptors.

        :raises Denied: it says no
        :raises MachineError: it is gone, or this process has no descriptors left
        :raises ValueError: arguments are not all of 32 bits
        """
        try:
            with self._lock:
                calls.send(self._machine, (call, *arguments))
                (errno, *results), fds = calls.receive(self._machine)
        except ConnectionError as error:
            raise self._lost() from error
        except OSError as error:
            raise self.gone or MachineError(f"the loopback in {self._directory}: {error.strerror or error}") from error
        except OverflowError as error:
            raise ValueError(f"{arguments} are not all of 32 bits") from error
        if errno:
            raise Denied(errno)
        return results, fds

    def hold(self, what: Held) -> None:
        """Take note that something is to be given back, and may be lost."""
        self.held[what] = None
        if self.gone:
            what.lose(self.gone)

    def give_back(self, call: Call, numbers: list[int], what: Held) -> None:
        """Give something back, unless it is already, or was lost."""
        if what in self.held:
            del self.held[what]
            for number in numbers:
                # Of a machine that is gone, nobody has it any more.
                with suppress(MachineError):
                    self.call(call, number)

    def _attend(self) -> None:
        # Without a reply to be read, until either end is no more.
        poll = select.poll()
        poll.register(self._machine, 0)
        poll.poll()
        if not self._closing:
            self._lost()

    def _lost(self) -> MachineError:
        self.gone = self.gone or MachineError(f"the loopback in {self._directory} is gone: its process has ended")
        for each in list(self.held):
            each.lose(self.gone)
        return self.gone

    def look(self) -> MachineError | None:
        """Tell whether the machine is gone, now."""
        poll = select.poll()
        poll.register(self._machine, 0)
        if not self.gone and not self._closing and poll.poll(0):
            self._lost()
        return self.gone

    def close(self) -> None:
        """End it. The machine takes back all that the domain has."""
        self._closing = True
        with suppress(OSError):
            self._machine.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._machine.close()
        held, self.held = self.held, {}
        for each in held:
            with suppress(BufferError):
                each.close()
