"""The shell of a guest at a TCP port (``nc -ll -p 7000 -e /bin/sh``), each connection one: runs scripts there."""

import socket
from typing import NamedTuple

from pvdrivers.errors import MachineError

PORT = 7000
#: Seconds that a guest may take to be spoken to.
_CONNECT = 20.0
#: What comes last: the script's own status.
_DONE = b"\nxentool: done "


class Said(NamedTuple):
    """What a script printed, and its status."""

    output: bytes
    status: int


class Shell:
    """A guest's shell.

    :param address: of the guest, as this host reaches it
    """

    def __init__(self, address: str, port: int = PORT) -> None:
        self._where = address, port

    def stream(self, script: str) -> socket.socket:
        """Run a script whose input and output are a stream: what it says first comes before it is told anything.

        :raises MachineError: the guest does not answer
        """
        try:
            connection = socket.create_connection(self._where, _CONNECT)
            connection.sendall(f"{script}\n".encode())
        except OSError as error:
            raise MachineError(f"the guest's shell at {self._where[0]} does not answer: {error}") from error
        connection.settimeout(None)
        return connection

    def run(self, script: str, timeout: float | None = None) -> Said:
        """Run a script in a shell of its own.

        :param timeout: seconds for which it may say nothing; None for as long as it likes
        :raises MachineError: the guest does not answer, or no more
        """
        said = bytearray()
        try:
            with socket.create_connection(self._where, _CONNECT) as connection:
                connection.settimeout(timeout)
                # What is run must not read on in the script.
                connection.sendall(
                    f"(\n{script}\n) </dev/null\nstatus=$?; echo; echo xentool: done $status\nexit\n".encode()
                )
                while some := connection.recv(1 << 16):
                    said += some
        except OSError as error:
            raise MachineError(f"the guest's shell at {self._where[0]} does not answer: {error}") from error
        output, done, status = bytes(said).rpartition(_DONE)
        if not done:
            raise MachineError(f"the guest's shell at {self._where[0]} ended: {said[-200:].decode(errors='replace')}")
        return Said(output, int(status))
