"""A backend and a frontend of ours, on a loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pvdrivers.bus.end import End
from pvdrivers.bus.journal import Journal
from pvdrivers.bus.toolstack import Spot, plug
from pvdrivers.net.back.backend import OFFER, Backend
from pvdrivers.net.front import frontend
from pvdrivers.net.nodes import Offer
from pvdrivers.net.ports.base import Port
from pvdrivers.transport.loopback import Loopback, Machine, machine
from pvdrivers.xenbus import NET_BACK, Role
from tests.pvdrivers.net.lanes import TestsPort

BACK, GUEST = 0, 5
SPOT = Spot("vif", "uvif", BACK, GUEST, 0)
MAC = "00:16:3e:01:02:03"


@dataclass
class Bench:
    """A machine with a vif's nodes, and what is run on it."""

    machine: Machine
    dom0: Loopback
    guest: Loopback
    there: TestsPort = field(default_factory=TestsPort)
    here: TestsPort = field(default_factory=TestsPort)
    lines: list[str] = field(default_factory=list)
    device: Backend | None = None
    #: Seconds since the beginning, by which a frontend stalls.
    now: float = 0.0

    def passes(self, seconds: float) -> None:
        """Let time pass, as the backend sees it."""
        self.now += seconds

    @contextmanager
    def backend(self, offered: Offer = OFFER, port: Port | None = None, journal: Path | None = None) -> Iterator[End]:
        kept = Journal(journal, SPOT) if journal else None
        self.device = Backend(self.dom0, SPOT, port or self.there, offered, clock=lambda: self.now, journal=kept)
        end = End(
            self.dom0.store, SPOT.back, SPOT.front, self.device, role=Role.BACK, table=NET_BACK, log=self.lines.append
        )
        end.start()
        try:
            yield end
        finally:
            end.stop()
            end.join()

    @contextmanager
    def frontend(self, options: frontend.Options | None = None) -> Iterator[End]:
        with frontend.joined(self.guest, SPOT.front, self.here, options) as end:
            yield end


@contextmanager
def bench(directory: Path, **nodes: str | int) -> Iterator[Bench]:
    with (
        machine(directory, [BACK, GUEST]) as running,
        Loopback(directory, BACK) as dom0,
        Loopback(directory, GUEST) as guest,
    ):
        plug(dom0.store, SPOT, {"handle": 0, "mac": MAC, **nodes}, {"handle": 0, "mac": MAC})
        yield Bench(running, dom0, guest)
