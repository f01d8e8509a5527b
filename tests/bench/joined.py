"""Join a port to the frontend of a loopback's vif, until it is killed.

``python -m tests.bench.joined DIRECTORY PORT``
"""

import signal
import sys
from pathlib import Path

from pvdrivers.net.front import frontend
from pvdrivers.net.ports import open_port
from pvdrivers.transport.loopback import Loopback
from xentool.tools.transports.loopbacks import GUEST

#: What it says then.
JOINED = "frames go"


def here(number: int) -> str:
    """Tell where a loopback's vif has its frontend."""
    return f"/local/domain/{GUEST}/device/vif/{number}"


def main(directory: Path, port: str) -> None:
    with Loopback(directory, GUEST) as transport, frontend.joined(transport, here(0), open_port(port)):
        print(JOINED, flush=True)
        signal.pause()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
