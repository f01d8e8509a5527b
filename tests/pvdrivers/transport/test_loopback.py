"""The loopback: the contract, and what becomes of processes that die, ask nonsense, or ask too much."""

import errno
import mmap
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.complaints import RETRY
from pvdrivers.errors import MachineError, NotGranted, NotOffered
from pvdrivers.transport.base import Piece
from pvdrivers.transport.loopback import Loopback, Machine, machine
from pvdrivers.transport.loopback.calls import Call, address, receive
from pvdrivers.transport.loopback.hypervisor import GREFS, GREFS_RESERVED, InUse
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.transport.contract import CASES, Ends, descriptors

BACK, FRONT, STRANGER = 0, 5, 6
NOTHING = InUse(0, 0, 0)


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path, [BACK, FRONT, STRANGER]) as running:
        yield running


@pytest.fixture
def ends(loopback: Machine) -> Iterator[Ends]:
    directory = loopback.directory
    with Loopback(directory, FRONT) as front, Loopback(directory, BACK) as back:
        yield Ends(front, back, STRANGER, lambda: Loopback(directory, FRONT))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.removeprefix("case_"))
def test_contract(case: object, ends: Ends, loopback: Machine) -> None:
    assert callable(case)
    case(ends)
    assert loopback.hypervisor.in_use(FRONT) == loopback.hypervisor.in_use(BACK) == NOTHING


FRONTEND = """
import sys, time
from contextlib import suppress
from pathlib import Path
from pvdrivers.transport.loopback import Loopback
front = Loopback(Path(sys.argv[1]), 5)
granted = front.grant(0, 2)
granted.memory[:5] = b"hello"
channel = front.alloc_unbound(0)
print(*granted.grefs, channel.port, flush=True)
channel.wait()
granted.memory[:5] = b"again"
channel.notify()
time.sleep(60)
"""


def test_another_process_and_its_death(loopback: Machine) -> None:
    argv = [sys.executable, "-c", FRONTEND, str(loopback.directory)]
    with (
        Loopback(loopback.directory, BACK) as back,
        subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as frontend,
    ):
        assert frontend.stdout
        *grefs, port = map(int, frontend.stdout.readline().split())
        mapped, channel = back.map(FRONT, grefs), back.bind_interdomain(FRONT, port)
        assert bytes(mapped.memory[:5]) == b"hello"
        # The first may come for no cause.
        while bytes(mapped.memory[:5]) != b"again":
            channel.notify()
            if channel.wait(5):
                channel.unmask()
        frontend.send_signal(signal.SIGKILL)
        frontend.wait()
        # What it had granted is mapped still, and cannot be mapped again.
        while loopback.hypervisor.in_use(FRONT) != NOTHING:
            pass
        assert bytes(mapped.memory[:5]) == b"again"
        with pytest.raises(NotGranted):
            back.map(FRONT, grefs)
        here = memoryview(bytearray(5))
        assert back.copy_from(FRONT, [Piece(grefs[0], 0, 0, 5)], here) == [-3]
        with pytest.raises(NotOffered):
            back.bind_interdomain(FRONT, port)
        channel.notify()


def test_there_is_no_such_machine_or_domain(loopback: Machine, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"no domain 7 of a loopback in .*: No such file"):
        Loopback(loopback.directory, 7)
    with pytest.raises(MachineError, match="no loopback in /nowhere"), machine(Path("/nowhere"), [0]):
        pass
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    before = descriptors()
    with pytest.raises(MachineError, match="path too long"), machine(deep, [0]):
        pass
    assert descriptors() == before


def test_a_machine_that_is_gone(tmp_path: Path) -> None:
    with machine(tmp_path, [0, 1]):
        domain = Loopback(tmp_path, 1)
    with pytest.raises(MachineError, match=r"the loopback in .* is gone"):
        domain.grant(0)
    domain.close()
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_a_machine_is_told_and_another_one_can_follow(tmp_path: Path) -> None:
    told: list[MachineError] = []
    with machine(tmp_path, [BACK, FRONT]):
        front, back = Loopback(tmp_path, FRONT), Loopback(tmp_path, BACK)
        channel = front.alloc_unbound(BACK)
        other = back.bind_interdomain(FRONT, channel.port)
        old = front.grant(BACK)
        here = memoryview(bytearray(4))
        assert back.copy_from(FRONT, [Piece(old.grefs[0], 0, 0, 4)], here) == [0]
        assert (front.gone, back.gone) == (None, None)

        def wait() -> None:
            # Once woken at binding, as Xen has it, it may wait for ever.
            try:
                while True:
                    channel.wait()
                    channel.unmask()
            except MachineError as error:
                told.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
    waiting.join()
    assert str(front.gone) == str(told[0]) == f"the loopback in {tmp_path} is gone: its process has ended"
    for end in (channel, other):
        while not select.select([end], [], [], 600)[0]:
            pass
        with pytest.raises(MachineError, match="is gone"):
            end.wait()
        end.notify()
    with pytest.raises(MachineError, match="is gone"):
        back.alloc_unbound(FRONT)
    with machine(tmp_path, [BACK, FRONT]) as second:
        new = front.grant(BACK)
        new.memory[:4] = b"here"
        assert front.gone is None
        assert back.alloc_unbound(FRONT).port
        assert back.copy_from(FRONT, [Piece(new.grefs[0], 0, 0, 4)], here) == [0]
        assert bytes(here) == b"here"
        # What the other machine gave is given back to nobody.
        old.revoke()
        channel.close()
        assert second.hypervisor.in_use(FRONT) == InUse(1, 0, 0)
        front.close()
        back.close()
    other.close()


