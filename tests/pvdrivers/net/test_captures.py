"""Reading captures: every byte order and resolution, several sections, and files that lie."""

import io
import os
import time
from contextlib import suppress
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvdrivers.net.captures import BadCapture, Captured, read
from pvdrivers.net.pcapng import SNAPLEN, Direction
from tests.pvdrivers.net.captured import block, enhanced, interface, option, run, section

FRAME = bytes(range(60))


def pcap(order: str, magic: int, *records: tuple[int, int, bytes, int], linktype: int = 1) -> bytes:
    head = pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, linktype)
    return head + b"".join(
        pack(order + "IIII", seconds, fraction, len(data), length) + data for seconds, fraction, data, length in records
    )


def frames(data: bytes) -> list[Captured]:
    return list(read(io.BytesIO(data)))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_pcap(order: str, magic: int, unit: int) -> None:
    data = pcap(order, magic, (5, 7, FRAME, 60), (0xFFFFFFFF, 999, FRAME[:20], 1514), (6, 0, b"", 60))
    assert frames(data) == [
        (5_000_000_000 + 7 * unit, FRAME, 60, 1, "", Direction.UNKNOWN, ()),
        (0xFFFFFFFF * 10**9 + 999 * unit, FRAME[:20], 1514, 1, "", Direction.UNKNOWN, ()),
        (6_000_000_000, b"", 60, 1, "", Direction.UNKNOWN, ()),
    ]


def test_a_link_type_is_told_without_what_stands_above_it() -> None:
    assert frames(pcap("<", 0xA1B2C3D4, (0, 0, FRAME, 60), linktype=0xF400_0071))[0].linktype == 0x71


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng(order: str) -> None:
    data = section(order)
    data += interface(order, options=option(2, b"eth0", order) + option(9, b"\x09", order))
    data += interface(order, options=option(9, b"\x8a", order) + option(14, pack(order + "q", 100), order))
    data += interface(order, snaplen=40)
    told = option(1, b"one", order) + option(1, b"two", order) + option(2, pack(order + "I", 2), order)
    data += enhanced(FRAME, order, time=1795991253_123456789, options=told + option(0, b"", order))
    # 1024ths of a second, from 100 seconds on; and what no option says is microseconds.
    data += enhanced(FRAME[:59], order, number=1, time=512)
    data += enhanced(FRAME, order, number=2, time=3)
    data += block(0xBAD, bytes(8), order) + block(5, bytes(12), order)
    # The obsolete block: interface and drops have 16 bits each.
    data += block(2, pack(order + "HHIIII", 2, 1, 0, 7, 60, 60) + FRAME, order)
    data += block(3, pack(order + "I", 33) + FRAME[:36], order)
    assert frames(data) == [
        (1795991253_123456789, FRAME, 60, 1, "eth0", Direction.OUTBOUND, ("one", "two")),
        (100_500_000_000, FRAME[:59], 60 - 1, 1, "", Direction.UNKNOWN, ()),
        (3000, FRAME, 60, 1, "", Direction.UNKNOWN, ()),
        (7000, FRAME, 60, 1, "", Direction.UNKNOWN, ()),
        (0, FRAME[:33], 33, 1, "eth0", Direction.UNKNOWN, ()),
    ]


def test_a_second_section_has_interfaces_order_and_resolution_of_its_own() -> None:
    data = section() + interface(options=option(2, b"first") + option(9, b"\x09")) + enhanced(FRAME, time=5)
    data += section(">") + interface(">", options=option(2, b"second", ">")) + enhanced(FRAME, ">", time=5)
    assert [(each.interface, each.time_ns) for each in frames(data)] == [("first", 5), ("second", 5000)]
    with pytest.raises(BadCapture, match="contradicts itself, at byte 56"):
        frames(section() + section() + enhanced(FRAME))


