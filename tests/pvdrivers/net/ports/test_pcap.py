"""Files as ports: what is sent is what others read in the capture, and what others have captured is received."""

import os
import resource
import select
import threading
from pathlib import Path

import pytest

from pvdrivers.abi.netif import GsoType
from pvdrivers.errors import MachineError
from pvdrivers.net.frame import Frame
from pvdrivers.net.ports import open_port
from pvdrivers.net.ports.base import ALL
from tests.pvdrivers.block.rig import descriptors
from tests.pvdrivers.net.captured import enhanced, interface, run, section, shown
from tests.pvdrivers.net.lanes import taken
from tests.pvdrivers.net.ports.hosts import BLANK, MSS, NOTHING, UDP_AT, large, odd, opened, udp, unsummed


def test_what_is_sent_is_in_the_file_with_what_is_left_to_do(tmp_path: Path) -> None:
    path = tmp_path / "c.pcapng"
    data = udp(GsoType.TCPV4, b"payload")
    with opened(f"pcap:{path}", 2) as (port, lanes):
        assert (port.name, port.carrier) == (f"pcap:{path}", True)
        assert taken(lanes[0], [Frame(data), Frame(unsummed(data, UDP_AT[GsoType.TCPV4]), BLANK)]) == 2
        lanes[1].send([large(GsoType.TCPV4, bytes(60000))])
        # Before it is closed.
        told = shown(path, "frame.interface_queue", "frame.packet_flags_direction", "frame.len", "frame.comment")
        assert [lane.fileno() for lane in lanes] == [-1, -1]
        assert [lane.receive(64) for lane in lanes] == [(), ()]
    inbound = "0x00000001"
    blank = "checksum blank: the pseudo-header's sum alone"
    assert told == [
        ["0", inbound, str(len(data)), ""],
        ["0", inbound, str(len(data)), blank],
        ["1", inbound, "60054", f"{blank}; GSO TCPV4, segments of {MSS} bytes"],
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_frontends_that_come_and_go_are_in_one_section(tmp_path: Path) -> None:
    path = tmp_path / "c.pcapng"
    path.touch(0o644)
    port = open_port(f"pcap:{path}")
    for size in (60, 61, 62):
        (lane,) = port.open(1, ALL)
        lane.send([Frame(odd(size))])
        port.close()
    assert shown(path, "frame.len", "frame.interface_name") == [["60", "vif"], ["61", "vif"], ["62", "vif"]]
    assert "Number of interfaces in file: 1\n" in run("capinfos", path)
    assert path.stat().st_mode & 0o777 == 0o600


def recorded(path: Path, size: int) -> None:
    """Record a frame, as another process would."""
    with opened(f"pcap:{path}") as (_, (lane,)):
        lane.send([Frame(odd(size))])


@pytest.mark.parametrize("torn", [0, 1, 4, 11, 50])
def test_what_was_recorded_is_gone_on_with_whoever_was_killed_over_it(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "c.pcapng"
    for size in (60, 61):
        recorded(path, size)
    begun = path.read_bytes()
    recorded(path, 62)
    # Of the last block some bytes alone.
    path.write_bytes(path.read_bytes()[: len(begun) + torn])
    recorded(path, 63)
    assert shown(path, "frame.len") == [["60"], ["61"], ["63"]]
    assert path.read_bytes()[: len(begun)] == begun


@pytest.mark.parametrize("size", [1, 20, 60])
def test_a_file_that_was_hardly_begun_is_begun_anew(tmp_path: Path, size: int) -> None:
    path = tmp_path / "c.pcapng"
    recorded(path, 60)
    path.write_bytes(path.read_bytes()[:size])
    recorded(path, 61)
    assert shown(path, "frame.len") == [["61"]]


def test_what_is_no_record_of_ours_stays_as_it_is(tmp_path: Path) -> None:
    ours, path = tmp_path / "ours", tmp_path / "c"
    recorded(ours, 60)
    whole = ours.read_bytes()
    last = len(whole) - int.from_bytes(whole[-4:], "little")
    for content, why in {
        b"notes\n": "it begins otherwise",
        section() + interface() + enhanced(odd(60)): "it begins otherwise",
        whole + bytes(16): f"a block of 0 bytes at byte {len(whole)}",
        whole[:-1] + b"\1": f"a block with two lengths at byte {last}",
        whole + b"\6\0\0\0" + (1 << 25).to_bytes(4, "little"): f"a block of {1 << 25} bytes at byte {len(whole)}",
    }.items():
        path.write_bytes(content)
        path.chmod(0o644)
        before = descriptors()
        with pytest.raises(MachineError) as caught:
            open_port(f"pcap:{path}").open(1, ALL)
        said = f"{path} is there, and nothing that was recorded here ({why}): name another file"
        assert str(caught.value) == said
        assert (path.read_bytes(), path.stat().st_mode & 0o777, descriptors()) == (content, 0o644, before)


def test_lanes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.pcapng"
    frames = [[Frame(odd(60 + number)) for _ in range(200)] for number in range(3)]
    with opened(f"pcap:{path}", 3) as (_, lanes):
        threads = [
            threading.Thread(target=lambda lane=lane, those=those: [lane.send([each]) for each in those])
            for lane, those in zip(lanes, frames, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = shown(path, "frame.interface_queue", "frame.len")
    assert [told.count([str(number), str(60 + number)]) for number in range(3)] == [200] * 3
    assert len(told) == 600


@pytest.mark.parametrize("way", ["pcap", "nsecpcap", "pcapng"])
def test_what_others_captured_is_received_anew_by_each_frontend(tmp_path: Path, way: str) -> None:
    source, copy, to = tmp_path / "source", tmp_path / "copy", tmp_path / "to, with a comma"
    frames = [Frame(odd(size)) for size in range(14, 114)]
    source.write_bytes(section() + interface() + b"".join(enhanced(bytes(each.data)) for each in frames))
    run("editcap", "-F", way, source, copy)
    port = open_port(f"pcap:{to},from={copy}")
    assert port.name == f"pcap:{to},from={copy}"
    for _ in range(2):
        first, second = port.open(2, NOTHING)
        got: list[Frame] = []
        while select.select([first], [], [], 0)[0]:
            some = first.receive(30)
            assert len(some) <= 30
            got += some
        assert got == frames
        assert second.fileno() == -1
        first.send(got[:1])
        port.close()
    assert len(shown(to, "frame.len")) == 2


def test_what_is_no_whole_frame_of_ethernet_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "c"
    raw_ip = interface().replace(b"\x01\0\0\0\x14\0\0\0\x01\0", b"\x01\0\0\0\x14\0\0\0\x65\0")
    cut = bytearray(enhanced(odd(60)))
    cut[24:28] = (1514).to_bytes(4, "little")
    frames = [Frame(odd(60)), Frame(odd(61))]
    data = section() + interface() + raw_ip
    data += enhanced(bytes(frames[0].data)) + enhanced(odd(60), number=1) + bytes(cut)
    path.write_bytes(data + enhanced(odd(14)[:13]) + enhanced(bytes(frames[1].data)))
    with opened(f"pcap:from={path}", reader=NOTHING) as (port, (lane,)):
        assert port.name == f"pcap:from={path}"
        assert lane.receive(64) == frames
        assert (lane.stats.lost, lane.stats.received) == (3, 2)
        assert lane.receive(64) == []
        assert taken(lane, frames) == 2


def test_a_source_that_is_damaged_gives_what_is_before(tmp_path: Path) -> None:
    path = tmp_path / "c"
    frame = Frame(odd(60))
    whole = enhanced(bytes(frame.data))
    path.write_bytes(section() + interface() + whole * 2 + whole[:-9])
    with opened(f"pcap:from={path}") as (_, (lane,)):
        assert lane.receive(64) == [frame, frame]
        assert select.select([lane], [], [], 0)[0]
        with pytest.raises(MachineError, match=f"^cannot read {path}: cut off at byte 315$"):
            lane.receive(64)


def test_what_cannot_be_opened_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no capture\n")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    before = descriptors()
    for spec, told in {
        f"pcap:{tmp_path}/no/where": f"cannot open {tmp_path}/no/where: No such file or directory",
        f"pcap:{tmp_path}": f"cannot open {tmp_path}: Is a directory",
        f"pcap:{tmp_path}/link": f"cannot open {tmp_path}/link: Too many levels of symbolic links",
        f"pcap:{tmp_path}/to,from={tmp_path}/none": f"cannot open {tmp_path}/none: No such file or directory",
        f"pcap:from={tmp_path}/text": f"cannot read {tmp_path}/text: neither pcap nor pcapng",
        f"pcap:from={tmp_path}/fifo": f"{tmp_path}/fifo is no file",
        f"pcap:from={tmp_path}": f"{tmp_path} is no file",
    }.items():
        with pytest.raises(MachineError) as caught:
            open_port(spec).open(1, ALL)
        assert str(caught.value) == told
    assert descriptors() == before
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with opened(f"pcap:{path}") as (_, (lane,)):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            with pytest.raises(MachineError, match=f"^cannot write {path}: File too large$"):
                lane.send([Frame(odd(1514))] * 4)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        # Nothing of those is there, or what is written when there is room again could not be read.
        lane.send([Frame(odd(60))])
    assert shown(path, "frame.len") == [["60"]]


def test_a_file_is_written_by_one_and_not_read_meanwhile(tmp_path: Path) -> None:
    path, source = tmp_path / "c", tmp_path / "source"
    kept = section() + interface() + enhanced(odd(60))
    source.write_bytes(kept)
    with opened(f"pcap:{path}") as (_, (lane,)):
        lane.send([Frame(odd(61))])
        with pytest.raises(MachineError, match=f"^{path} is taken: another vif is recorded there; name another file$"):
            open_port(f"pcap:{path}").open(1, ALL)
        assert shown(path, "frame.len") == [["61"]]
    (tmp_path / "same").hardlink_to(source)
    for name in "source", "same":
        with pytest.raises(MachineError, match=r"cannot be read and written: name another file$"):
            open_port(f"pcap:{tmp_path / name},from={source}").open(1, ALL)
    assert source.read_bytes() == kept


@pytest.mark.parametrize("count", [1, 3])
def test_a_source_without_a_frame_for_a_vif_is_refused(tmp_path: Path, count: int) -> None:
    path = tmp_path / "c"
    raw_ip = interface().replace(b"\x01\0\0\0\x14\0\0\0\x01\0", b"\x01\0\0\0\x14\0\0\0\x65\0")
    path.write_bytes(section() + raw_ip + enhanced(odd(60)) * count)
    before = descriptors()
    with pytest.raises(MachineError, match=f"^{path} has no frame of Ethernet that was kept whole$"):
        open_port(f"pcap:from={path}").open(1, ALL)
    assert descriptors() == before
