"""TAPs: every byte comes through both ways, and what the kernel finishes is right. What it says is read back elsewhere.

A wrong sum that is said to be blank shows nowhere on one host: so frames are read behind a bridge, by another TAP,
which has the kernel finish them.
"""

import os
import re
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from pvdrivers.abi import netdev
from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.virtio_net import HDR, HdrFlag
from pvdrivers.errors import MachineError
from pvdrivers.net.finish import blanked
from pvdrivers.net.frame import Abilities, Checksum, Frame, Offload
from pvdrivers.net.headers import parse
from pvdrivers.net.ports import Lane, open_port
from pvdrivers.net.ports.base import ALL
from pvdrivers.net.ports.namespaces import inside
from tests.pvdrivers.block.rig import descriptors
from tests.pvdrivers.net.lanes import taken
from tests.pvdrivers.net.ports.hosts import (
    BLANK,
    MSS,
    NOTHING,
    TCP_AT,
    UDP_AT,
    ip,
    joined,
    large,
    namespace,
    odd,
    opened,
    ours,
    received,
    segments,
    settled,
    tagged,
    udp,
    unsummed,
    whole,
)

pytestmark = [pytest.mark.netns, pytest.mark.usefixtures("ways")]

KINDS = [GsoType.TCPV4, GsoType.TCPV6]


@contextmanager
def bridged(reader: Abilities = ALL, lanes: int = 1) -> Iterator[tuple[Lane, list[Lane]]]:
    """Give the lane of one TAP, and those of another behind a bridge."""
    ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    ip("link", "set", "br0", "up", "mtu", "9000")
    one, other = (f"tap:{name},bridge=br0,mtu=9000" for name in "ab")
    with joined(one, other, "a", "b", "br0", lanes=lanes, reader=reader) as (a, _, those):
        yield a, those


def test_frames_of_any_size_come_through_both_ways() -> None:
    with bridged() as (a, (b,)):
        frames = [Frame(odd(size)) for size in (14, 15, 60, 1514, 4096, 9014)]
        for one, other in ((a, b), (b, a)):
            assert taken(one, frames) == len(frames)
            assert received(other, len(frames)) == frames
        assert (a.stats.sent, a.stats.dropped, a.stats.finished, a.stats.lost) == (6, 0, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", [b"\0\0", b"\xde\xad"])
def test_a_blank_sum_comes_out_right_whatever_its_field_held(kind: GsoType, field: bytes) -> None:
    frames = {
        whole(kind, TCP(sport=5000, dport=5001), b"some bytes"): TCP_AT[kind],
        udp(kind, b"odd"): UDP_AT[kind],
        udp(kind, b""): UDP_AT[kind],
    }
    with bridged(NOTHING) as (a, (b,)):
        a.send([Frame(unsummed(data, at, field), BLANK) for data, at in frames.items()])
        assert received(b, len(frames)) == [Frame(data) for data in frames]


@pytest.mark.parametrize("kind", KINDS)
def test_a_blank_sum_stays_blank_for_who_can_be_told(kind: GsoType) -> None:
    with bridged() as (a, (b,)):
        data = udp(kind, b"payload")
        a.send([Frame(unsummed(data, UDP_AT[kind]), BLANK)])
        (frame,) = received(b, 1)
        assert frame.offload == BLANK
        assert unsummed(bytes(frame.data), UDP_AT[kind]) == unsummed(data, UDP_AT[kind])
        # What came out goes in again: the field holds what whoever finishes it needs.
        with opened("tap:c,bridge=br0", reader=NOTHING) as (_, (c,)):
            b.send([frame])
            assert received(c, 1) == [Frame(data)]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_that_are_to_be_cut_come_through_in_one(kind: GsoType) -> None:
    with bridged() as (a, (b,)):
        # From 65,536 bytes on, the kernel cuts it for all devices (gso_max_size).
        for size in (MSS + 1, 10 * MSS, 65535 - len(large(kind, b"").data)):
            frame = large(kind, os.urandom(size))
            for one, other in ((a, b), (b, a)):
                assert taken(one, [frame]) == 1
                (came,) = received(other, 1)
                assert came.offload == Offload(Checksum.BLANK, kind, MSS)
                at = TCP_AT[kind]
                assert unsummed(bytes(came.data), at) == unsummed(bytes(frame.data), at)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [MSS + 1, 20 * MSS, 60000])
