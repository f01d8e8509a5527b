"""Runs in a dom0: our frontend on the kernel's backend there, and frames of all kinds each way.

``python3 - <tests/xen/on_netback.py`` prints a line for each case, as TAP has it. The kernel's end is an interface on
no bridge, which a packet socket sends and listens by; checksums and segments are worked out here, by no code of ours.
"""

import os
import select
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from pvdrivers.abi.netif import GsoType, HashType
from pvdrivers.bus.end import End
from pvdrivers.net.control.front import Wish
from pvdrivers.net.frame import PLAIN, Abilities, Checksum, Frame, Offload
from pvdrivers.net.front import frontend
from pvdrivers.net.front.frontend import Options
from pvdrivers.net.nodes import Takes
from pvdrivers.net.ports import Lane, link
from pvdrivers.net.ports.base import ALL, PortStats
from pvdrivers.net.ports.inbox import Inbox
from pvdrivers.net.ports.packet import Packet
from pvdrivers.net.ports.switch import Switch
from pvdrivers.transport.xen import Xen
from xentool.tools.net import kernel

#: Seconds after which a frame does not come any more.
_STUCK = 120.0
_NEAR, _FAR = bytes.fromhex("00163e0003e7"), bytes.fromhex("02000000000f")
#: A type for experiments (IEEE 802): no host answers it.
_EXPERIMENT = b"\x88\xb5"
#: The longest that an interface of this backend takes, and what is to be cut.
_MTU, _MSS, _LARGE = 65517, 1400, 60001
_TCP, _UDP = 6, 17
_SUM_AT = {_TCP: 16, _UDP: 6}
#: Where IP's payload begins in a frame.
_BEHIND = {4: 34, 6: 54}
_GSO = {4: GsoType.TCPV4, 6: GsoType.TCPV6}
_KINDS = [(version, protocol) for version in (4, 6) for protocol in (_TCP, _UDP)]
#: The key by which vectors of hashes are published, and some of those ("Verifying the RSS hash calculation").
_KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa")
_V4 = struct.pack("!4B4B", 66, 9, 149, 187, 161, 142, 100, 80)
_V6 = bytes.fromhex("3ffe250102001fff00000000000000073ffe2501020000030000000000000001")
_PORTS = 2794, 1766
_TYPES = HashType.IPV4 | HashType.IPV4_TCP | HashType.IPV6 | HashType.IPV6_TCP
_HASHES = {
    (4, _TCP): (HashType.IPV4_TCP, 0x51CCC178),
    (6, _TCP): (HashType.IPV6_TCP, 0x40207D3D),
    (4, _UDP): (HashType.IPV4, 0x323E8FC2),
    (6, _UDP): (HashType.IPV6, 0x2CC18CD5),
}
#: By a hash's last two bits, a queue: some vectors go to each, and it is not what the last bit alone would choose.
_MAPPING = (1, 1, 0, 0)
_WANTED, _ADDED, _UNWANTED = (bytes.fromhex(f"01005e0000{last}") for last in ("77", "78", "79"))


def _sum(data: bytes) -> int:
    # RFC 1071.
    words = struct.unpack(f"!{len(data) // 2 + len(data) % 2}H", data + b"\0" * (len(data) % 2))
    total: int = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Made(NamedTuple):
    """A frame of TCP or UDP, as it is on a wire and with its checksum left to others."""

    whole: bytes
    blank: bytes


def _made(
    version: int, protocol: int, payload: bytes, source: bytes, target: bytes, at: int = 0, last: bool = True
) -> Made:
    ports = struct.pack("!2H", *_PORTS)
    if protocol == _TCP:
        head = ports + struct.pack("!2I2BHHH", 1000 + at, 1, 5 << 4, 0x18 if last else 0x10, 0xFFFF, 0, 0)
    else:
        head = ports + struct.pack("!HH", 8 + len(payload), 0)
    length = len(head) + len(payload)
    if version == 4:
        ip = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 7 + at // _MSS, 0x4000, 64, protocol, 0) + _V4)
        ip[10:12] = struct.pack("!H", 0xFFFF - _sum(bytes(ip)))
        addresses, kind = _V4, b"\x08\x00"
    else:
        ip = bytearray(struct.pack("!IHBB", 6 << 28, length, protocol, 64) + _V6)
        addresses, kind = _V6, b"\x86\xdd"
    pseudo = _sum(addresses + struct.pack("!II", protocol, length))
    before, field = target + source + kind + bytes(ip), _SUM_AT[protocol]
    told = head[:field] + struct.pack("!H", pseudo) + head[field + 2 :]
    finished = 0xFFFF - _sum(told + payload)
    return Made(
        before + head[:field] + struct.pack("!H", finished) + head[field + 2 :] + payload, before + told + payload
    )


