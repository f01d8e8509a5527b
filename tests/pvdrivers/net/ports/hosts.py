"""For tests of ports: what `ip` does, frames to send, and how they are waited for."""

import ctypes
import os
import select
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from pvdrivers.abi.netif import GsoType
from pvdrivers.net.frame import Abilities, Checksum, Frame, Offload
from pvdrivers.net.ports import Lane, Port, open_port
from pvdrivers.net.ports.base import ALL

#: linux/sched.h
CLONE_NEWNET = 0x40000000
#: Seconds after which something hangs.
STUCK = 600.0
#: Of a frontend that can be told nothing, and takes frames of any length.
NOTHING = Abilities(longest=ALL.longest)
#: Addresses that nobody has, so that a bridge floods what is sent to one.
HEAD = bytes.fromhex("00163e000002 00163e000001")
#: A type for experiments (IEEE 802): no host answers it.
EXPERIMENT = bytes.fromhex("88b5")
ETHER = Ether(dst="00:16:3e:00:00:02", src="00:16:3e:00:00:01")
BLANK = Offload(Checksum.BLANK)
NETWORKS = {
    GsoType.TCPV4: IP(src="10.9.0.1", dst="10.9.0.2", id=7, flags="DF"),
    GsoType.TCPV6: IPv6(src="fd00::1", dst="fd00::2"),
}
MSS = 1400

#: Whether ports are.
compiled = True


def ip(*words: str) -> str:
    """Run `ip`, which must succeed; give what it prints."""
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def odd(size: int) -> bytes:
    """Give a frame that says nothing to anybody."""
    return HEAD + EXPERIMENT + os.urandom(size - 14)


def whole(kind: GsoType, transport: Packet, payload: bytes) -> bytes:
    """Give a frame of TCP or UDP with right sums, as scapy makes them."""
    return bytes(ETHER / NETWORKS[kind] / transport / Raw(payload))


def udp(kind: GsoType, payload: bytes) -> bytes:
    """Give a frame of UDP with right sums."""
    return whole(kind, UDP(sport=5000, dport=5001), payload)


def tagged(data: bytes) -> bytes:
    """Put a frame into a VLAN."""
    return data[:12] + bytes.fromhex("8100 6005") + data[12:]


def large(kind: GsoType, payload: bytes) -> Frame:
    """Give a frame of TCP that is to be cut."""
    data = whole(kind, TCP(sport=5000, dport=5001, seq=1000, flags="PA"), payload)
    return Frame(data, Offload(Checksum.BLANK, kind, MSS))


def segments(kind: GsoType, payload: bytes) -> list[bytes]:
    """Give what `large` is to become, where IPv4's identifications go on by one."""
    cut = []
    for number, at in enumerate(range(0, len(payload), MSS)):
        last = at + MSS >= len(payload)
        tcp = TCP(sport=5000, dport=5001, seq=1000 + at, flags="PA" if last else "A")
        data = Ether(whole(kind, tcp, payload[at : at + MSS]))
        if kind is GsoType.TCPV4:
            data[IP].id += number
            del data[IP].chksum
        cut.append(bytes(data))
    return cut


def unsummed(data: bytes, at: int, field: bytes = b"\xde\xad") -> bytes:
    """Give a frame with something else in its checksum's field."""
    return data[:at] + field + data[at + 2 :]


#: Where the field is, in bytes from the frame's beginning.
TCP_AT = {GsoType.TCPV4: 14 + 20 + 16, GsoType.TCPV6: 14 + 40 + 16}
UDP_AT = {GsoType.TCPV4: 14 + 20 + 6, GsoType.TCPV6: 14 + 40 + 6}


@contextmanager
def namespace() -> Iterator[str]:
    """Make another network namespace; give its path."""
    files: list[int] = []

    def make() -> None:
        assert not ctypes.CDLL(None).unshare(CLONE_NEWNET)
        files.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    try:
        yield f"/proc/self/fd/{files[0]}"
    finally:
        os.close(files[0])


@contextmanager
def opened(spec: str, lanes: int = 1, reader: Abilities = ALL) -> Iterator[tuple[Port, Sequence[Lane]]]:
    """Open a port, of the `compiled` way or the other."""
    port = open_port(spec, compiled=compiled)
    try:
        yield port, port.open(lanes, reader)
    finally:
        port.close()


@contextmanager
def joined(
    here: str, there: str, *devices: str, lanes: int = 1, reader: Abilities = ALL
) -> Iterator[tuple[Lane, Port, list[Lane]]]:
    """Open two ports that something joins; give the lane of the first, and the second with its lanes.

    :param devices: links that come up
    :param lanes: of the second, and for which ``reader``
    """
    with opened(here) as (_, (one,)), opened(there, lanes, reader) as (port, those):
        settled(*devices)
        yield one, port, list(those)


def settled(*devices: str) -> None:
    """Wait until Linux has looked after links that have come up: what is sent before is dropped."""
    deadline = time.monotonic() + STUCK
    for device in devices:
        while " state DOWN " in ip("-oneline", "link", "show", "dev", device):
            assert time.monotonic() < deadline, f"{device} does not come up"
            time.sleep(0.01)
        # Its state is told under a lock that is held until the device sends; this takes the same.
        ip("link", "set", "dev", device, "up")


def ours(frames: Sequence[Frame]) -> list[Frame]:
    """Give copies of the frames that a test has made; a host sends others as it likes."""
    return [frame._replace(data=bytes(frame.data)) for frame in frames if bytes(frame.data[:12]) == HEAD]


def received(lane: Lane, count: int, limit: int = 64) -> list[Frame]:
    """Wait for frames that a test has made.

    :param limit: how many are asked for at once
    """
    frames: list[Frame] = []
    poll = select.poll()
    poll.register(lane.fileno(), select.POLLIN)
    while len(frames) < count:
        assert poll.poll(STUCK * 1000), f"{len(frames)} frames of {count} came"
        came = lane.receive(limit)
        assert len(came) <= limit
        frames += ours(came)
    return frames