def test_and_in_pieces_for_who_cannot_be_told(kind: GsoType, size: int) -> None:
    payload = os.urandom(size)
    with bridged(NOTHING) as (a, (b,)):
        frame = large(kind, payload)
        a.send([frame._replace(data=unsummed(bytes(frame.data), TCP_AT[kind]))])
        expected = segments(kind, payload)
        assert [bytes(each.data) for each in received(b, len(expected))] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_of_one_ip_alone_can_be_told(kind: GsoType) -> None:
    v4 = kind is GsoType.TCPV4
    reader = Abilities(checksum_v4=v4, checksum_v6=not v4, gso_v4=v4, gso_v6=not v4, longest=ALL.longest)
    (other,) = {*KINDS} - {kind}
    with bridged(reader) as (a, (b,)):
        payload = os.urandom(3 * MSS)
        a.send([large(kind, payload), large(other, payload)])
        first, *rest = received(b, 1 + 3)
        assert first.offload == Offload(Checksum.BLANK, kind, MSS)
        assert rest == [Frame(data) for data in segments(other, payload)]


def test_more_than_there_is_room_for_at_once_comes_all_the_same() -> None:
    with bridged() as (a, (b,)):
        frames = [large(GsoType.TCPV4, os.urandom(60000)) for _ in range(40)]
        assert taken(a, frames) == 40
        came = received(b, 40)
        assert [bytes(each.data[54:]) for each in came] == [bytes(each.data[54:]) for each in frames]


def test_pieces_beyond_what_was_asked_for_are_kept() -> None:
    # What the kernel cannot cut: it has no word for sums of one IP alone.
    with bridged(NOTHING._replace(checksum_v6=True, gso_v6=True)) as (a, (b,)):
        payload = os.urandom(10 * MSS)
        a.send([large(GsoType.TCPV4, payload), Frame(odd(60))])
        came = received(b, 11, limit=3)
        assert [bytes(each.data) for each in came[:10]] == segments(GsoType.TCPV4, payload)
        assert len(came[10].data) == 60


def test_what_makes_no_sense_is_dropped_and_counted() -> None:
    with bridged() as (a, (b,)):
        senseless = [
            Frame(odd(14)[:13]),
            Frame(odd(60), BLANK),
            Frame(odd(3000), Offload(Checksum.BLANK, GsoType.TCPV4, MSS)),
            large(GsoType.TCPV4, bytes(3000))._replace(offload=Offload(Checksum.BLANK, GsoType.TCPV4, 0)),
            large(GsoType.TCPV4, bytes(3000))._replace(offload=Offload(Checksum.BLANK, GsoType.TCPV6, MSS)),
        ]
        good = Frame(odd(60))
        assert taken(a, [*senseless, good]) == 1
        assert (a.stats.sent, a.stats.dropped) == (1, len(senseless))
        assert received(b, 1) == [good]


def test_of_several_queues_none_loses_frames() -> None:
    with bridged(lanes=4) as (a, those):
        assert len(those) == 4
        assert len({lane.fileno() for lane in those}) == 4
        frames = [
            Frame(whole(GsoType.TCPV4, UDP(sport=5000 + number, dport=80), bytes([number]))) for number in range(200)
        ]
        a.send(frames)
        came: list[Frame] = []
        while len(came) < len(frames):
            for lane in those:
                came += ours(lane.receive(64))
        assert sorted(bytes(each.data) for each in came) == sorted(bytes(each.data) for each in frames)
        sent = [Frame(odd(60)) for _ in those]
        for lane, frame in zip(those, sent, strict=True):
            lane.send([frame])
        assert received(a, 4) == sent


