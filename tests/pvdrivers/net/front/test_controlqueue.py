"""A frontend's control ring, and a backend that answers as the test says."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pvdrivers.abi.netif import CTRL_REQUEST, CTRL_RING, CtrlStatus, CtrlType
from pvdrivers.errors import BadRing, DriverError
from pvdrivers.net.control.front import spread
from pvdrivers.net.control.messages import Request, Response
from pvdrivers.net.errors import BadAnswer
from pvdrivers.net.front.controlqueue import FrontControl
from pvdrivers.net.toeplitz import ALL_TYPES
from pvdrivers.ring import Back
from pvdrivers.transport.base import Piece
from pvdrivers.transport.loopback import Loopback, machine
from pvdrivers.transport.loopback.hypervisor import InUse
from tests.pvdrivers.net.lanes import STUCK

BACK, FRONT = 0, 5
STEPS = spread(ALL_TYPES, b"key", (1, 2, 3))


@dataclass
class Rig:
    """The frontend's end, in its thread, and the ring as the backend has it."""

    dom0: Loopback
    control: FrontControl
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page = self.dom0.map(FRONT, [self.control.gref])
        self.channel = self.dom0.bind_interdomain(FRONT, self.control.port)
        self.ring = Back(self.page.memory, CTRL_RING)
        self.thread = threading.Thread(target=self.control.run, daemon=True)
        self.thread.start()

    def asked(self) -> Request:
        """Wait for a request; there is never more than one."""
        deadline = time.monotonic() + STUCK
        while not (message := self.ring.take()):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert len(message) == CTRL_REQUEST.size
        return Request.parse(message)

    def answer(self, response: Response) -> None:
        self.ring.put(response.pack())
        self.ring.push()
        self.channel.notify()

    def copied(self, gref: int, length: int) -> bytes:
        content = bytearray(length)
        assert self.dom0.copy_from(FRONT, [Piece(gref, 0, 0, length)], memoryview(content)) == [0]
        return bytes(content)

    def ended(self) -> DriverError | None:
        self.thread.join(STUCK)
        assert not self.thread.is_alive()
        return self.control.error


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with machine(tmp_path, [BACK, FRONT]) as running, Loopback(tmp_path, BACK) as dom0, Loopback(tmp_path, FRONT) as at:
        told: list[str] = []
        made = Rig(dom0, FrontControl(at, BACK, lambda error, **_: told.append(str(error))), told)
        yield made
        made.control.stop()
        made.ended()
        assert running.hypervisor.in_use(FRONT) == InUse(0, 0, 0)
        made.ring.release()


def test_steps_are_asked_for_one_after_the_other(rig: Rig) -> None:
    rig.control.ask(STEPS)
    rig.control.ask(STEPS[:1])
    seen = []
    for step in [*STEPS, STEPS[0]]:
        request = rig.asked()
        assert request.type == step.type
        if step.page:
            assert rig.copied(request.data[0], len(step.page)) == step.page
            assert request.data[1:] == step.data[1:]
        else:
            assert request.data == step.data
        seen.append(request.ident)
        rig.answer(Response(request.ident, request.type, CtrlStatus.SUCCESS))
    assert len(set(seen)) == len(seen)
    assert rig.told == []


@pytest.mark.parametrize("status", [status for status in CtrlStatus if status is not CtrlStatus.SUCCESS])
def test_a_refused_wish_is_given_up_and_the_next_is_asked_for(rig: Rig, status: CtrlStatus) -> None:
    rig.control.ask(STEPS)
    rig.control.ask(STEPS[2:])
    request = rig.asked()
    rig.answer(Response(request.ident, request.type, status))
    assert rig.asked().type == STEPS[2].type
    assert rig.told == [f"the backend refuses SET_HASH_ALGORITHM: {status.name}"]


@pytest.mark.parametrize(("shift", "kind", "status"), [(1, 0, 0), (0, 1, 0), (0, 0, 4), (0, 0, 0xFFFFFFFF)])
def test_an_answer_that_is_none_ends_it(rig: Rig, shift: int, kind: int, status: int) -> None:
    rig.control.ask(STEPS)
    request = rig.asked()
    rig.answer(Response(request.ident + shift, request.type + kind, status))
    assert isinstance(rig.ended(), BadAnswer)


def test_answers_to_what_nobody_asked_end_it(rig: Rig) -> None:
    rig.page.memory[8:12] = (1).to_bytes(4, "little")
    rig.channel.notify()
    assert isinstance(rig.ended(), BadRing)


def test_a_backend_that_does_not_answer_holds_up_nobodys_end(rig: Rig) -> None:
    rig.control.ask(STEPS)
    assert rig.asked().type == CtrlType.SET_HASH_ALGORITHM
    assert rig.control.busy == 1
    rig.control.stop()
    assert rig.ended() is None
