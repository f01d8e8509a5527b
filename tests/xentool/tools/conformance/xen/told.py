"""A guest's shell that says what it is to say."""

import socket

from pvdrivers.errors import MachineError
from xentool.tools.conformance.xen.shell import Said, Shell


class Told(Shell):
    """Keeps the scripts that it was given."""

    def __init__(self, *said: Said | MachineError) -> None:
        self.said = list(said)
        self.scripts: list[str] = []

    def run(self, script: str, timeout: float | None = None) -> Said:
        """Say what is next."""
        del timeout
        self.scripts.append(script)
        said = self.said.pop(0)
        if isinstance(said, MachineError):
            raise said
        return said

    def stream(self, script: str) -> socket.socket:
        """Not answer."""
        del script
        raise MachineError("the guest does not answer")
