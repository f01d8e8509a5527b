"""The pair of net drivers over the loopback, in two processes, beside AF_UNIX sockets and memcpy; prints ratios.

``python -m tests.bench.net [SECONDS]``; runs take turns, so that a slower minute of the machine hits all.
"""

import ctypes
import os
import socket
import statistics
import sys
import time
from typing import Any

from tests.bench.block import ROUNDS, memcpy, turns
from xentool.tools.net.measure import Load, measure

#: Packets of a call, and bytes of each.
BATCH, SIZE = 64, 64
_libc = ctypes.CDLL(None, use_errno=True)


class IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class MsgHdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.POINTER(IoVec)),
        ("iov_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class MMsgHdr(ctypes.Structure):
    _fields_ = (("header", MsgHdr), ("length", ctypes.c_uint))


class Messages:
    """Room for a batch of packets, as sendmmsg and recvmmsg take it."""

    def __init__(self) -> None:
        self.room = ctypes.create_string_buffer(b"x" * (BATCH * SIZE), BATCH * SIZE)
        self.vectors = (IoVec * BATCH)()
        self.headers = (MMsgHdr * BATCH)()
        for at in range(BATCH):
            self.vectors[at] = IoVec(ctypes.addressof(self.room) + at * SIZE, SIZE)
            self.headers[at].header.iov = ctypes.pointer(self.vectors[at])
            self.headers[at].header.iov_count = 1


def receive(end: socket.socket) -> None:
    """Receive packets until the other end is closed, many a call."""
    messages = Messages()
    # MSG_WAITFORONE: what is there, but one at least.
    while _libc.recvmmsg(end.fileno(), messages.headers, BATCH, 0x10000, None) > 0 and messages.headers[0].length:
        pass


def sockets(seconds: float) -> float:
    """Give the packets a second that go from one process to another through AF_UNIX's SEQPACKET."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if not pid:
        ours.close()
        receive(theirs)
        os._exit(0)
    theirs.close()
    messages = Messages()
    sent, began = 0, time.perf_counter()
    with ours:
        while time.perf_counter() < began + seconds:
            count = _libc.sendmmsg(ours.fileno(), messages.headers, BATCH, 0)
            if count < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            sent += count
        taken = time.perf_counter() - began
    os.waitpid(pid, 0)
    return sent / taken


class Runs:
    """A load's runs, each measured whole."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.found: list[dict[str, Any]] = []

    def of(self, field: str) -> float:
        self.found.append(measure(self.load))
        return float(self.found[-1][field])

    def middle(self, field: str) -> float:
        return statistics.median(float(each[field]) for each in self.found)


def small(seconds: float) -> None:
    sent = Runs(Load(seconds=seconds, direction="tx"))
    received = Runs(Load(seconds=seconds, direction="rx"))
    there, here, floor = turns(lambda: sent.of("pps"), lambda: received.of("pps"), lambda: sockets(seconds))
    print(f"{SIZE} B frames one way; medians of {ROUNDS}")
    for name, pps, runs in (("frontend to backend", there, sent), ("backend to frontend", here, received)):
        print(
            f"  {name:<34} {pps:9.0f}/s (at least 4000000)  {runs.middle('notifications_per_packet'):.4f}"
            f" notifications/packet (at most 0.02)  {runs.middle('syscalls_per_packet'):.3f} syscalls/packet"
        )
    print(f"  SEQPACKET, sendmmsg and recvmmsg   {floor:9.0f}/s")
    print(f"  ratio: {there / floor:.1f} and {here / floor:.1f} times as many (at least 8)")


def large(seconds: float) -> None:
    sent = Runs(Load(seconds=seconds, direction="tx", size=65535, gso=True))
    received = Runs(Load(seconds=seconds, direction="rx", size=65535, gso=True))
    there, here, floor = turns(lambda: sent.of("gbps"), lambda: received.of("gbps"), lambda: memcpy(seconds) * 8 / 1000)
    print(f"64 KiB frames that are to be cut, one way: {there:.1f} and {here:.1f} Gbit/s, memcpy {floor:.1f}")
    print(f"  ratio: {there / floor:.2f} and {here / floor:.2f} of memcpy's (at least 0.55)")


def round_trips(seconds: float) -> None:
    runs = Runs(Load(seconds=seconds, direction="both", depth=1))
    for _ in range(ROUNDS):
        runs.of("pps")
    middle = statistics.median(each["latency_us"]["p50"] for each in runs.found)
    worst = statistics.median(each["latency_us"]["p99"] for each in runs.found)
    print(f"round trips of {SIZE} B by events: {middle:.1f} us (at most 30), p99 {worst:.1f} us")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    print(f"{os.cpu_count()} cores")
    small(seconds)
    large(seconds)
    round_trips(seconds)


if __name__ == "__main__":
    main()