@pytest.mark.parametrize("way", ["pcap", "nsecpcap", "pcapng"])
def test_what_editcap_writes(tmp_path: Path, way: str) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    ours = section() + interface(options=option(9, b"\x09"))
    ours += b"".join(enhanced(FRAME[:size], time=1795991253_123456789 + size) for size in range(14, 60))
    source.write_bytes(ours)
    run("editcap", "-F", way, source, copy)
    step = 1000 if way == "pcap" else 1
    assert [(each.data, each.time_ns) for each in frames(copy.read_bytes())] == [
        (FRAME[:size], (1795991253_123456789 + size) // step * step) for size in range(14, 60)
    ]


HEAD = section() + interface()
LIES = {
    "nothing": (b"", "neither pcap nor pcapng"),
    "an archive": (b"PK\3\4" + bytes(60), "neither pcap nor pcapng"),
    "two bytes": (b"\xd4\xc3", "cut off at byte 2"),
    "half a header": (pcap("<", 0xA1B2C3D4)[:20], "cut off at byte 20"),
    "half a record": (pcap("<", 0xA1B2C3D4) + bytes(8), "cut off at byte 32"),
    "a record without its frame": (pcap("<", 0xA1B2C3D4) + pack("<IIII", 0, 0, 60, 60), "cut off at byte 40"),
    "a frame of 4 GiB": (pcap("<", 0xA1B2C3D4) + pack("<IIII", 0, 0, 2**32 - 1, 60), "a frame of 4294967295 bytes at"),
    "a frame above all": (
        pcap("<", 0xA1B2C3D4) + pack("<IIII", 0, 0, SNAPLEN + 1, 60) + bytes(SNAPLEN + 1),
        "a frame of 262145 bytes at byte 24",
    ),
    "a section of no order": (block(0x0A0D0D0A, bytes(16)), "no section begins at byte 0"),
    "a block of 4 GiB": (HEAD + pack("<II", 6, 2**32 - 4), "a block of 4294967292 bytes at byte 48"),
    "a block of nothing": (HEAD + pack("<III", 6, 0, 0), "a block of 0 bytes at byte 48"),
    "a block of 13 bytes": (HEAD + pack("<II", 6, 13) + bytes(40), "a block of 13 bytes at byte 48"),
    "a block with two lengths": (HEAD + enhanced(FRAME)[:-4] + pack("<I", 96), "a block with two lengths at byte 48"),
    "a block that is cut off": (HEAD + enhanced(FRAME)[:-1], "cut off at byte 139"),
    "a frame above its block": (HEAD + enhanced(FRAME, size=61), "a frame of 61 bytes at byte 48"),
    "an interface that is not there": (HEAD + enhanced(FRAME, number=1), "contradicts itself, at byte 48"),
    "no interface at all": (section() + block(3, pack("<I", 4) + bytes(4)), "contradicts itself, at byte 28"),
    "a packet without a head": (HEAD + block(6, bytes(16)), "contradicts itself, at byte 48"),
    "an option above its block": (
        HEAD + enhanced(FRAME, options=pack("<HH", 1, 5) + b"four"),
        "an option of 5 bytes in the block at byte 48",
    ),
    "flags of two bytes": (HEAD + enhanced(FRAME, options=option(2, b"ab")), "contradicts itself, at byte 48"),
    "a resolution of no byte": (section() + interface(options=option(9, b"")), "contradicts itself, at byte 28"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_lies_is_named_with_its_place(lie: str) -> None:
    data, message = LIES[lie]
    with pytest.raises(BadCapture, match=message):
        frames(data)


def test_what_came_before_damage_was_given() -> None:
    reading = read(io.BytesIO(HEAD + enhanced(FRAME) + enhanced(FRAME)[:50]))
    assert next(reading).data == FRAME
    with pytest.raises(BadCapture):
        next(reading)


def test_a_frame_comes_before_the_next_is_there() -> None:
    source, sink = os.pipe()
    with os.fdopen(source, "rb") as file, os.fdopen(sink, "wb", 0) as to:
        reading = read(file)
        to.write(HEAD + enhanced(FRAME))
        # A pipe gives what there is, and Python reads on until it has all that was asked for.
        assert next(reading).data == FRAME
        to.write(enhanced(FRAME[:20]))
        assert next(reading).data == FRAME[:20]


def test_interfaces_are_bounded_and_so_are_their_names() -> None:
    many = interface(options=option(2, b"n" * 60000))
    assert frames(section() + many + enhanced(FRAME))[0].interface == "n" * 255
    with pytest.raises(BadCapture, match="more than 65536 interfaces"):
        frames(section() + interface() * 65537)


@given(st.sampled_from(["pcap", "little", "big"]), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=9))))
def test_damage_is_told_and_nothing_else(kind: str, damage: list[tuple[int, bytes]]) -> None:
    order = ">" if kind == "big" else "<"
    whole = pcap("<", 0xA1B2C3D4, (5, 7, FRAME, 60), (5, 8, FRAME, 60)) if kind == "pcap" else b""
    if not whole:
        told = option(2, b"eth0", order) + option(9, b"\x09", order)
        whole = section(order) + interface(order, options=told)
        whole += (enhanced(FRAME, order, options=option(1, b"said", order)) + enhanced(FRAME, order)) * 2
    data = bytearray(whole)
    for at, instead in damage:
        data[at : at + len(instead)] = instead
    got: list[Captured] = []
    with suppress(BadCapture):
        got.extend(read(io.BytesIO(bytes(data))))
    assert sum(len(each.data) for each in got) <= len(data)


def test_time_is_told_as_it_is_by_tshark(tmp_path: Path) -> None:
    path = tmp_path / "c.pcapng"
    path.write_bytes(section() + interface(options=option(9, b"\x8a")) + enhanced(FRAME, time=(1795991253 << 10) + 1))
    (told,) = run("tshark", "-r", path, "-T", "fields", "-e", "frame.time_epoch").split()
    (ours,) = frames(path.read_bytes())
    assert f"{ours.time_ns // 10**9}.{ours.time_ns % 10**9:09}" == told
    assert time.gmtime(ours.time_ns // 10**9).tm_year == 2026