def test_a_tap_of_one_queue_gives_one_way_in_and_all_lanes_a_way_out() -> None:
    ip("tuntap", "add", "b", "mode", "tap")
    with bridged(lanes=3) as (a, those):
        assert [lane.fileno() >= 0 for lane in those] == [True, False, False]
        a.send([Frame(odd(60)), Frame(odd(61))])
        assert [len(each.data) for each in received(those[0], 2)] == [60, 61]
        assert not any(lane.receive(64) for lane in those[1:])
        sent = [Frame(odd(60)) for _ in those]
        for lane, frame in zip(those, sent, strict=True):
            lane.send([frame])
        assert received(a, 3) == sent


@pytest.mark.parametrize("kind", KINDS)
def test_a_blank_sum_within_a_vlan_is_finished(kind: GsoType) -> None:
    # The kernel leaves it to the TAP's reader, and Linux at a ring's other end would drop it.
    with opened("tap:a") as (_, (a,)), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.setsockopt(netdev.SOL_PACKET, netdev.PACKET_VNET_HDR, 1)
        sender.bind(("a", 0))
        data = tagged(udp(kind, b"of a VLAN"))
        at = UDP_AT[kind] + 4
        headers = parse(data)
        assert headers
        assert headers.transport
        partial = bytes(blanked(data, headers, headers.transport))
        assert partial != data
        header = HDR.struct.pack(HdrFlag.NEEDS_CSUM, 0, 0, 0, at - 6, 6)
        sender.send(header + partial)
        assert received(a, 1) == [Frame(data)]


def hosts(a: str, b: str, other: str) -> None:
    """Make this namespace one host, with device ``a``, and another one its neighbour, with ``b``."""
    ip("address", "add", "10.9.0.1/24", "dev", a)
    ip("neighbour", "add", "10.9.0.2", "lladdr", "00:16:3e:00:00:02", "dev", a)
    inside(other, lambda: ip("address", "add", "10.9.0.2/24", "dev", b))
    inside(other, lambda: ip("neighbour", "add", "10.9.0.1", "lladdr", "00:16:3e:00:00:01", "dev", b))


@pytest.mark.parametrize("reader", [ALL, NOTHING], ids=["told all", "told nothing"])
def test_a_connection_of_the_kernels_goes_from_tap_to_tap(reader: Abilities) -> None:
    data, got = os.urandom(4 << 20), bytearray()
    with (
        namespace() as other,
        opened("tap:a,mac=00:16:3e:00:00:01", reader=reader) as (_, (a,)),
        opened(f"tap:b,mac=00:16:3e:00:00:02,netns={other}", reader=reader) as (_, (b,)),
    ):
        hosts("a", "b", other)
        server = inside(other, lambda: socket.create_server(("10.9.0.2", 5001)))

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while some := connection.recv(1 << 20):
                    got.extend(some)

        def send() -> None:
            with socket.create_connection(("10.9.0.2", 5001)) as client:
                client.sendall(data)

        threads = [threading.Thread(target=work, daemon=True) for work in (serve, send)]
        for thread in threads:
            thread.start()
        longest = 0
        while threads[0].is_alive():
            select.select([a, b], [], [], 0.1)
            for one, to in ((a, b), (b, a)):
                frames = one.receive(64)
                longest = max([longest, *(len(each.data) for each in frames)])
                to.send(frames)
        server.close()
        assert bytes(got) == data
        assert a.stats.dropped == b.stats.dropped == 0
        assert longest > 9000 if reader is ALL else longest <= 1514


