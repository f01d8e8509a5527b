"""Runs in a network namespace of its own: a vif's user by a shell at a port there, and a cable instead of a vif.

``python -m tests.xentool.tools.conformance.xen.in_guest FOLDER``: FOLDER is told to be the driver's, and has its
interface's name; the other end is relayed here.
"""

import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance.net.frames import Carried, packet, plain
from xentool.tools.conformance.xen import relayed
from xentool.tools.conformance.xen.guest_vifs import GuestUser
from xentool.tools.conformance.xen.shell import Shell

_MAKE = "ip link set lo up; ip link add left type veth peer name right"
FRAMES = [Carried(plain(b"x" * 60)), packet(4, IpProtocol.TCP, bytes(5000), options=12).carried(1400)]


def _shells(server: socket.socket) -> None:
    while True:
        connection, _ = server.accept()
        with connection:
            subprocess.Popen(["sh"], stdin=connection.fileno(), stdout=connection.fileno())


def main(folder: Path) -> None:
    """Pass frames both ways, and say how many came as they were."""
    subprocess.run(["sh", "-ec", _MAKE], check=True)
    for end in ("left", "right"):
        (folder / end / end).mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_shells, args=[server], daemon=True).start()
        shell = Shell("127.0.0.1", server.getsockname()[1])
        with relayed.here(f"{folder}/right") as far, closing(GuestUser(shell, f"{folder}/left")) as user:
            for one, other in ((user, far), (far, user)):
                for frame in FRAMES:
                    assert one.send(frame)
                    assert other.receive(60) == frame
        print("passed", len(FRAMES), "each way")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
