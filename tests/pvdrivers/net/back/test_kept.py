"""How packets are steered, kept for a successor: all of it, whole at any moment, and of this frontend's life alone."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import TCP
from scapy.utils import wrpcap

from pvdrivers.abi.netif import CtrlStatus, CtrlType, ExtraType, HashAlgorithm, HashType, NetifRsp, TxFlag
from pvdrivers.abi.xenbus import XenbusState
from pvdrivers.bus.nodes import Peer
from pvdrivers.net.back.kept import SIZE, KeptSteering
from pvdrivers.net.control.back import MAPPING_MAX
from pvdrivers.net.control.messages import Request
from pvdrivers.net.frame import FlowHash, Frame
from pvdrivers.net.headers import parse
from pvdrivers.net.packet import rx_front
from pvdrivers.net.steering import Steering
from pvdrivers.net.toeplitz import ALL_TYPES, KEY_SIZE, Toeplitz, flow_hash
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.bare import Bare
from tests.pvdrivers.net.frames import frame, taken_apart
from tests.pvdrivers.net.messages import answers, multicast, sent, wide
from tests.pvdrivers.net.pair import BACK, SPOT, Bench, bench

QUEUES = 8
KEY = bytes(range(1, KEY_SIZE + 1))
TCP_FRAME = frame("untagged", "ipv4", TCP(sport=1, dport=2), b"content")
GROUP, OTHER = bytes.fromhex("333300000001"), bytes.fromhex("333300000002")
SERVE = """
import sys
from pathlib import Path
from pvdrivers.bus.end import End
from pvdrivers.bus.journal import Journal
from pvdrivers.net.back.backend import Backend
from pvdrivers.net.ports import open_port
from pvdrivers.transport.loopback import Loopback
from pvdrivers.xenbus import NET_BACK
from tests.pvdrivers.net.pair import SPOT
loopback, source, journal = sys.argv[1:]
with Loopback(Path(loopback), 0) as dom0:
    device = Backend(dom0, SPOT, open_port(f"pcap:from={source}"), journal=Journal(Path(journal), SPOT))
    end = End(dom0.store, SPOT.back, SPOT.front, device, table=NET_BACK, log=lambda line: print(line, flush=True))
    end.start()
    end.join()
"""

steerings = st.builds(
    Steering,
    st.just(QUEUES),
    st.sampled_from(HashAlgorithm),
    st.integers(0, int(ALL_TYPES)).map(HashType),
    st.binary(max_size=KEY_SIZE).map(Toeplitz),
    st.lists(st.integers(0, QUEUES - 1), max_size=MAPPING_MAX).map(tuple),
)


@given(st.lists(steerings, min_size=1, max_size=3))
def test_what_was_kept_last_is_there(kept: list[Steering]) -> None:
    memory = memoryview(bytearray(SIZE))
    assert KeptSteering(memory).read(QUEUES) == Steering(QUEUES)
    for each in kept:
        KeptSteering(memory).write(each)
        assert KeptSteering(memory).read(QUEUES) == each


@given(steerings, steerings)
def test_one_that_is_killed_meanwhile_leaves_what_was_kept_before(before: Steering, after: Steering) -> None:
    memory = bytearray(SIZE)
    KeptSteering(memoryview(memory)).write(before)
    former = bytes(memory)
    KeptSteering(memoryview(memory)).write(after)
    # Whatever of it has been written by then, but for the byte that is written last.
    for cut in range(1, SIZE, 37):
        torn = former[:1] + memory[1:cut] + former[max(cut, 1) :]
        assert KeptSteering(memoryview(bytearray(torn))).read(QUEUES) == before


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path) as made:
        yield made


def connected(loop: Bench, bare: Bare, **nodes: object) -> None:
    """Have a frontend of the test's join whoever serves it."""
    back = Peer(loop.dom0.store, SPOT.back)
    until(lambda: back.state() is XenbusState.INIT_WAIT)
    bare.publish(SPOT.front, {**bare.nodes(), **nodes})
    until(lambda: back.state() is XenbusState.CONNECTED)


def steered(bare: Bare) -> None:
    """Ask for hashes, and have them asked for."""
    requests = [
        Request(1, CtrlType.SET_HASH_ALGORITHM, (HashAlgorithm.TOEPLITZ, 0, 0)),
        Request(2, CtrlType.SET_HASH_KEY, (bare.page(KEY), len(KEY), 0)),
        Request(3, CtrlType.SET_HASH_MAPPING_SIZE, (4, 0, 0)),
        Request(4, CtrlType.SET_HASH_FLAGS, (HashType.IPV4_TCP, 0, 0)),
    ]
    assert [one.status for one in bare.asked(*requests)] == [CtrlStatus.SUCCESS] * 4


def expected() -> FlowHash:
    headers = parse(TCP_FRAME)
    assert headers
    found = flow_hash(TCP_FRAME, headers, HashType.IPV4_TCP, Toeplitz(KEY))
    assert found
    return found


def hash_of(bare: Bare, slots: int) -> FlowHash | None:
    """Wait for the frame; give the hash that it is told to have."""
    (packet,) = rx_front.parse(bare.rx.take(slots), [(0, 0)] * slots)
    assert packet.refused is None
    return packet.hash