def test_what_is_asked_for_is_set() -> None:
    with opened("tap:a,mtu=1400,mac=00:16:3E:0a:0b:0c") as (port, _):
        assert (port.name, port.carrier) == ("tap:a", True)
        said = ip("link", "show", "a")
        assert "UP" in said
        assert "mtu 1400" in said
        assert "00:16:3e:0a:0b:0c" in said
    with bridged():
        assert "fe:ff:ff:ff:ff:ff" in ip("link", "show", "a")
        assert "master br0" in ip("link", "show", "b")
    with opened("tap") as (port, (lane,)):
        assert port.name == "tap:tap0"
        assert "UP" in ip("link", "show", "tap0")
        lane.close()
        assert not port.carrier
    assert not port.carrier


def test_one_that_we_made_is_gone_and_one_that_was_there_is_as_it_was() -> None:
    ip("tuntap", "add", "kept", "mode", "tap")
    ip("link", "set", "kept", "up", "mtu", "1300", "address", "00:16:3e:0a:0b:0c")
    for _ in range(2):
        with opened("tap:kept"), opened("tap:made"):
            assert "LOWER_UP" in ip("link", "show", "kept")
        assert "made" not in ip("link")
        said = ip("link", "show", "kept")
        assert "mtu 1300" in said
        assert "00:16:3e:0a:0b:0c" in said
        assert "NO-CARRIER" in said


def test_what_was_left_to_do_for_one_reader_is_not_for_the_next() -> None:
    # The kernel keeps for a TAP what it was told last.
    ip("tuntap", "add", "b", "mode", "tap")
    data = udp(GsoType.TCPV4, b"payload")
    with bridged() as (a, (b,)):
        a.send([Frame(unsummed(data, UDP_AT[GsoType.TCPV4]), BLANK)])
        assert received(b, 1)[0].offload == BLANK
    ip("link", "del", "br0")
    with bridged(NOTHING) as (a, (b,)):
        a.send([Frame(unsummed(data, UDP_AT[GsoType.TCPV4]), BLANK)])
        assert received(b, 1) == [Frame(data)]


def test_one_that_is_down_takes_nothing_until_it_is_up() -> None:
    with bridged() as (a, (b,)), opened("tap:c,bridge=br0") as (port, (c,)):
        ip("link", "set", "c", "down")
        assert not port.carrier
        assert taken(c, [Frame(odd(60))] * 3) == 0
        assert ours(c.receive(64)) == []
        assert c.stats.dropped == 3
        ip("link", "set", "c", "up")
        settled("c")
        assert port.carrier
        # A bridge lets a part that was down wait before it forwards.
        ip("link", "set", "c", "nomaster")
        ip("address", "add", "10.9.0.1/24", "dev", "c")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
            heard.bind(("10.9.0.1", 5001))
            own = bytes.fromhex("feffffffffff")
            packet = Ether(udp(GsoType.TCPV4, b"again"))
            packet[IP].src, packet[IP].dst = "10.9.0.2", "10.9.0.1"
            del packet[IP].chksum, packet[UDP].chksum
            assert taken(c, [Frame(own + bytes(packet)[6:])]) == 1
            assert heard.recv(100) == b"again"
        assert taken(a, [Frame(odd(60))]) == 1
        assert len(received(b, 1)) == 1


def test_one_that_was_removed_is_told() -> None:
    with opened("tap:a") as (port, (a,)):
        ip("link", "del", "dev", "a")
        assert not port.carrier
        with pytest.raises(MachineError, match="tap:a is gone: File descriptor in bad state"):
            a.receive(64)
        with pytest.raises(MachineError, match="tap:a is gone"):
            a.send([Frame(odd(60))])


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("second", [1, 2])
def test_one_that_is_taken_is_not_shared(first: int, second: int) -> None:
    with opened("tap:a", first) as (_, (a, *_)):
        with pytest.raises(MachineError, match=r"^TAP a is taken: another program has it open$"):
            open_port("tap:a").open(second, ALL)
        assert taken(a, [Frame(odd(60))]) == 1
    with opened("tap:a", second):
        pass


