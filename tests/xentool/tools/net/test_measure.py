"""What is counted of a load, by ends that stand in for a backend and a process."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pvdrivers.bus import toolstack
from pvdrivers.bus.end import End
from pvdrivers.net.frame import PLAIN, Frame
from pvdrivers.net.front import frontend
from pvdrivers.net.load.lanes import LoadLane
from pvdrivers.net.load.traffic import frame
from tests.bench.polling import polling
from tests.pvdrivers.net.pair import GUEST, SPOT, bench
from xentool.errors import XentoolError
from xentool.tools.net import far, measure
from xentool.tools.net.far import Counts
from xentool.tools.transports import loopbacks

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


def test_what_a_stranger_sends_is_counted_while_it_is_measured() -> None:
    with closing(LoadLane(MADE)) as lane:

        def meanwhile(seconds: float) -> bool:
            lane.send([STRANGE] * 3)
            return seconds < 0

        load = measure.Load(direction="rx", seconds=0.1)
        run = measure._Run(load, lane, Device(lane), Stranger(lane), meanwhile)  # type: ignore[arg-type] # stands in
        found = run.measured()
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
        assert process.communicate(timeout=600) == ("", "")
    assert (process.returncode, place.exists()) == (0, False)


def test_ends_that_look_on_send_back_what_comes() -> None:
    with polling():
        found = measure.measure(measure.Load(seconds=0.1, direction="both", depth=1))
    assert found["frames"] == found["sent"] > 0
    assert found["latency_us"]["p50"] > 0


def test_whoever_is_plugged_out_has_not_broken_the_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joined, parts = frontend.joined, End.parts
    monkeypatch.setattr(loopbacks, "GUEST", GUEST)
    load = measure.Load(loopback=str(tmp_path), seconds=86_400)
    with bench(tmp_path) as loop, loop.backend():

        def plug_out() -> None:
            toolstack.part(loop.dom0.store, SPOT)
            assert toolstack.parted(loop.dom0.store, SPOT, 600)
            toolstack.remove(loop.dom0.store, SPOT)

        @contextmanager
        def at_once(*words: object) -> Iterator[End]:
            with joined(*words) as end:  # type: ignore[arg-type] # handed on as they are
                plug_out()
                yield end

        def meanwhile(end: End, timeout: float) -> bool:
            plug_out()
            return parts(end, timeout)

        monkeypatch.setattr(frontend, "joined", at_once)
        with pytest.raises(XentoolError, match=r"^the backend has parted$"):
            measure.measure(load)
        monkeypatch.setattr(frontend, "joined", joined)
    with bench(tmp_path) as loop, loop.backend():
        monkeypatch.setattr(End, "parts", meanwhile)
        with pytest.raises(XentoolError, match=r"^the backend has parted$"):
            measure.measure(load)