def _odd(size: int, source: bytes, target: bytes) -> bytes:
    return target + source + _EXPERIMENT + os.urandom(size - 14)


class Ends(NamedTuple):
    """Both ends of a vif that is connected."""

    device: frontend.Frontend
    netdev: str
    #: By lane, which are our frontend's queues.
    near: Sequence[Lane]
    far: Lane


class Way(NamedTuple):
    """From one end to the other; source and target are addresses."""

    by: Lane
    to: Sequence[Lane]
    source: bytes
    target: bytes

    def sends(self, *frames: Frame) -> None:
        """Send, a few at a time, as a ring has room."""
        for frame in frames:
            self.by.send([frame])

    def come(self) -> list[tuple[int, Frame]]:
        """Wait for frames of this way, and give by which lane they came."""
        poll = select.poll()
        lanes = {lane.fileno(): number for number, lane in enumerate(self.to) if lane.fileno() >= 0}
        for descriptor in lanes:
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = poll.poll(_STUCK * 1000)
            assert ready, "nothing comes any more"
            came = [
                (lanes[descriptor], frame._replace(data=bytes(frame.data)))
                for descriptor, _ in ready
                for frame in self.to[lanes[descriptor]].receive(64)
                # The host says something as well, to whoever listens.
                if bytes(frame.data[6:12]) == self.source
            ]
            if came:
                return came

    def come_all(self, count: int) -> list[tuple[int, Frame]]:
        """Wait for so many frames, and no more."""
        came: list[tuple[int, Frame]] = []
        while len(came) < count:
            came += self.come()
        assert len(came) == count
        return came

    def passes(self, *frames: Frame) -> list[Frame]:
        """Send frames, and give what comes, which is as many."""
        self.sends(*frames)
        return [frame for _, frame in self.come_all(len(frames))]


def _ways(ends: Ends) -> tuple[Way, Way]:
    return (
        Way(ends.near[0], [ends.far], _NEAR, _FAR),
        Way(ends.far, ends.near, _FAR, _NEAR),
    )


class _CableEnd:
    """One lane's, at one side."""

    def __init__(self, mine: Inbox, others: Inbox) -> None:
        self.stats = PortStats()
        self._mine, self._others = mine, others

    def fileno(self) -> int:
        return self._mine.fileno()

    def receive(self, limit: int) -> Sequence[Frame]:
        frames: list[Frame] = []
        while len(frames) < limit and (frame := self._mine.get()):
            frames.append(frame)
        self._mine.rest()
        return frames

    def send(self, frames: Sequence[Frame]) -> None:
        self._others.put(frame._replace(data=bytes(frame.data)) for frame in frames)

    def close(self) -> None:
        self._mine.close()


class _Cable:
    """A port whose frames have their hashes when they come out at its other side: a switch's records tell none."""

    name, abilities, carrier = "cable", ALL, True

    def __init__(self) -> None:
        #: The lanes of the other side, once it is open.
        self.near: Sequence[_CableEnd] = ()

    def open(self, lanes: int, reader: Abilities) -> Sequence[_CableEnd]:  # noqa: ARG002 - it is told all there is
        pairs = [(Inbox(PortStats()), Inbox(PortStats())) for _ in range(lanes)]
        self.near = [_CableEnd(mine, others) for mine, others in pairs]
        return [_CableEnd(others, mine) for mine, others in pairs]

    def close(self) -> None:
        for lane in self.near:
            lane.close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", "link", *words], check=True)


