"""A queue of ours at either end of two rings, on a loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pvdrivers.net.back.backqueue import BackQueue
from pvdrivers.net.front.frontqueue import PAGES, FrontQueue
from pvdrivers.net.watched import Watched
from pvdrivers.transport.loopback import Loopback, Machine
from pvdrivers.transport.loopback.hypervisor import InUse
from tests.pvdrivers.net.lanes import STUCK, TestsLane

BACK, FRONT = 0, 5


@dataclass
class Ends:
    """What is run, each in a thread."""

    dom0: Loopback
    guest: Loopback
    front: FrontQueue
    front_lane: TestsLane
    back: BackQueue | None = None
    back_lane: TestsLane | None = None
    thread: threading.Thread | None = None

    def join(
        self, *, headroom: int = 0, resume: bool = False, number: int = 0, seen: Watched | None = None
    ) -> TestsLane:
        """Begin the backend's queue; give its lane."""
        self.back_lane = TestsLane()
        rings = [self.dom0.map(FRONT, grefs) for grefs in self.front.grefs]
        channels = [self.dom0.bind_interdomain(FRONT, port) for port in self.front.ports]
        self.back = BackQueue(
            self.dom0,
            FRONT,
            rings,
            channels,
            self.back_lane,
            headroom=headroom,
            resume=resume,
            number=number,
            seen=seen,
        )
        self.thread = threading.Thread(target=self.back.run, daemon=True)
        self.thread.start()
        return self.back_lane

    def part(self, *, drain: bool = True) -> None:
        """End the backend's queue."""
        assert self.back
        assert self.thread
        self.back.stop(drain=drain)
        self.thread.join(STUCK)
        assert not self.thread.is_alive()


@contextmanager
def ends(machine: Machine, *, split: bool = True, pages: int = PAGES) -> Iterator[Ends]:
    """Run a frontend's queue; the backend's is begun by `Ends.join`. Both give all back."""
    with Loopback(machine.directory, BACK) as dom0, Loopback(machine.directory, FRONT) as guest:
        lane = TestsLane()
        front = FrontQueue(guest, BACK, lane, split=split, pages=pages)
        made = Ends(dom0, guest, front, lane)
        thread = threading.Thread(target=front.run, daemon=True)
        thread.start()
        yield made
        if made.back:
            made.part()
        front.stop()
        thread.join(STUCK)
        assert not thread.is_alive()
        assert lane.closed
        assert made.back_lane is None or made.back_lane.closed
        for domid in (BACK, FRONT):
            assert machine.hypervisor.in_use(domid) == InUse(0, 0, 0)
