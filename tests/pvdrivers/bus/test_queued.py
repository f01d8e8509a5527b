"""Several queues of a device: begun all or none, ended with what they have counted; one that breaks breaks alone."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from pvdrivers.bus.queued import Queued, Sums
from pvdrivers.errors import BadRing, DriverError, MachineError


@dataclass(slots=True)
class Counts(Sums):
    packets: int = 0
    bytes_sent: int = 0


@dataclass(eq=False)
class Queue:
    """Runs until it is stopped, or breaks at once."""

    stats: Counts
    breaks: DriverError | None = None
    busy: int = 0
    error: DriverError | None = None
    log: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        self.log.append("run")
        self.error = self.breaks
        if not self.error:
            self.stopped.wait()

    def stop(self) -> None:
        self.log.append("stop")
        self.stopped.set()

    def close(self) -> None:
        self.log.append("close")


class Faults:
    """Takes note of what a device is told."""

    def __init__(self) -> None:
        self.told: list[tuple[DriverError, bool]] = []
        self.heard = threading.Event()

    def __call__(self, error: DriverError, *, fatal: bool = False) -> None:
        self.told.append((error, fatal))
        self.heard.set()


def test_what_was_done_is_summed_up_over_queues_and_lives() -> None:
    queued = Queued(Counts())
    queues = [Queue(Counts(1, 10), busy=2), Queue(Counts(2, 20), busy=3)]
    queued.begin(queues, Faults())
    assert (len(queued), queued.busy) == (2, 5)
    assert queued.statistics() == {"packets": 3, "bytes_sent": 30}
    queued.part()
    assert (len(queued), queued.busy) == (0, 0)
    assert [queue.log for queue in queues] == [["run", "stop"]] * 2
    queued.begin([Queue(Counts(4, 0))], Faults())
    assert queued.statistics() == {"packets": 7, "bytes_sent": 30}
    queued.part()


def test_a_mistake_of_ours_is_told_and_takes_one_queue_alone() -> None:
    class Mistaken(Queue):
        def run(self) -> None:
            raise IndexError("3 of 2")

    queued, faults = Queued(Counts()), Faults()
    queued.begin([Mistaken(Counts()), sound := Queue(Counts(1, 10))], faults)
    assert faults.heard.wait(600)
    ((error, fatal),) = faults.told
    assert (type(error), str(error), fatal) == (MachineError, "a mistake in this driver: IndexError: 3 of 2", False)
    assert not sound.stopped.is_set()
    queued.part()
    assert queued.statistics() == {"packets": 1, "bytes_sent": 10}


def test_only_what_has_changed_is_news() -> None:
    queued, queue = Queued(Counts()), Queue(Counts(1, 0))
    assert queued.news() == {"statistics/packets": 0, "statistics/bytes-sent": 0}
    queued.begin([queue], Faults())
    assert queued.news() == {"statistics/packets": 1}
    assert queued.news() == {}
    queue.stats.bytes_sent = 8
    assert queued.news() == {"statistics/bytes-sent": 8}
    queued.part()
    assert queued.news() == {}


def test_one_that_cannot_be_made_leaves_none() -> None:
    made = Queue(Counts(1, 10))

    def queues() -> Iterator[Queue]:
        yield made
        raise MachineError("no more event channels")

    queued = Queued(Counts())
    with pytest.raises(MachineError, match="no more event channels"):
        queued.begin(queues(), Faults())
    assert made.log == ["stop", "close"]
    assert len(queued) == 0


def test_one_that_breaks_tells_why_and_the_others_go_on() -> None:
    queues = [Queue(Counts(1, 10), breaks=BadRing("impossible")), Queue(Counts(2, 20))]
    queued, faults = Queued(Counts()), Faults()
    queued.begin(queues, faults)
    assert faults.heard.wait(600)
    assert faults.told == [(queues[0].breaks, False)]
    assert not queues[1].stopped.is_set()
    assert queued.statistics() == {"packets": 3, "bytes_sent": 30}
    queued.part()
