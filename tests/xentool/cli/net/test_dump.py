"""``xentool net dump`` of a loopback's vifs, as users call it; tshark says what is in it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pvdrivers.abi.netif import GsoType
from pvdrivers.bus.nodes import Peer
from pvdrivers.net.frame import Checksum, Frame, Offload
from pvdrivers.net.front import frontend
from pvdrivers.net.front.frontend import Options
from pvdrivers.transport.loopback import Loopback
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.frames import TCP_HEADER, UDP_HEADER, frame
from tests.pvdrivers.net.lanes import STUCK, TestsLane, TestsPort
from tests.xentool.cli.running import run
from tests.xentool.cli.serving import serving

#: With right sums, as scapy makes them.
RIGHT = frame("untagged", "ipv4", UDP_HEADER, b"right")
PLAIN = Frame(RIGHT)
BLANK = Frame(RIGHT[:40] + b"\x12\x34" + RIGHT[42:], Offload(Checksum.BLANK))
LARGE = Frame(frame("untagged", "ipv4", TCP_HEADER, bytes(9000)), Offload(Checksum.BLANK, GsoType.TCPV4, 1448))
BIG = Frame(bytes(12) + bytes.fromhex("88b5") + bytes(8000))
FIELDS = (
    "frame.len",
    "frame.packet_flags_direction",
    "frame.interface_name",
    "frame.interface_queue",
    "frame.packet_id",
    "frame.comment",
)


@contextmanager
def joined(guest: Loopback, handle: int = 0) -> Iterator[TestsLane]:
    """Run a frontend; give the lane by which the test sends and is sent frames."""
    port = TestsPort()
    with frontend.joined(guest, f"/local/domain/1/device/vif/{handle}", port, Options(pages=64)):
        yield port.lanes[0]


@contextmanager
def dumping(place: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the command; it watches by now, if it ever does."""
    argv = [sys.executable, "-m", "xentool", "net", "dump", "--loopback", str(place), *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def begun(path: Path) -> None:
    # It watches before it writes.
    until(lambda: path.exists() and path.stat().st_size > 0)


def end(process: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
    process.send_signal(number)
    _, stderr = process.communicate(timeout=STUCK)
    # click ends the line that the terminal has ^C in.
    return process.returncode, stderr.decode().rstrip("\n")


def shown(path: Path) -> list[list[str]]:
    """Give what tshark finds in a capture."""
    argv = ["tshark", "-r", str(path), "-T", "fields", *(word for field in FIELDS for word in ("-e", field))]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_both_ways_as_tshark_shows_them(tmp_path: Path) -> None:
    place, capture = tmp_path / "loop", tmp_path / "vif.pcapng"
    capture.write_bytes(b"before")
    capture.chmod(0o644)
    vifs = ["--vif", "port=switch,handle=0", "--vif", "port=switch,handle=1"]
    with (
        serving(place, *vifs, group="net"),
        Loopback(place, 1) as guest,
        joined(guest) as here,
        joined(guest, 1) as there,
        dumping(place, "--vif", "0", "-o", str(capture)) as dump,
    ):
        until(lambda: capture.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a")
        here.give([PLAIN, BLANK, LARGE])
        there.got(3)
        there.give([PLAIN])
        here.got(1)
        assert end(dump) == (130, "xentool: 4 packets, 0 lost")
    assert capture.stat().st_mode & 0o777 == 0o600
    rows = shown(capture)
    assert [row[:5] for row in rows] == [
        [str(len(RIGHT)), "0x00000001", "vif1.0", "0", "0"],
        [str(len(RIGHT)), "0x00000001", "vif1.0", "0", "1"],
        [str(len(LARGE.data)), "0x00000001", "vif1.0", "0", "2"],
        [str(len(RIGHT)), "0x00000002", "vif1.0", "0", "3"],
    ]
    plain, blank, large, back = (row[5] for row in rows)
    assert plain.startswith("1 slot; id ")
    assert plain.endswith(f" 0+{len(RIGHT)} OKAY")
    assert blank.endswith("; flags csum_blank data_validated; checksum blank: the pseudo-header's sum alone")
    assert large.startswith("3 slots and 1 extra; id ")
    assert "; GSO TCPV4, segments of 1448 bytes" in large
    assert " gref " in back
    checked = subprocess.run(
        ["tshark", "-o", "udp.check_checksum:TRUE", "-r", str(capture), "-T", "fields", "-e", "udp.checksum.status"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    # 1 is good, 0 is bad: what is blank Wireshark cannot know, and the comment tells.
    assert [checked[at] for at in (0, 1, 3)] == ["1", "0", "1"]


def test_a_pipe_has_it_at_once(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    argv = ["tshark", "-l", "-r", "-", "-T", "fields", "-e", "frame.len"]
    with (
        serving(place, "--vif", "port=null,handle=2", group="net"),
        Loopback(place, 1) as guest,
        joined(guest, 2) as here,
        dumping(place, "1", "-o", "-", "-n", "2") as dump,
        subprocess.Popen(argv, stdin=dump.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as shark,
    ):
        assert dump.stdout
        dump.stdout.close()

        def over() -> bool:
            # Until it watches, what is sent is not shown.
            here.give([PLAIN])
            return dump.poll() is not None

        until(over)
        assert shark.stdout
        assert shark.stdout.read().split() == [b"%d" % len(RIGHT)] * 2
        assert dump.stderr
        assert (dump.stderr.read(), dump.returncode) == (b"xentool: 2 packets, 0 lost\n", 0)


def test_a_time_is_enough_and_so_is_the_daemons_end(tmp_path: Path) -> None:
    place, one, other = tmp_path / "loop", tmp_path / "one", tmp_path / "other"
    with serving(place, "--vif", "port=null", group="net") as served:
        done = run("net", "dump", "--loopback", str(place), "-d", "0.1", "-o", str(one))
        assert (done.returncode, done.stderr) == (0, "xentool: 0 packets, 0 lost\n")
        with dumping(place, "-o", str(other)) as dump:
            begun(other)
            assert served.end() == 0
            _, stderr = dump.communicate(timeout=STUCK)
        assert (dump.returncode, stderr) == (0, b"xentool: 0 packets, 0 lost; its daemon has ended\n")
    assert shown(one) == shown(other) == []
    assert one.read_bytes() == other.read_bytes()


def test_who_never_takes_costs_the_daemon_nothing_but_a_bound(tmp_path: Path) -> None:
    place, capture = tmp_path / "loop", tmp_path / "late"
    count = 2000
    with (
        serving(place, "--vif", "port=null", "--json", group="net") as served,
        Loopback(place, 1) as guest,
        joined(guest) as here,
    ):
        done = Peer(guest.store, "/local/domain/0/backend/uvif/1/0")
        with dumping(place, "-o", str(capture)) as dump:
            begun(capture)
            dump.send_signal(signal.SIGSTOP)
            before = resident(served.process.pid)
            here.give([BIG] * count)
            # All of it goes on, though nobody takes what is shown.
            until(lambda: done.number("statistics/tx-packets", 0, count, 0) == count)
            # 16 MB went by, of which a quarter is kept, and what Python has besides.
            assert resident(served.process.pid) - before < 12 << 20
            dump.send_signal(signal.SIGCONT)
            code, said = end(dump)
        assert served.end() == 0
        assert served.rows[-1]["tx_packets"] == count
    rows = shown(capture)
    assert code == 130
    assert said == f"xentool: {len(rows):,} packets, {count - len(rows):,} lost"
    assert 100 < len(rows) < count


def resident(pid: int) -> int:
    """Give how many bytes of memory a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_what_cannot_be_dumped(tmp_path: Path) -> None:
    place = str(tmp_path / "loop")
    there, capture = ["--loopback", place], tmp_path / "x.pcapng"
    with serving(Path(place), "--vif", "port=null,handle=3", group="net"):
        for words, code, said in (
            ([], 2, "give a DOMAIN, or --loopback"),
            ([*there, "--vif", "1"], 1, f"xentool: loopback {place} has no vif 1; served are vif1.3"),
            ([*there, "7"], 1, f"xentool: no daemon serves vifs of loopback {place}: `xentool net serve` is one"),
            ([*there, "web"], 1, "xentool: domains of a loopback are numbers, not 'web'"),
            (["--loopback", str(tmp_path / "none")], 1, "xentool: no daemon serves vifs of loopback "),
            (["7"], 1, "xentool: no daemon serves vifs of domain 7"),
        ):
            done = run("net", "dump", *words, "-o", str(capture))
            assert (done.returncode, said in done.stderr, done.stdout) == (code, True, ""), done.stderr
            assert code == 2 or done.stderr.count("\n") == 1
            # Nothing to watch leaves files alone.
            assert not capture.exists()
        done = run("net", "dump", *there, "-o", "/dev/full", "-d", "9")
        assert (done.returncode, done.stderr) == (1, "xentool: cannot write /dev/full: No space left on device\n")
        link = tmp_path / "link"
        link.symlink_to(capture)
        done = run("net", "dump", *there, "-o", str(link))
        assert done.returncode == 1
        assert done.stderr.startswith(f"xentool: cannot write {link}: ")
