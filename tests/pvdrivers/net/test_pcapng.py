"""Captures that we write, as tshark, capinfos and tcpdump read them, and what editcap and mergecap make of them."""

from pathlib import Path

import pytest

from pvdrivers.abi.netif import GsoType
from pvdrivers.net.captures import read
from pvdrivers.net.frame import PLAIN, Checksum, Offload
from pvdrivers.net.pcapng import SNAPLEN, Direction, Interface, Writer, remark
from tests.pvdrivers.net.captured import run, shown

#: 2026-11-29 22:27:33.123456789
TIME = 1795991253_123456789
UDP = bytes.fromhex(
    "00163e000002 00163e000001 0800 4500 001e 0001 0000 40 11 0000 0a000001 0a000002 1388 1389 000a 0000 6869"
)


def write(path: Path) -> None:
    with path.open("wb") as file:
        writer = Writer(file, [Interface("vif3.0", "mac 00:16:3e:00:00:01"), Interface("eth0")])
        writer.write(0, TIME, UDP, inbound=True, comment="slots 3 to 4, gref 17; grün", queue=2, packet_id=1 << 40)
        writer.write(1, TIME + 1, memoryview(UDP)[:41], inbound=False, dropped=(1 << 33) + 5)
        writer.write(0, TIME + 2, UDP + bytes(65549 - len(UDP)), inbound=False, queue=0)
        writer.write(0, TIME + 3, UDP[:14], inbound=True, comment="x" * 70000)
        writer.flush()


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    write(tmp_path / "c.pcapng")
    return tmp_path / "c.pcapng"


OPTIONS = ["interface_name", "packet_flags_direction", "interface_queue", "packet_id", "drop_count", "len"]
TOLD = [
    ["vif3.0", "0x00000001", "2", str(1 << 40), "", "44"],
    ["eth0", "0x00000002", "", "", str((1 << 33) + 5), "41"],
    ["vif3.0", "0x00000002", "0", "", "", "65549"],
    ["vif3.0", "0x00000001", "", "", "", "14"],
]
TIMES = [[f"1795991253.{123456789 + at}"] for at in range(4)]


def told(capture: Path) -> list[list[str]]:
    return shown(capture, *(f"frame.{name}" for name in OPTIONS))


def test_tshark_shows_all_of_it(capture: Path) -> None:
    assert told(capture) == TOLD
    assert shown(capture, "frame.time_epoch") == TIMES
    comments = shown(capture, "frame.comment")
    assert comments[:3] == [["slots 3 to 4, gref 17; grün"], [""], [""]]
    # tshark shows the beginning of a long one.
    assert comments[3][0].startswith("x" * 100)
    assert shown(capture, "udp.dstport", "udp.payload")[0] == ["5001", "6869"]


def test_capinfos_knows_its_interfaces(capture: Path) -> None:
    lines = {line.strip() for line in run("capinfos", capture).splitlines()}
    for line in (
        "Number of packets:   4",
        "Capture application: xentool",
        "Number of interfaces in file: 2",
        "Name = vif3.0",
        "Comment = mac 00:16:3e:00:00:01",
        f"Capture length = {SNAPLEN}",
    ):
        assert line in lines


def test_tcpdump_reads_it_with_several_interfaces(capture: Path) -> None:
    lines = run("tcpdump", "-n", "--nano", "-tt", "-r", capture).splitlines()
    assert len(lines) == 4
    assert lines[0] == "1795991253.123456789 IP 10.0.0.1.5000 > 10.0.0.2.5001: UDP, length 2"


@pytest.mark.parametrize("way", ["editcap", "mergecap", "tshark"])
def test_what_others_write_of_it_has_all_of_it(capture: Path, tmp_path: Path, way: str) -> None:
    copy = tmp_path / "copy.pcapng"
    run(
        *{
            "editcap": ("editcap", capture, copy),
            "mergecap": ("mergecap", "-w", copy, capture),
            "tshark": ("tshark", "-r", capture, "-w", copy),
        }[way]
    )
    assert told(copy) == TOLD
    with capture.open("rb") as ours, copy.open("rb") as theirs:
        assert [each._replace(comments=()) for each in read(theirs)] == [
            each._replace(comments=()) for each in read(ours)
        ]


def test_it_is_read_as_it_was_written(capture: Path) -> None:
    with capture.open("rb") as file:
        first, second, third, fourth = read(file)
    assert first == (TIME, UDP, 44, 1, "vif3.0", Direction.INBOUND, ("slots 3 to 4, gref 17; grün",))
    assert second == (TIME + 1, UDP[:41], 41, 1, "eth0", Direction.OUTBOUND, ())
    assert (third.data[:44], third.length) == (UDP, 65549)
    assert fourth.comments == ("x" * 65535,)


def test_a_comment_is_cut_between_characters(tmp_path: Path) -> None:
    with (tmp_path / "c").open("w+b") as file:
        Writer(file, [Interface("a")]).write(0, 0, UDP, inbound=True, comment="x" + "ü" * 40000)
        file.seek(0)
        assert [each.comments for each in read(file)] == [("x" + "ü" * 32767,)]


def test_no_frame_is_longer_than_every_reader_takes(tmp_path: Path) -> None:
    path = tmp_path / "long.pcapng"
    with path.open("wb") as file:
        writer = Writer(file, [Interface("a")])
        writer.write(0, 0, UDP + bytes(SNAPLEN - 44), inbound=True)
        with pytest.raises(ValueError, match="a frame of 262145 bytes"):
            writer.write(0, 0, UDP + bytes(SNAPLEN - 43), inbound=True)
    assert shown(path, "frame.len", "frame.cap_len") == [[str(SNAPLEN)] * 2]
    assert "length 2" in run("tcpdump", "-n", "-r", path)


def test_going_on_with_a_file_adds_frames_alone(capture: Path) -> None:
    with capture.open("ab") as file:
        Writer(file, [Interface("vif3.0"), Interface("eth0")], begun=True).write(1, TIME + 4, UDP, inbound=True)
    assert told(capture) == [*TOLD, ["eth0", "0x00000001", "", "", "", "44"]]
    assert "Number of interfaces in file: 2\n" in run("capinfos", capture)


def test_there_are_no_interfaces_but_those_at_the_top(tmp_path: Path) -> None:
    with (tmp_path / "c").open("wb") as file:
        writer = Writer(file, [Interface("a")])
        for number in (-1, 1):
            with pytest.raises(ValueError, match=f"interface {number} of 1"):
                writer.write(number, 0, UDP, inbound=True)


def test_what_is_left_to_do_is_said_in_words() -> None:
    assert remark(PLAIN) == ""
    assert remark(Offload(Checksum.VALIDATED)) == "checksum validated"
    assert remark(Offload(Checksum.BLANK, GsoType.TCPV6, 1448)) == (
        "checksum blank: the pseudo-header's sum alone; GSO TCPV6, segments of 1448 bytes"
    )
