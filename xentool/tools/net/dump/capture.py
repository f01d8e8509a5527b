"""What is shown of vifs → a capture, until somebody has had enough."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from pvdrivers.net.pcapng import Interface, Writer
from xentool.tools.net.dump.client import Watching
from xentool.tools.net.dump.records import End
from xentool.tools.net.dump.words import describe

#: Seconds between looks whether it is enough, and those that a daemon has for what is left.
_LOOK = 0.1
_PARTING = 3.0


@dataclass
class Dumped:
    """What was written.

    :param lost: packets that went by faster than they were taken
    :param gone: whether it was the daemon that ended it
    """

    packets: int = 0
    lost: int = 0
    gone: bool = False


def write(
    watching: Watching, file: BinaryIO, *, count: int | None, seconds: float | None, enough: Callable[[], bool]
) -> Dumped:
    """Write a capture, each packet as soon as it is shown. What was written is a whole file at any time.

    :param count: packets that are enough
    :param seconds: how long
    :param enough: asked again and again
    :raises PeerError: what is shown is no packet
    :raises OSError: as the file does
    """
    names = [f"vif{vif.domid}.{vif.handle}" for vif in watching.vifs]
    writer = Writer(file, [Interface(name) for name in names])
    writer.flush()
    dumped = Dumped()
    deadline = None if seconds is None else time.monotonic() + seconds
    leaving = False
    while not watching.over:
        now = time.monotonic()
        if leaving and deadline is not None and now >= deadline:
            # It does not come back; what it has shown is whole.
            return dumped
        if not leaving and ((deadline is not None and now >= deadline) or enough()):
            watching.leave()
            leaving, deadline = True, now + _PARTING
        left = _LOOK if deadline is None else min(_LOOK, deadline - now)
        for record in watching.take(left):
            dumped.lost += record.lost
            if isinstance(record, End):
                continue
            comment, data = describe(record.seen)
            writer.write(
                record.vif,
                record.time_ns,
                data,
                inbound=record.seen.sent,
                comment=comment,
                queue=record.queue,
                packet_id=record.number,
                dropped=record.lost,
            )
            dumped.packets += 1
            if dumped.packets == count:
                writer.flush()
                return dumped
        writer.flush()
    dumped.gone = not leaving
    return dumped
