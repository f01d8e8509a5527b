"""What is counted of a load, by ends that stand in for a backend and a process."""

import json
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from pvdrivers.net.frame import PLAIN, Frame
from pvdrivers.net.load.lanes import LoadLane
from pvdrivers.net.load.traffic import frame
from tests.bench.polling import polling
from xentool.tools.net import far, measure
from xentool.tools.net.far import Counts

MADE = frame(64, gso=False)
STRANGE = Frame(bytes(100), PLAIN)


class Device:
    """A frontend that has received what its lane has."""

    def __init__(self, lane: LoadLane) -> None:
        self._lane = lane

    def statistics(self) -> dict[str, int]:
        return {"rx_packets": self._lane.counted, "rx_slots": self._lane.counted, "tx_packets": 0, "tx_slots": 0}


class Stranger:
    """A far end that sends all the time, while it is asked as well."""

    tells = False

    def __init__(self, lane: LoadLane) -> None:
        self._lane = lane

    def tell(self, word: str) -> None:
        pass

    def count(self) -> Counts:
        self._lane.send([STRANGE] * 50)
        return Counts(statistics={"notifications_sent": self._lane.counted // 10})


def test_what_a_stranger_sends_is_counted_while_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(LoadLane(MADE)) as lane:
        monkeypatch.setattr(time, "sleep", lambda _: lane.send([STRANGE] * 3))
        load = measure.Load(direction="rx", seconds=0.1)
        found = measure._Run(load, lane, Device(lane), Stranger(lane)).measured()  # type: ignore[arg-type] # stands in
    assert (found.frames, found.bytes, found.sent) == (3, 300, 0)
    # What both ends counted is of the same time, though a longer one.
    assert (found.packets, found.notifications) == (53, 5)


def test_counts_since_others() -> None:
    base = Counts(1, 2, 30, [], 7, {"syscalls": 4})
    now = Counts(11, 22, 330, [(1, 2, 3)], 8, {"syscalls": 6, "new": 1})
    assert now.since(base) == Counts(10, 20, 300, [(1, 2, 3)], 8, {"syscalls": 2, "new": 1})


def test_the_far_process_ends_with_its_input_alone_and_leaves_nothing() -> None:
    told = {"size": 64, "gso": False, "direction": "tx", "depth": 1}
    argv = [sys.executable, "-m", far.__name__, json.dumps(told)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        place = Path(process.stdout.readline().strip())
        assert list(place.glob("*.store"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(number)
        assert process.communicate(timeout=60) == ("", "")
    assert (process.returncode, place.exists()) == (0, False)


def test_ends_that_look_on_send_back_what_comes() -> None:
    with polling():
        found = measure.measure(measure.Load(seconds=0.1, direction="both", depth=1))
    assert found["frames"] == found["sent"] > 0
    assert found["latency_us"]["p50"] > 0
