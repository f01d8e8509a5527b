"""QEMU's machine protocol, as far as devices are plugged by it.

Ref: QEMU docs/interop/qmp-spec.rst, qapi/qdev.json
"""

import json
import socket
import time
from pathlib import Path
from typing import Any

from pvdrivers.errors import MachineError

#: Seconds that QEMU may take to listen, and to answer; and between looks.
_PATIENCE, _LOOK = 60.0, 0.05


class Qmp:
    """A connection.

    :param path: the socket of a QEMU that has just been started (``-qmp unix:PATH,server=on,wait=off``)
    :raises MachineError: it does not listen
    """

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_PATIENCE)
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    self._socket.close()
                    raise MachineError(f"QEMU does not listen: {error.strerror}") from error
                time.sleep(_LOOK)
        self._lines = self._socket.makefile("rb")
        # It greets.
        self._said()
        self.does("qmp_capabilities")

    def does(self, command: str, **arguments: object) -> None:
        """Have a command done.

        :raises MachineError: it is refused
        """
        try:
            self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        except OSError as error:
            raise MachineError("QEMU has ended") from error
        while "return" not in (said := self._said()):
            if "error" in said:
                raise MachineError(f"QEMU's {command} says: {said['error']['desc']}")

    def _said(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError as error:
            raise MachineError(f"QEMU does not answer: {error}") from error
        if not line:
            raise MachineError("QEMU has ended")
        said: dict[str, Any] = json.loads(line)
        return said

    def close(self) -> None:
        """Part from it."""
        self._lines.close()
        self._socket.close()
