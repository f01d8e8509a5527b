"""How a queue of any device waits: it is woken by each of its channels, and by its own threads, and hears no noise."""

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pvdrivers.abi.blkif import X86_64
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.back.stats import Stats
from pvdrivers.ring import Back, Front
from pvdrivers.ring.waiting import Besides, Waiting
from pvdrivers.transport.loopback import Loopback, Machine, machine

BACK, FRONT = 0, 5
REQUEST = bytes(X86_64.request.size)
RESPONSE = bytes(X86_64.response.size)
#: Seconds after which nobody comes any more.
STUCK = 600.0


class Two:
    """A queue of two rings, which answers all that it is asked.

    :param unwanted: a ring whose requests are not worth being woken for
    """

    def __init__(self, place: Machine, channels: int, unwanted: int = -1) -> None:
        self.front, self.back = Loopback(place.directory, FRONT), Loopback(place.directory, BACK)
        pages = [self.front.grant(BACK) for _ in range(2)]
        self.rings = [Front(page.memory, X86_64.ring) for page in pages]
        self.backs = [Back(self.back.map(FRONT, page.grefs).memory, X86_64.ring) for page in pages]
        self.ends = [self.front.alloc_unbound(BACK) for _ in range(channels)]
        self.channels = [self.back.bind_interdomain(FRONT, end.port) for end in self.ends]
        self.counts = Stats()
        lines = [(ring, self.channels[number % channels]) for number, ring in enumerate(self.backs)]
        self.waiting = Waiting(*lines, counts=self.counts, wanted=lambda line: int(line != unwanted))
        self.under_way = 0
        self.thread = threading.Thread(target=self.waiting.run, args=[self.turn, lambda: self.under_way], daemon=True)

    def turn(self) -> bool:
        done = False
        for line, ring in enumerate(self.backs):
            if messages := self.waiting.take(ring.size, line):
                number = len(messages) // len(REQUEST)
                self.waiting.send(RESPONSE * number, line)
                done = True
        return done

    def ask(self, line: int) -> None:
        """Put a request, and wait for its answer."""
        end = self.ends[line % len(self.ends)]
        self.rings[line].put(REQUEST)
        if self.rings[line].push():
            end.notify()
        while not self.rings[line].take():
            if not self.rings[line].final_check():
                assert end.wait(STUCK)
                end.unmask()

    def end(self) -> None:
        self.thread.join(STUCK)
        assert not self.thread.is_alive()


@contextmanager
def two(place: Machine, channels: int, unwanted: int = -1) -> Iterator[Two]:
    made = Two(place, channels, unwanted)
    yield made
    for ring in (*made.rings, *made.backs):
        ring.release()
    made.waiting.close()
    made.front.close()
    made.back.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path, [BACK, FRONT]) as made:
        yield made


@pytest.mark.parametrize("channels", [1, 2])
def test_each_ring_is_heard_by_its_own_channel_or_the_common_one(channels: int, place: Machine) -> None:
    with two(place, channels) as made:
        made.thread.start()
        for _ in range(50):
            made.ask(0)
            made.ask(1)
            made.ask(1)
        made.waiting.stop(drain=True)
        made.end()
        assert made.counts.syscalls >= made.counts.notifications_sent + made.counts.notifications_received


def test_what_nothing_is_waited_for_is_taken_with_the_rest(place: Machine) -> None:
    with two(place, 2, unwanted=1) as made:
        made.thread.start()
        # As rings begin, the first is told of.
        made.ask(1)
        made.rings[1].put(REQUEST * 3)
        assert not made.rings[1].push()
        made.ask(0)
        assert made.rings[1].poll(int(STUCK * 1e6))
        assert len(made.rings[1].take()) == 3 * len(RESPONSE)
        made.waiting.stop(drain=True)
        made.end()


