"""Guests' shells, as their workload ``shell`` has them at a TCP port, by a socket that leads there."""

import socket
from collections.abc import Callable
from pathlib import Path

from xentool.errors import XentoolError
from xentool.lab.patience import Patience

PORT = 7000
#: Seconds between two looks at a guest that is silent.
_TICK_S = 15.0
#: What a shell says last: a connection that ends without was cut off.
_DONE = "xentool: done"


def tell(path: Path, script: str, silence: Callable[[], Patience], lives: Callable[[], bool]) -> str:
    """Have a guest's shell run a script, and return what that prints, without the blanks around it.

    :param path: the socket
    :param silence: gives for how long it may say nothing, from then on
    :param lives: tells whether the guest runs: one that is gone says nothing any more, and nobody tells the other end
        of its connections
    :raises XentoolError: it died, was silent for longer, or the connection ended before the script did
    """
    said = bytearray()
    with socket.socket(socket.AF_UNIX) as shell:
        shell.settimeout(_TICK_S)
        shell.connect(str(path))
        shell.sendall(f"{script}\necho; echo {_DONE}\nexit\n".encode())
        limit = silence()
        while True:
            try:
                some = shell.recv(1 << 16)
            except TimeoutError:
                if not lives():
                    raise XentoolError("the guest died") from None
                if limit.over():
                    raise XentoolError(f"the guest said nothing for {limit.passed:.0f} s") from None
                continue
            if not some:
                break
            said += some
            limit = silence()
    text, done, rest = said.decode(errors="replace").rpartition(_DONE)
    if not done:
        raise XentoolError(f"the guest's shell ended: {rest[-200:]}")
    return text.strip()
