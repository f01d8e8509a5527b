"""``xentool net serve`` on a loopback, as users call it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from pvdrivers.bus.nodes import Peer
from pvdrivers.net import captures
from pvdrivers.net.frame import Frame
from pvdrivers.net.front import frontend
from pvdrivers.net.front.frontend import Frontend, Options
from pvdrivers.transport.loopback import Loopback
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.net.lanes import TestsLane, TestsPort
from tests.xentool.cli.running import run
from tests.xentool.cli.serving import serving

ONE, OTHER = bytes.fromhex("00163e000001"), bytes.fromhex("00163e000002")
#: One queue of few pages.
SMALL = Options(pages=64)


def frame(to: bytes, sender: bytes, number: int) -> Frame:
    return Frame(to + sender + bytes.fromhex("88b5") + bytes([number]) * 46)


@contextmanager
def joined(guest: Loopback, front: str) -> Iterator[tuple[Frontend, TestsLane]]:
    """Run a frontend; give it, and the lane by which the test sends and is sent frames."""
    port = TestsPort()
    with frontend.joined(guest, f"/local/domain/{guest.domid}/device/{front}", port, SMALL) as end:
        device = end.device
        assert isinstance(device, Frontend)
        yield device, port.lanes[0]


def test_vifs_of_two_domains_meet_at_a_switch(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    vifs = ["--vif", "port=switch:lan,mac=00:16:3E:00:00:01,mtu=1400", "--vif", "domain=7,port=switch:lan,rate=80Mb/s"]
    vifs += ["--vif", "port=null,handle=5", "--vif", "port=switch:other,front=user,queues=1"]
    with serving(place, *vifs, "--json", group="net") as served:
        assert served.said == "xentool: serving vif0 of domain 1, vif5 of domain 1, uvif1 of domain 1, vif0 of domain 7"
        with Loopback(place, 1) as one, Loopback(place, 7) as other:
            own = Peer(one.store, "/local/domain/1/device/vif/0")
            assert (own.text("mac"), own.text("mtu"), own.text("handle")) == ("00:16:3e:00:00:01", "1400", "0")
            assert Peer(other.store, "/local/domain/0/backend/uvif/7/0").text("rate") == "500000,50000"
            with joined(one, "vif/0") as (_, here), joined(other, "vif/0") as (_, there), joined(one, "uvif/1"):
                assert Peer(one.store, "/local/domain/0/backend/unet/1/1").text("multi-queue-max-queues") == "1"
                sent = [frame(OTHER, ONE, number) for number in range(50)]
                here.give(sent)
                assert there.got(50) == sent
                answers = [frame(ONE, OTHER, number) for number in range(30)]
                there.give(answers)
                assert here.got(30) == answers
        assert served.end() == 0
    by_vif = {(row["domid"], row["device"]): row for row in served.rows}
    assert set(by_vif) == {(1, "vif0"), (1, "vif5"), (1, "uvif1"), (7, "vif0")}
    assert {row["schema"] for row in served.rows} == {"xentool.served.vif/1"}
    one_row, other_row = by_vif[1, "vif0"], by_vif[7, "vif0"]
    assert (one_row["tx_packets"], one_row["tx_bytes"], one_row["rx_packets"]) == (50, 50 * 60, 30)
    assert (other_row["rx_packets"], other_row["tx_packets"]) == (50, 30)
    assert by_vif[1, "uvif1"]["rx_packets"] == 0
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)])
def test_what_was_taken_is_sent_on_before_the_end(tmp_path: Path, number: signal.Signals, status: int) -> None:
    place, capture = tmp_path / "loop", tmp_path / "sent.pcapng"
    with (
        serving(place, "--vif", f"port=pcap:{capture}", "--json", group="net") as served,
        Loopback(place, 1) as guest,
        joined(guest, "vif/0") as (device, here),
    ):
        here.give(frame(OTHER, ONE, index % 256) for index in range(2000))
        until(lambda: capture.stat().st_size > 4096)
        assert served.end(number) == status
        sent = device.statistics()["tx_packets"]
    with capture.open("rb") as file:
        kept = [each.data[14] for each in captures.read(file)]
    # What it had not taken it never answered.
    assert 0 < len(kept) == served.rows[-1]["tx_packets"] <= sent
    assert kept == [index % 256 for index in range(len(kept))]


def test_a_capture_is_gone_on_with_when_it_is_served_again(tmp_path: Path) -> None:
    place, capture = tmp_path / "loop", tmp_path / "sent.pcapng"
    for number in range(2):
        with (
            serving(place, "--vif", f"port=pcap:{capture}", group="net") as served,
            Loopback(place, 1) as guest,
            joined(guest, "vif/0") as (_, here),
        ):
            here.give([frame(OTHER, ONE, number)])
            until(partial(_recorded, capture, number + 1))
            assert served.end() == 0
        assert _recorded(capture, number + 1)


def _recorded(capture: Path, count: int) -> bool:
    with capture.open("rb") as file:
        return [each.data for each in captures.read(file)] == [
            frame(OTHER, ONE, number).data for number in range(count)
        ]


def test_the_statistics_are_told_again_and_again(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    with serving(place, "--vif", "port=null", "--json", "--interval", "0.1", group="net") as served:
        assert served.process.stdout
        with Loopback(place, 1) as guest, joined(guest, "vif/0") as (_, here):
            here.give([frame(OTHER, ONE, 1)])
            statistics = Peer(guest.store, "/local/domain/0/backend/uvif/1/0")
            until(lambda: statistics.number("statistics/tx-packets", 0, 9, 0) == 1)
            first = served.process.stdout.readline()
            assert '"device": "vif0"' in first
        assert served.end() == 0
    assert served.rows[-1]["device"] == "vif0"


def test_what_is_served_can_be_measured(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    with serving(place, "--vif", "port=null", "--json", group="net") as served:
        done = run("net", "bench", "--loopback", str(place), "--seconds", "0.3", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert served.end() == 0
    assert 0 < json.loads(done.stdout)["frames"] <= served.rows[0]["tx_packets"]


def test_what_cannot_be_served(tmp_path: Path) -> None:
    place, notes = str(tmp_path / "loop"), tmp_path / "notes"
    notes.write_text("not a capture\n")
    for words, code, said in (
        (["port=bridge:br0"], 1, "no port 'bridge:br0'; there are tap[:NAME]"),
        (["domain=1"], 1, "'domain=1': no port; a vif is port=tap[:NAME]|packet:INTERFACE|"),
        (["port=null,colour=red"], 1, "'port=null,colour=red': no key 'colour'; a vif is "),
        (["port=null,port=switch"], 1, "a key twice; a vif is "),
        (["port=null,bridge=br0"], 1, "'null:bridge=br0' is not of the form null"),
        (["port=null,mac=01:00:5e:00:00:01"], 1, "a guest's address is such as 00:16:3e:01:02:03, no group's"),
        (
            ["port=null,mac=00:00:00:00:00:00"],
            1,
            "a guest's address is such as 00:16:3e:01:02:03, no group's, and not all",
        ),
        (["port=null,mac=00:16:3e"], 1, "a guest's address is such as 00:16:3e:01:02:03, no group's"),
        (["port=null,front=x"], 1, "a front is kernel or user, not 'x'"),
        (["port=null,mtu=40"], 1, "mtu is 68 to 65535"),
        (["port=null,queues=0"], 1, "queues is 1 to 64"),
        (["port=null,rate=10"], 1, "'10' is no rate such as 10Mb/s (bits), 1MB/s (bytes) or 1MB/s@20ms"),
        (["port=null,handle=3", "port=null,handle=3"], 1, "handle 3 is taken already"),
        (["port=null,domain=x"], 1, "domains of a loopback are numbers from 1 on, not 'x'"),
        (["port=packet:none0"], 1, "none0"),
        (["port=packet:\x1b[31mred"], 1, "\\x1b[31mred"),
        (
            ["port=tap:a-name-that-is-long"],
            1,
            "'a-name-that-is-long' is no name for a network device: 15 bytes at most, without blanks, /, : and %",
        ),
        (
            [f"port=pcap:{notes}"],
            1,
            f"{notes} is there, and nothing that was recorded here (it begins otherwise): name another file",
        ),
        ([f"port=pcap:{tmp_path}/no/where"], 1, f"cannot open {tmp_path}/no/where: No such file or directory"),
        ([], 2, "give a --vif to serve"),
    ):
        done = run("net", "serve", "--loopback", place, *(each for word in words for each in ("--vif", word)))
        assert done.returncode == code, (words, done.stderr)
        assert said in done.stderr, (words, done.stderr)
        assert "\x1b" not in done.stderr
        assert code == 2 or done.stderr.count("\n") == 1, done.stderr
    done = run("net", "serve", "--vif", "domain=domU,port=null")
    assert done.returncode == 3
    assert "this is no Xen domain" in done.stderr


#: Has a process be root of a network namespace of its own, with a bridge.
ELSEWHERE = ("unshare", "-Urn", "sh", "-c", 'ip link add br0 type bridge && ip link set br0 up && exec "$@"', "sh")


@pytest.mark.parametrize(
    ("vifs", "said"),
    [
        (("port=tap:t0,bridge=br7",), "no bridge br7: `ip link add name br7 type bridge` makes one"),
        (("port=tap,bridge=lo",), "lo is no bridge"),
        (("port=tap:t0", "domain=7,port=tap:t0"), "TAP t0 is taken: another program has it open"),
        (("port=tap:br0",), "br0 is no TAP"),
    ],
)
def test_a_tap_that_cannot_be_had(tmp_path: Path, vifs: tuple[str, ...], said: str) -> None:
    words = ["net", "serve", "--loopback", str(tmp_path / "loop"), *(each for vif in vifs for each in ("--vif", vif))]
    argv = [*ELSEWHERE, sys.executable, "-m", "xentool", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (1, f"xentool: {said}\n")


def test_a_tap_has_xens_name_and_is_on_its_bridge(tmp_path: Path) -> None:
    place, vif = tmp_path / "loop", "port=tap,bridge=br0,mtu=1400"
    with serving(place, "--vif", vif, "--json", group="net", within=ELSEWHERE) as served:
        with Loopback(place, 1) as guest, joined(guest, "vif/0") as (_, here):
            back = Peer(guest.store, "/local/domain/0/backend/uvif/1/0")
            assert back.text("port") == "tap:vif1.0,bridge=br0,mtu=1400"
            until(lambda: back.number("carrier", 0, 1, 0) == 1)
            here.give(frame(b"\xff" * 6, ONE, number) for number in range(20))
            until(lambda: _received(served.process.pid, "vif1.0") == 20)
            until(lambda: _received(served.process.pid, "br0") == 20)
        until(lambda: _received(served.process.pid, "vif1.0") is None)
        assert served.end() == 0
    (row,) = served.rows
    assert (row["tx_packets"], row["dropped"]) == (20, 0)


def test_a_tap_that_is_deleted_is_made_anew(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    with serving(place, "--vif", "port=tap,bridge=br0", group="net", within=ELSEWHERE) as served:
        with Loopback(place, 1) as guest, joined(guest, "vif/0") as (_, here):
            back = Peer(guest.store, "/local/domain/0/backend/uvif/1/0")
            until(lambda: back.number("carrier", 0, 1, 0) == 1)
            inside = ("nsenter", "-t", str(served.process.pid), "-U", "-n", "--preserve-credentials")
            subprocess.run([*inside, "ip", "link", "delete", "vif1.0"], check=True)
            until(lambda: back.number("carrier", 0, 1, 1) == 0)
            # It waits in its ring.
            here.give([frame(b"\xff" * 6, ONE, 1)])
            until(lambda: back.number("carrier", 0, 1, 0) == 1)
            until(lambda: _received(served.process.pid, "br0") == 1)
        assert served.end() == 0


def _received(process: int, name: str) -> int | None:
    # Packets that a device in a process's network namespace has received; None for one that is not there.
    for line in Path(f"/proc/{process}/net/dev").read_text().splitlines():
        device, _, counters = line.partition(":")
        if device.strip() == name:
            return int(counters.split()[1])
    return None
