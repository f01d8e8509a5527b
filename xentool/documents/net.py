"""What network interfaces do."""

from typing import Any, Literal, NotRequired, TypedDict


class NetBench(TypedDict):
    """``xentool net bench --json``: what was asked for, and what was measured of it."""

    schema: Literal["xentool.net.bench/1"]
    direction: Literal["tx", "rx", "both"]
    size: int  # bytes of a frame
    gso: bool
    depth: int  # frames under way at most
    pps: int  # frames a second that reached the far port; with `both` each came back as well
    gbps: float  # 10^9 bits a second of those frames, without a wire's preambles, gaps and check sequences
    latency_us: "Latency | None"  # one way, with `both` there and back; null where the far end does not tell
    latency_max_us: float | None
    notifications_per_packet: float  # of both ends; a packet is a frame over a ring, either way
    syscalls_per_packet: float  # likewise
    slots_per_packet: float  # of the ring, extras and all
    sent: int  # frames that were made; 0 where the far end makes them and does not tell
    frames: int  # that reached the far port
    bytes: int  # of those
    seconds: float
    features: "Features"
    repeats: "NotRequired[list[Any]]"  # with --repeat: each run, as this one, which is the median by pps


class Latency(TypedDict):
    """Within how many microseconds shares of all frames were there; 1.6 % off at most."""

    p50: float
    p99: float
    p999: float


class Features(TypedDict):
    """What both ends have agreed on, by the names of its nodes."""

    sg: bool  # frames in more than one slot
    gso_tcpv4: bool  # frames of TCP over IPv4 that are to be cut
    gso_tcpv6: bool
    csum_offload: bool  # blank checksums over IPv4
    ipv6_csum_offload: bool
    split_event_channels: bool  # a channel for each ring