@contextmanager
def serving(loop: Bench, source: Path, journal: Path) -> Iterator[None]:
    """Have another process serve, and kill it."""
    argv = [sys.executable, "-c", SERVE, str(loop.machine.directory), str(source), str(journal)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGKILL)
            said = process.communicate(timeout=600)[0]
    assert said == ""


def test_a_killed_ones_successor_steers_on(loop: Bench, tmp_path: Path) -> None:
    source, journal = tmp_path / "frame.pcap", tmp_path / "journal"
    wrpcap(str(source), [taken_apart(TCP_FRAME)])
    bare = Bare(loop.guest, BACK)
    with serving(loop, source, journal):
        connected(loop, bare)
        bare.post(1)
        assert hash_of(bare, 1) is None
        steered(bare)
    for life in range(2):
        with serving(loop, source, journal):
            # What asks for the hash takes one more slot.
            bare.post(2)
            assert hash_of(bare, 2) == expected(), life
            # Of a mapping that it knows, and that is as long as it was told, a part is set anew.
            page = bare.page(bytes(8))
            requests = [
                Request(5, CtrlType.SET_HASH_MAPPING, (page, 2, 2)),
                Request(6, CtrlType.SET_HASH_MAPPING, (page, 2, 3)),
            ]
            found = [one.status for one in bare.asked(*requests)]
            assert found == [CtrlStatus.SUCCESS, CtrlStatus.INVALID_PARAMETER]


def test_one_that_joins_anew_is_not_steered_as_before(loop: Bench, tmp_path: Path) -> None:
    with loop.backend(journal=tmp_path / "journal") as end:
        first = Bare(loop.guest, BACK)
        connected(loop, first)
        steered(first)
        loop.guest.store.write(f"{SPOT.front}/state", b"6")
        assert end.wait([XenbusState.CLOSED], 600)
        assert list((tmp_path / "journal").iterdir()) == []
        loop.guest.store.write(f"{SPOT.front}/state", b"1")
        second = Bare(loop.guest, BACK)
        connected(loop, second)
        (flags,) = second.asked(Request(1, CtrlType.GET_HASH_FLAGS))
        assert flags.status == CtrlStatus.NOT_SUPPORTED


def test_what_was_kept_of_another_life_is_not_taken_for_this_ones(loop: Bench, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with loop.backend(journal=journal):
        bare = Bare(loop.guest, BACK)
        connected(loop, bare)
        steered(bare)
    # With no backend there, the frontend has other rings by now.
    bare = Bare(loop.guest, BACK)
    bare.publish(SPOT.front, bare.nodes())
    with loop.backend(journal=journal) as end:
        assert end.wait([XenbusState.CONNECTED], 600)
        (flags,) = bare.asked(Request(1, CtrlType.GET_HASH_FLAGS))
        assert flags.status == CtrlStatus.NOT_SUPPORTED
        steered(bare)
    with loop.backend(journal=journal) as end:
        assert end.wait([XenbusState.CONNECTED], 600)
        (flags,) = bare.asked(Request(1, CtrlType.GET_HASH_FLAGS))
        assert flags.status == CtrlStatus.SUCCESS


def test_without_a_place_to_keep_it_a_successor_says_so_and_hashes_nothing(loop: Bench) -> None:
    bare = Bare(loop.guest, BACK)
    with loop.backend():
        connected(loop, bare)
        steered(bare)
    with loop.backend() as end:
        assert end.wait([XenbusState.CONNECTED], 600)
        (flags,) = bare.asked(Request(3, CtrlType.GET_HASH_FLAGS))
        assert flags.status == CtrlStatus.NOT_SUPPORTED
        bare.post(1)
        loop.there.lanes[0].give([Frame(TCP_FRAME)])
        assert hash_of(bare, 1) is None


def listed(bare: Bare, address: bytes) -> None:
    """Have multicast frames for an address passed on."""
    bare.tx.put(sent(1, TxFlag.EXTRA_INFO, size=0) + wide(multicast(ExtraType.MCAST_ADD, address)))
    assert answers(bare.tx.take(2))[0] == (1, NetifRsp.OKAY)


def test_of_multicast_a_successor_passes_all_whatever_is_asked_for_then(loop: Bench, tmp_path: Path) -> None:
    bare = Bare(loop.guest, BACK)
    wanted, unwanted = (Frame(group + bytes(54)) for group in (GROUP, OTHER))
    with loop.backend(journal=tmp_path / "journal"):
        connected(loop, bare, **{"request-multicast-control": 1})
        listed(bare, GROUP)
        bare.post(1)
        loop.there.lanes[0].give([unwanted, wanted])
        assert bare.received(1) == [wanted.data]
    with loop.backend(journal=tmp_path / "journal") as end:
        assert end.wait([XenbusState.CONNECTED], 600)
        # Which is not all that it wants: what it had asked for before is forgotten.
        listed(bare, OTHER)
        for value in (b"0", b"1"):
            loop.guest.store.write(f"{SPOT.front}/request-multicast-control", value)
        bare.post(2)
        loop.there.lanes[0].give([unwanted, wanted])
        assert bare.received(2, 1) == [unwanted.data, wanted.data]
