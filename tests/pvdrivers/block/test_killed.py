"""A backend killed at any point under load: its successor goes on with the same rings, or the frontend begins anew.

``XENTOOL_FUZZ=1000`` kills so often instead of a few times.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pvdrivers.abi.blkif import X86_64
from pvdrivers.block.front.client import Client
from pvdrivers.errors import BadRing
from pvdrivers.ring import Front, LoggedBack
from pvdrivers.transport.loopback.hypervisor import InUse
from tests.pvdrivers.block.pair import BACK, GUEST, SPOT, Bench, bench
from tests.pvdrivers.bus.joined import until

KILLS = int(os.environ.get("XENTOOL_FUZZ", "6"))
SERVE = """
import signal, sys
from pathlib import Path
from pvdrivers.block.back.backend import Backend, Options
from pvdrivers.block.disks import open_disk
from pvdrivers.bus.journal import Journal
from pvdrivers.bus.end import End
from pvdrivers.transport.loopback import Loopback
from tests.pvdrivers.block.pair import SPOT
loopback, image, journal = sys.argv[1:]
with Loopback(Path(loopback), 0) as dom0:
    kept = Journal(Path(journal), SPOT) if journal else None
    device = Backend(dom0, SPOT, lambda: open_disk(image), Options(), kept)
    end = End(dom0.store, SPOT.back, SPOT.front, device, log=lambda line: print(line, flush=True))
    signal.signal(signal.SIGTERM, lambda *_: end.stop())
    end.start()
    end.join()
"""


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


@contextmanager
def serving(loop: Bench, image: Path, journal: str, end: signal.Signals = signal.SIGKILL) -> Iterator[None]:
    argv = [sys.executable, "-c", SERVE, str(loop.machine.directory), str(image), journal]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield
        finally:
            process.send_signal(end)
            said = process.communicate(timeout=600)[0]
    assert said == ""


def offered(loop: Bench) -> None:
    """Wait for a backend's process: a frontend has only so much patience."""
    until(lambda: loop.dom0.store.read(f"{SPOT.back}/state") == b"2")


class Writer(threading.Thread):
    """Writes each page of its part of the disk again and again, and knows what must be there."""

    def __init__(self, disk: Client, number: int) -> None:
        super().__init__(daemon=True)
        self.disk = disk
        self.rounds = 0
        self.going = True
        self.error: BaseException | None = None
        self.pages = range(number * 64, number * 64 + 64)
        self.answered: dict[int, bytes] = {}

    def run(self) -> None:
        chosen = random.Random(self.pages.start)  # noqa: S311 - test data
        try:
            while self.going:
                page, data = chosen.choice(self.pages), chosen.randbytes(4096)
                self.disk.write(page << 12, data)
                self.answered[page] = data
                if chosen.random() < 0.1:
                    assert self.disk.read(page << 12, 4096) == data
                    self.disk.flush()
                self.rounds += 1
        except BaseException as error:  # noqa: BLE001 - for the test to see
            self.error = error


@pytest.mark.parametrize("journal", ["journal", ""])
def test_nothing_answered_is_lost(loop: Bench, tmp_path: Path, journal: str) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(4 << 20))
    kept = str(tmp_path / journal) if journal else ""
    chosen = random.Random(KILLS)  # noqa: S311 - test data
    with serving(loop, image, kept):
        offered(loop)
        disk_context = loop.disk()
        disk = disk_context.__enter__()
        ring = loop.dom0.store.read(f"{SPOT.front}/ring-ref0")
        writers = [Writer(disk, number) for number in range(8)]
        for writer in writers:
            writer.start()
        until(lambda: all(writer.rounds for writer in writers))
    for _ in range(KILLS):
        rounds = [writer.rounds for writer in writers]
        with serving(loop, image, kept):
            until(lambda: all(writer.rounds > before for writer, before in zip(writers, rounds, strict=True)))  # noqa: B023 - called within this turn
            time.sleep(chosen.uniform(0, 0.1))
    with serving(loop, image, kept, signal.SIGTERM):
        for writer in writers:
            writer.going = False
            writer.join(600)
            assert writer.error is None
        for writer in writers:
            for page, data in writer.answered.items():
                assert disk.read(page << 12, 4096) == data
        # With a journal, the frontend has noticed nothing.
        assert (loop.dom0.store.read(f"{SPOT.front}/ring-ref0") == ring) == bool(journal)
        disk_context.__exit__(None, None, None)
        until(lambda: loop.dom0.store.read(f"{SPOT.back}/state") == b"6")
        # What is not needed any more is gone.
        assert not journal or list(Path(kept).iterdir()) == []
    assert loop.machine.hypervisor.in_use(BACK) == loop.machine.hypervisor.in_use(GUEST) == InUse(0, 0, 0)