@pytest.mark.parametrize(("drain", "answered"), [(True, [32, 3]), (False, [0, 0])])
def test_whoever_stops_takes_what_is_there_or_nothing(drain: bool, answered: list[int], place: Machine) -> None:
    with two(place, 1) as made:
        for line, number in enumerate((32, 3)):
            made.rings[line].put(REQUEST * number)
            made.rings[line].push()
        made.waiting.stop(drain=drain)
        made.thread.start()
        made.end()
        assert [len(ring.take()) // len(RESPONSE) for ring in made.rings] == answered


def test_what_is_asked_and_stopped_between_two_looks_is_taken(place: Machine) -> None:
    with two(place, 1) as made:
        looks = 0

        def turn() -> bool:
            nonlocal looks
            done, looks = made.turn(), looks + 1
            if looks == 1:
                # After it has found nothing.
                made.rings[0].put(REQUEST * 3)
                made.rings[0].push()
                made.waiting.stop(drain=True)
            return done

        made.waiting.run(turn, lambda: 0)
        assert len(made.rings[0].take()) == 3 * len(RESPONSE)


def test_it_ends_only_when_nothing_is_under_way(place: Machine) -> None:
    with two(place, 1) as made:
        made.under_way = 1
        made.waiting.stop(drain=True)
        made.thread.start()
        made.waiting.wake()
        made.thread.join(0.01)
        assert made.thread.is_alive()
        made.under_way = 0
        made.waiting.wake()
        made.end()


def test_what_a_former_life_may_not_have_said_is_said_again(place: Machine) -> None:
    with two(place, 2) as made:
        lines = list(zip(made.backs, made.channels, strict=True))
        successor = Waiting(*lines, counts=made.counts, owes=True)
        successor.stop(drain=False)
        successor.run(lambda: False, lambda: 0)
        successor.close()
        assert [end.wait(STUCK) for end in made.ends] == [True, True]
        assert made.counts == Stats()


def test_nobody_is_woken_after_the_end(place: Machine) -> None:
    with two(place, 1) as made:
        lines = list(zip(made.backs, made.channels, strict=False))
        waiting = Waiting(*lines, counts=made.counts)
        waiting.close()
        assert waiting.fileno() == -1
        waiting.wake()
        waiting.stop(drain=False)


def test_another_descriptor_ends_a_sleep_where_it_is_waited_for(place: Machine) -> None:
    wanted, heard, turns = threading.Event(), threading.Event(), 0
    source = os.eventfd(1, os.EFD_NONBLOCK)

    def turn() -> bool:
        nonlocal turns
        turns += 1
        if wanted.is_set() and select.select([source], [], [], 0)[0]:
            os.eventfd_read(source)
            heard.set()
        return False

    with two(place, 1) as made:
        lines = list(zip(made.backs, made.channels, strict=False))
        waiting = Waiting(*lines, counts=made.counts, besides=lambda: Besides(source if wanted.is_set() else -1))
        thread = threading.Thread(target=waiting.run, args=[turn, lambda: 0], daemon=True)
        thread.start()
        for _ in range(3):
            waiting.wake()
        assert not heard.is_set()
        wanted.set()
        waiting.wake()
        assert heard.wait(STUCK)
        heard.clear()
        os.eventfd_write(source, 1)
        assert heard.wait(STUCK)
        waiting.stop(drain=False)
        thread.join(STUCK)
        assert not thread.is_alive()
        # While it was readable and not waited for, it ended no sleep.
        assert turns < 50
        waiting.close()
    os.close(source)


def test_a_frontends_queue_waits_for_answers(place: Machine) -> None:
    taken: list[bytes] = []
    with two(place, 2) as made:
        made.thread.start()
        waiting = Waiting(*zip(made.rings, made.ends, strict=True), counts=made.counts)

        def turn() -> bool:
            found = [waiting.take(32, line) for line in (0, 1)]
            taken.extend(filter(None, found))
            if len(b"".join(taken)) == 5 * len(RESPONSE):
                waiting.stop(drain=False)
            return any(found)

        waiting.send(REQUEST * 3, 0)
        waiting.send(REQUEST * 2, 1)
        waiting.run(turn, lambda: 0)
        waiting.close()
        made.waiting.stop(drain=True)
        made.end()
    assert sum(map(len, taken)) == 5 * len(RESPONSE)


def test_a_sleep_is_no_longer_than_it_may_be(place: Machine) -> None:
    turns = 0

    def turn() -> bool:
        nonlocal turns
        turns += 1
        if turns == 5:
            waiting.stop(drain=False)
        return False

    with two(place, 1) as made:
        lines = list(zip(made.backs, made.channels, strict=False))
        waiting = Waiting(*lines, counts=made.counts, besides=lambda: Besides(seconds=0.001))
        waiting.run(turn, lambda: 0)
        waiting.close()


class Noisy:
    """A channel that is notified whenever somebody looks."""

    port = 1

    def __init__(self) -> None:
        self._fd = os.eventfd(1, os.EFD_NONBLOCK)
        self.taken = 0

    def fileno(self) -> int:
        return self._fd

    def notify(self) -> None:
        pass

    def take(self) -> bool:
        self.taken += 1
        return True

    def wait(self, timeout: float | None = None) -> bool:
        raise NotImplementedError

    def unmask(self) -> None:
        pass

    def close(self) -> None:
        os.close(self._fd)


def test_who_notifies_for_nothing_is_heard_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it has something to say: then it is heard at once again."""
    channel = Noisy()
    page = memoryview(bytearray(PAGE_SIZE))
    front = Front(page, X86_64.ring)
    ring = Back(page, X86_64.ring)
    waiting = Waiting((ring, channel), counts=Stats())
    # By how many notifications were taken: the seconds for which no more are.
    deaf: list[tuple[int, float | None]] = []

    def hear(seconds: float | None) -> bool:
        deaf.append((channel.taken, seconds))
        return False

    def turn() -> bool:
        if channel.taken == 40 and front.room == front.size:
            front.put(REQUEST)
            front.push()
        if channel.taken == 60:
            waiting.stop(drain=False)
        return bool(waiting.take(32))

    monkeypatch.setattr(waiting, "hear", hear)
    waiting.run(turn, lambda: 0)
    # A few cost nothing; then twice as long each time, up to a tenth of a second.
    before = [seconds for taken, seconds in deaf if taken < 40]
    assert before[:7] == [0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.1]
    assert set(before[7:]) == {0.1}
    assert min(taken for taken, _ in deaf) == 9
    after = [taken for taken, _ in deaf if taken >= 41]
    assert min(after) == 40 + 9
    waiting.close()
    channel.close()
    front.release()
    ring.release()