@contextmanager
def _bridged(netdev: str) -> Iterator[str]:
    # Joins it to a bridge, and gives the interface behind that: netback asks whether the kernel has received a frame as
    # multicast, which it has not if it was sent by a socket.
    outer, inner, bridge = ("nb-outer", "nb-inner", "nb-bridge")
    _ip("add", bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    try:
        _ip("add", outer, "type", "veth", "peer", "name", inner)
        for name in (netdev, inner):
            _ip("set", name, "master", bridge)
        for name in (outer, inner, bridge):
            _ip("set", name, "up")
        # Until Linux has looked after a link, it drops what is sent there.
        deadline = time.monotonic() + _STUCK
        while any(Path("/sys/class/net", name, "operstate").read_text() != "up\n" for name in (outer, inner, netdev)):
            assert time.monotonic() < deadline
        yield outer
    finally:
        _ip("delete", bridge)
        _ip("delete", outer)


@contextmanager
def _connected(xen: Xen, options: Options) -> Iterator[Ends]:
    switch, cable = Switch(), _Cable()
    near = switch.port()
    port = cable if options.steering else switch.port()
    with kernel.served(xen) as spot:
        netdev = f"vif{spot.domid}.{spot.devid}"
        with frontend.joined(xen, spot.front, port, options) as end, ExitStack() as stack:
            link.bring_up(_read(netdev, "ifindex"), mtu=_MTU)
            far = Packet(netdev if options.multicast is None else stack.enter_context(_bridged(netdev)))
            try:
                lanes = cable.near or near.open(options.max_queues, ALL)
                (lane,) = far.open(1, ALL)
                yield Ends(_device(end), netdev, lanes, lane)
                assert end.error is None
                assert _read(netdev, "carrier") == 1
            finally:
                near.close()
                far.close()


def _device(end: End) -> frontend.Frontend:
    assert isinstance(end.device, frontend.Frontend)
    return end.device


def _read(netdev: str, name: str) -> int:
    return int(Path("/sys/class/net", netdev, name).read_text())


def _no_errors(ends: Ends) -> None:
    # Nor anything that had to be mended.
    counters = {name: _read(ends.netdev, f"statistics/{name}") for name in ("rx_errors", "tx_errors", "rx_dropped")}
    assert set(counters.values()) == {0}, counters
    mine = ends.device.statistics()
    assert {name: mine[name] for name in ("tx_errors", "rx_errors", "dropped")} == dict.fromkeys(
        ("tx_errors", "rx_errors", "dropped"), 0
    ), mine


# One queue, with everything that both ends have.


def case_frames_of_all_sizes(ends: Ends) -> None:
    for way in _ways(ends):
        sizes = (15, 60, 61, 1514, 4096, 4097, 8192, 9014, 65531)
        sent = [_odd(size, way.source, way.target) for size in sizes]
        came = way.passes(*(Frame(data) for data in sent))
        assert [frame.data for frame in came] == sent
        assert {frame.offload for frame in came} <= {PLAIN, Offload(Checksum.VALIDATED)}


def case_many_frames_in_their_order(ends: Ends) -> None:
    for way in _ways(ends):
        for _ in range(20):
            sent = [_odd(60 + 67 * number, way.source, way.target) for number in range(40)]
            assert [frame.data for frame in way.passes(*map(Frame, sent))] == sent


def case_blank_checksums(ends: Ends) -> None:
    for way in _ways(ends):
        made = [_made(*kind, os.urandom(777), way.source, way.target) for kind in _KINDS]
        came = way.passes(*(Frame(each.blank, Offload(Checksum.BLANK)) for each in made))
        assert [frame.offload for frame in came] == [Offload(Checksum.BLANK)] * len(_KINDS)
        assert [frame.data for frame in came] == [each.blank for each in made]


def case_finished_checksums(ends: Ends) -> None:
    for way in _ways(ends):
        made = [_made(*kind, os.urandom(778), way.source, way.target) for kind in _KINDS]
        came = way.passes(*(Frame(each.whole) for each in made))
        assert [frame.data for frame in came] == [each.whole for each in made]
        assert Checksum.BLANK not in {frame.offload.checksum for frame in came}


def case_segments_uncut(ends: Ends) -> None:
    for way in _ways(ends):
        for version in (4, 6):
            offload = Offload(Checksum.BLANK, _GSO[version], _MSS)
            made = _made(version, _TCP, os.urandom(_LARGE), way.source, way.target)
            (came,) = way.passes(Frame(made.blank, offload))
            assert (came.offload, came.data) == (offload, made.blank)


# A frontend that can be told nothing: the kernel does it.


def case_segments_that_the_kernel_cuts(ends: Ends) -> None:
    _, way = _ways(ends)
    for version in (4, 6):
        payload = os.urandom(_LARGE)
        made = _made(version, _TCP, payload, way.source, way.target)
        way.sends(Frame(made.blank, Offload(Checksum.BLANK, _GSO[version], _MSS)))
        starts = range(0, _LARGE, _MSS)
        parts = [
            _made(version, _TCP, payload[at : at + _MSS], way.source, way.target, at, at + _MSS >= _LARGE)
            for at in starts
        ]
        came = [frame for _, frame in way.come_all(len(starts))]
        assert [frame.data for frame in came] == [part.whole for part in parts]
        assert {frame.offload.gso for frame in came} == {GsoType.NONE}


def case_checksums_that_the_kernel_finishes(ends: Ends) -> None:
    _, way = _ways(ends)
    made = [_made(*kind, os.urandom(779), way.source, way.target) for kind in _KINDS]
    came = way.passes(*(Frame(each.blank, Offload(Checksum.BLANK)) for each in made))
    assert [frame.data for frame in came] == [each.whole for each in made]


# Two queues, packets steered and multicast chosen.


def case_packets_are_steered_by_their_hashes(ends: Ends) -> None:
    assert ends.device.queues == 2
    _, way = _ways(ends)
    # The ring is asked after both ends are connected.
    deadline = time.monotonic() + _STUCK
    wanted = [(_MAPPING[value % 4], (kind, value)) for kind, value in _HASHES.values()]
    while True:
        made = [_made(*kind, os.urandom(100), way.source, way.target) for kind in _HASHES]
        came = []
        for each in made:
            way.sends(Frame(each.whole))
            came += way.come_all(1)
        assert [frame.data for _, frame in came] == [each.whole for each in made]
        found = [(lane, frame.hash and (frame.hash.type, frame.hash.value)) for lane, frame in came]
        if found == wanted:
            return
        assert time.monotonic() < deadline, (found, wanted)


def case_multicast_is_chosen(ends: Ends) -> None:
    _, way = _ways(ends)
    everybody = b"\xff" * 6

    def passed() -> list[bytes]:
        # By one queue, since their addresses of IP are the same: after the last, none comes any more.
        targets = (_UNWANTED, _WANTED, _ADDED, everybody, way.target)
        sent = [_made(4, _UDP, os.urandom(100), way.source, target).whole for target in targets]
        way.sends(*map(Frame, sent))
        came: list[bytes] = []
        while sent[-1] not in came:
            came += [bytes(frame.data) for _, frame in way.come()]
        assert came.pop() == sent[-1]
        assert set(came) <= set(sent)
        return [data[:6] for data in came]

    came = passed()
    assert came == [_WANTED, everybody], came
    ends.device.listen(_ADDED)
    deadline = time.monotonic() + _STUCK
    while (came := passed()) != [_WANTED, _ADDED, everybody]:
        assert came == [_WANTED, everybody]
        assert time.monotonic() < deadline
    ends.device.listen(_WANTED, wanted=False)
    while (came := passed()) != [_ADDED, everybody]:
        assert came == [_WANTED, _ADDED, everybody]
        assert time.monotonic() < deadline


Case = Callable[[Ends], None]

#: By what the frontend wants. Linux's gntalloc has 1024 pages for all of a machine's programs.
SESSIONS: Sequence[tuple[Options, Sequence[Case]]] = (
    (
        Options(),
        (
            case_frames_of_all_sizes,
            case_many_frames_in_their_order,
            case_blank_checksums,
            case_finished_checksums,
            case_segments_uncut,
        ),
    ),
    (
        Options(takes=Takes(sg=True, checksum_v4=False), split=False),
        (case_segments_that_the_kernel_cuts, case_checksums_that_the_kernel_finishes),
    ),
    (
        Options(max_queues=2, pages=64, steering=Wish(_TYPES, _KEY, _MAPPING), multicast=(_WANTED,)),
        (case_packets_are_steered_by_their_hashes, case_multicast_is_chosen),
    ),
)
CASES = [case for _, cases in SESSIONS for case in cases]


def _main() -> int:
    failed = 0
    print(f"1..{len(CASES)}")
    with Xen() as xen:
        for options, cases in SESSIONS:
            with _connected(xen, options) as ends:
                for case in cases:
                    failed += _told(case, ends)
    return failed


def _told(case: Case, ends: Ends) -> int:
    number = CASES.index(case) + 1
    try:
        case(ends)
        _no_errors(ends)
    except Exception:  # noqa: BLE001 - told, whatever it is
        print(f"not ok {number} - {case.__name__}")
        print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")
        return 1
    print(f"ok {number} - {case.__name__}")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