def test_grants_end_as_xens_do(ends: Ends) -> None:
    all_of_them = ends.front.grant(BACK, GREFS - GREFS_RESERVED)
    with pytest.raises(MachineError, match="no 1 pages to be granted"):
        ends.front.grant(BACK)
    all_of_them.revoke()
    ends.front.grant(BACK).revoke()


def test_a_read_only_grant_is_so_in_the_kernel(ends: Ends, loopback: Machine) -> None:
    granted = ends.front.grant(BACK, writable=False)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as domain:
        domain.connect(str(address(loopback.directory, BACK)))
        domain.send(array("I", [Call.OPEN, FRONT, granted.grefs[0]]).tobytes())
        words, (fd,) = receive(domain)
        assert words[2:] == [1, 0]
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(fd, b"x")
        with pytest.raises(PermissionError):
            mmap.mmap(fd, PAGE_SIZE)
        os.close(fd)


@pytest.mark.parametrize(
    "words",
    [
        [],
        [0],
        [99],
        [Call.GRANT],
        [Call.GRANT, BACK, 1, 0],
        [Call.GRANT, BACK, 1, 1 << 31],
        [Call.REVOKE, 1],
        [Call.MAP, FRONT, 1, *range(200)],
        [Call.UNMAP, 7],
        [Call.TABLE, 99],
        [Call.OPEN, 99, 8],
        [Call.ALLOC_UNBOUND, BACK, 0],
        [Call.CLOSE, 0],
    ],
)
def test_nonsense_is_refused(words: list[int], loopback: Machine) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as domain:
        domain.connect(str(address(loopback.directory, FRONT)))
        domain.send(array("I", words).tobytes() or b"odd")
        answer, fds = receive(domain)
        assert len(answer) == 1
        assert answer[0] in errno.errorcode
        assert fds == []
        # And what makes sense is done still.
        domain.send(array("I", [Call.GRANT, BACK, 1, 1]).tobytes())
        answer, (fd,) = receive(domain)
        assert answer[0] == 0
        assert os.fstat(fd).st_size == PAGE_SIZE
        os.close(fd)


def test_who_does_not_take_replies_is_let_go(loopback: Machine) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as domain:
        domain.connect(str(address(loopback.directory, FRONT)))
        with suppress(ConnectionError):
            while True:
                domain.send(array("I", [Call.GRANT, 0, 1, 1]).tobytes())
    while loopback.hypervisor.in_use(FRONT) != NOTHING:
        pass
    with Loopback(loopback.directory, FRONT) as front:
        front.grant(BACK)


def test_what_one_has_another_cannot_give_back(ends: Ends, loopback: Machine) -> None:
    ends.front.grant(BACK)
    channel = ends.front.alloc_unbound(BACK)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as domain:
        domain.connect(str(address(loopback.directory, FRONT)))
        for call, number in ((Call.REVOKE, 1), (Call.CLOSE, channel.port)):
            domain.send(array("I", [call, number]).tobytes())
            assert receive(domain)[0] != [0]
    assert loopback.hypervisor.in_use(FRONT) == InUse(1, 0, 1)


def test_nothing_is_left_open(tmp_path: Path) -> None:
    left = []
    for _ in range(3):
        with machine(tmp_path, [BACK, FRONT]), Loopback(tmp_path, FRONT) as front, Loopback(tmp_path, BACK) as back:
            granted = front.grant(BACK)
            back.map(FRONT, granted.grefs)
            back.copy_from(FRONT, [Piece(granted.grefs[0], 0, 0, 1)], memoryview(bytearray(1)))
            back.bind_interdomain(FRONT, front.alloc_unbound(BACK).port)
            assert front.store.read("domid") == b"5"
        left.append(descriptors())
    assert left[0] == left[1] == left[2]


def test_a_machine_without_descriptors_waits_for_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    tried: list[int] = []
    right = Machine._accept

    def accept(self: Machine, listening: socket.socket, domid: int) -> None:
        tried.append(domid)
        right(self, listening, domid)

    monkeypatch.setattr(Machine, "_accept", accept)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (
        machine(tmp_path, [BACK, FRONT], lines.append),
        Loopback(tmp_path, BACK) as back,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as late,
    ):
        back.alloc_unbound(FRONT).close()
        tried.clear()
        resource.setrlimit(resource.RLIMIT_NOFILE, (late.fileno() + 1, limit[1]))
        full: list[int] = []
        try:
            with suppress(OSError):
                while True:
                    full.append(os.dup(late.fileno()))
            late.connect(str(address(tmp_path, FRONT)))
            until(lambda: lines)
            # Meanwhile it answers those who are there: without descriptors, that it has none.
            began = time.monotonic()
            for _ in range(200):
                with pytest.raises(MachineError, match="Too many open files"):
                    back.alloc_unbound(FRONT)
            # Once at first, and then every so often.
            assert len(tried) <= 2 + (time.monotonic() - began) / RETRY
        finally:
            for fd in full:
                os.close(fd)
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        late.sendall(array("I", [Call.ALLOC_UNBOUND, BACK]).tobytes())
        (code, *_), fds = receive(late)
        for fd in fds:
            os.close(fd)
        assert code == 0
    assert lines == ["no room for another connection: Too many open files; those who connect wait"]