ABSENT = {
    "tap:lo": "lo is no TAP",
    "tap:a,bridge=br9": "no bridge br9: `ip link add name br9 type bridge` makes one",
    "tap:a,bridge=lo": "lo is no bridge",
    "tap:a,mtu=99999": "cannot set up TAP a: mtu greater than device maximum",
    "tap:a,mac=01:16:3e:00:00:01": "cannot set up TAP a: Cannot assign requested address",
    "tap:a,netns=nowhere": "cannot enter the network namespace /run/netns/nowhere: "
    "there is none (`ip netns add nowhere` makes it)",
    "tap:a,netns=/dev/null": "cannot enter the network namespace /dev/null: Invalid argument",
}


@pytest.mark.parametrize("spec", ABSENT)
def test_what_cannot_be_had_is_told_in_a_line_and_leaves_nothing(spec: str) -> None:
    before, devices = descriptors(), ip("-br", "link")
    with pytest.raises(MachineError, match=f"^{re.escape(ABSENT[spec])}$"):
        open_port(spec).open(2, ALL)
    assert (descriptors(), ip("-br", "link")) == (before, devices)


OPEN = """
from pvdrivers.net.ports import open_port
from pvdrivers.net.ports.base import ALL
try:
    open_port("{}").open(1, ALL)
except Exception as error:
    print(error)
"""


_DENIED = "cannot set up TAP a: Operation not permitted; as root: ip link set dev a"


@pytest.mark.parametrize(
    ("state", "settings", "told"),
    [
        ("up", "", "opened"),
        ("up", ",mtu=1500", "opened"),
        ("down", "", f"{_DENIED} up"),
        ("up", ",mtu=1400", f"{_DENIED} mtu 1400 up"),
        ("up", ",mtu=1400,bridge=br0", f"{_DENIED} mtu 1400 master br0 up; then leave bridge= out"),
    ],
)
def test_one_that_root_made_for_a_user_needs_no_right(state: str, settings: str, told: str) -> None:
    ip("link", "add", "br0", "type", "bridge")
    ip("tuntap", "add", "dev", "a", "mode", "tap", "user", "root")
    ip("link", "set", "dev", "a", state)
    without = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    program = OPEN.format(f"tap:a{settings}") + "else:\n    print('opened')\n"
    done = subprocess.run([*without, sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [told]


@pytest.mark.parametrize(
    ("without", "spec", "told"),
    [
        (
            ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"],
            "tap:a",
            "no right to TAP a: only root makes one, for others as well: ip tuntap add dev a mode tap user $USER",
        ),
        (
            ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"],
            "tap:a,netns=/proc/self/ns/net",
            "cannot enter the network namespace /proc/self/ns/net: only root may (CAP_SYS_ADMIN)",
        ),
        (
            ["unshare", "-m", "sh", "-c", 'mount -t tmpfs tmpfs /dev/net && exec "$@"', "sh"],
            "tap:a",
            "no TAPs here: /dev/net/tun: No such file or directory; `modprobe tun` may bring it",
        ),
        (
            ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"],
            "packet:lo",
            "cannot listen on lo: only root has a right to its frames (CAP_NET_RAW)",
        ),
    ],
)
def test_who_has_no_right_or_no_device_is_told_what_to_do(without: list[str], spec: str, told: str) -> None:
    done = subprocess.run(
        [*without, sys.executable, "-c", OPEN.format(spec)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [told]


def test_a_hundred_frontends_leave_no_device_and_no_descriptor() -> None:
    port = open_port("tap:t")
    before = descriptors(), ip("-oneline", "link")
    for lanes in (1, 3) * 50:
        assert len(port.open(lanes, ALL)) == lanes
        assert " t: " in ip("-oneline", "link")
        port.close()
    assert (descriptors(), ip("-oneline", "link")) == before
