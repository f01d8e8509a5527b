"""The far end of a load on a loopback, a process of its own: a machine, a backend of ours, and the load's other port.

``python -m xentool.tools.net.far LOAD`` says where it serves, then takes a word a line: ``begin``, ``end``, ``forget``,
or ``count``, which it answers with `Counts` as JSON. It ends with its input, and so with whoever has started it, who
may have been killed; Ctrl-C is not for it. Nothing is left of it.
"""

import json
import signal
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pvdrivers.bus.end import End
from pvdrivers.bus.toolstack import Spot, plug
from pvdrivers.errors import DriverError
from pvdrivers.net.back.backend import Backend
from pvdrivers.net.load.lanes import EchoLane, LoadLane
from pvdrivers.net.load.port import LoadPort
from pvdrivers.net.load.traffic import frame
from pvdrivers.transport.loopback import Loopback, machine
from pvdrivers.xenbus import NET_BACK, Role
from pvdrivers.xenstore.client import XenStoreError
from xentool.tools.transports.loopbacks import GUEST

BACK = 0
SPOT = Spot("vif", "uvif", BACK, GUEST, 0)
_MAC = "00:16:3e:00:00:02"


@dataclass
class Counts:
    """What one end has counted since it began.

    :param made: frames, by its lane
    :param frames: that reached its lane
    :param latencies: from which nanoseconds, to which on, how often
    :param statistics: its driver's
    """

    made: int = 0
    frames: int = 0
    bytes: int = 0
    latencies: list[tuple[int, int, int]] = field(default_factory=list)
    longest: int = 0
    statistics: dict[str, int] = field(default_factory=dict)

    def since(self, base: "Counts") -> "Counts":
        """Give what was counted since then; latencies are not, and stay."""
        return replace(
            self,
            made=self.made - base.made,
            frames=self.frames - base.frames,
            bytes=self.bytes - base.bytes,
            statistics={name: number - base.statistics.get(name, 0) for name, number in self.statistics.items()},
        )


def count(lane: LoadLane | EchoLane, statistics: dict[str, int]) -> Counts:
    """Tell what a lane, and the driver that it belongs to, have counted."""
    if isinstance(lane, EchoLane):
        return Counts(0, lane.returned, lane.bytes_returned, statistics=statistics)
    return Counts(lane.made, lane.counted, lane.bytes_counted, lane.latencies(), lane.longest, statistics)


def main(directory: Path, *, size: int, gso: bool, direction: str, depth: int) -> None:
    """Serve until the input ends.

    :raises DriverError: it cannot
    :raises XenStoreError: likewise
    """
    made = frame(size, gso=gso)
    port: LoadPort[LoadLane] | LoadPort[EchoLane]
    if direction == "both":
        port = LoadPort(lambda: EchoLane(depth, size), made)
    else:
        port = LoadPort(lambda: LoadLane(made, lot=depth), made if direction == "rx" else None)
    with machine(directory, [BACK, GUEST]), Loopback(directory, BACK) as transport:
        plug(transport.store, SPOT, {"handle": 0, "mac": _MAC}, {"handle": 0, "mac": _MAC})
        device = Backend(transport, SPOT, port)
        end = End(transport.store, SPOT.back, SPOT.front, device, role=Role.BACK, table=NET_BACK, log=_say)
        end.start()
        print(directory, flush=True)  # noqa: T201 - to the process that has started this one
        for line in sys.stdin:
            (lane,) = port.lanes
            word = line.strip()
            if word == "count":
                print(json.dumps(asdict(count(lane, device.statistics()))), flush=True)  # noqa: T201 - likewise
            elif isinstance(lane, LoadLane):
                getattr(lane, word)()
        end.stop()
        end.join()


def run(told: str) -> None:
    """Be the far process of a load.

    :param told: what `main` takes by name, as JSON
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="xentool-bench-") as made:
        try:
            main(Path(made), **json.loads(told))
        except (DriverError, XenStoreError) as error:
            sys.exit(f"xentool: the far end: {error}")


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - likewise


if __name__ == "__main__":
    run(sys.argv[1])