def test_two_do_not_serve_one_disk(loop: Bench, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    kept = str(tmp_path / "journal")
    with serving(loop, image, kept, signal.SIGTERM):
        offered(loop)
        with loop.disk() as disk:
            disk.write(0, b"x" * 4096)
            argv = [sys.executable, "-c", SERVE, str(loop.machine.directory), str(image), kept]
            with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as second:
                assert second.stdout
                assert "another process serves this device" in second.stdout.readline()
                second.kill()


def requests(first: int, number: int) -> bytes:
    return b"".join(
        X86_64.request.struct.pack(0, 0, 0, ident, 0, *([0] * 33)) for ident in range(first, first + number)
    )


def responses(idents: list[int]) -> bytes:
    return b"".join(X86_64.response.struct.pack(ident, 0, 0) for ident in idents)


@pytest.mark.parametrize("pages", [1, 4])
@pytest.mark.parametrize("start", [0, 2**32 - 40])
def test_each_request_is_answered_once_whoever_answers(pages: int, start: int) -> None:
    chosen = random.Random(start + pages)  # noqa: S311 - test data
    memory, log = bytearray(pages * 4096), bytearray(LoggedBack.log_size(X86_64.ring, pages))
    front = Front(memory, X86_64.ring, start)
    back = LoggedBack(memory, X86_64.ring, log)
    asked, pending, again = 0, list[int](), set[int]()
    answered: list[int] = []
    for _ in range(3000):
        match chosen.randrange(6):
            case 0 | 1:
                number = chosen.randint(0, front.room)
                front.put(requests(asked, number))
                asked += number
                front.push()
            case 2:
                messages = back.take(chosen.randint(0, 8))
                taken = [fields[3] for fields in X86_64.request.struct.iter_unpack(messages)]
                assert not set(taken) & (set(pending) | set(answered))
                pending += taken
                again -= set(taken)
            case 3:
                # In any order.
                chosen.shuffle(pending)
                some = [pending.pop() for _ in range(chosen.randint(0, len(pending)))]
                back.put(responses(some))
                if chosen.random() < 0.5:
                    back.push()
            case 4:
                back.push()
                answered += [fields[0] for fields in X86_64.response.struct.iter_unpack(front.take())]
            case 5:
                # Killed: what was answered and not pushed, and what was taken, is begun anew.
                answered += [fields[0] for fields in X86_64.response.struct.iter_unpack(front.take())]
                back = LoggedBack(memory, X86_64.ring, log, resume=True)
                pending = []
    assert len(answered) == len(set(answered))
    while len(answered) < asked:
        taken = [fields[3] for fields in X86_64.request.struct.iter_unpack(back.take())]
        back.put(responses(pending + taken))
        pending = []
        back.push()
        answered += [fields[0] for fields in X86_64.response.struct.iter_unpack(front.take())]
    assert sorted(answered) == list(range(asked))


def test_a_log_of_another_ring_is_refused() -> None:
    memory, log = bytearray(4096), bytearray(LoggedBack.log_size(X86_64.ring, 1))
    front = Front(memory, X86_64.ring)
    back = LoggedBack(memory, X86_64.ring, log)
    front.put(requests(0, 3))
    front.push()
    back.take()
    other = bytearray(4096)
    Front(other, X86_64.ring, 7)
    with pytest.raises(BadRing, match="3 requests in the log"):
        LoggedBack(other, X86_64.ring, log, resume=True)
