"""``xentool net bench`` on a loopback, as users call it."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.xentool.cli.inprocess import ran
from tests.xentool.cli.measuring import ended
from tests.xentool.cli.serving import serving
from xentool.tools.transports import loopbacks


def bench(*words: str) -> dict[str, Any]:
    done = ran("net", "bench", "--seconds", "0.2", "--json", *words)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("direction", ["tx", "rx", "both"])
@pytest.mark.parametrize(("size", "slots"), [("64", 1), ("9000", 3)])
def test_what_was_sent_arrives(direction: str, size: str, slots: int) -> None:
    told = bench("--direction", direction, "--size", size, "--depth", "8")
    assert told["sent"] == told["frames"] > 0
    assert told["bytes"] == told["frames"] * int(size)
    assert (told["direction"], told["size"], told["depth"], told["gso"]) == (direction, int(size), 8, False)
    assert told["pps"] == pytest.approx(told["frames"] / told["seconds"], rel=0.01, abs=0.5)
    assert told["gbps"] == pytest.approx(told["bytes"] * 8 / told["seconds"] / 1e9, rel=0.01, abs=1e-4)
    assert told["slots_per_packet"] == slots
    assert 0 < told["latency_us"]["p50"] <= told["latency_us"]["p99"] <= told["latency_max_us"]
    assert told["syscalls_per_packet"] > told["notifications_per_packet"] > 0


def test_frames_that_are_to_be_cut_have_an_extra_slot() -> None:
    told = bench("--gso", "--size", "65535")
    assert (told["gso"], told["slots_per_packet"]) == (True, 17)
    assert told["sent"] == told["frames"] > 0
    assert told["features"] == {
        "sg": True,
        "gso_tcpv4": True,
        "gso_tcpv6": True,
        "csum_offload": True,
        "ipv6_csum_offload": True,
        "split_event_channels": True,
    }


def test_for_people() -> None:
    done = ran("net", "bench", "--loopback", "--direction", "both", "--depth", "1", "--seconds", "0.2")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("both, 64 B: ")
    assert "\nlatency in µs: " in done.stdout
    assert done.stdout.endswith(" system calls, 1.0 slots\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--loopback", "--front", "0"), 2, "a vif is in one place: give --loopback, --front or --netback"),
        (("--size", "57"), 1, "frames of 57 bytes, and they have 58 to 65535"),
        (("--size", "1502", "--gso"), 1, "frames of 1502 bytes are not to be cut"),
        (("--loopback", "../x y"), 1, "no domain 1 of a loopback in ../x y"),
        (("--loopback", "x", "--direction", "both"), 1, "only a far end of our own sends back what comes"),
        (("--netback", "--direction", "both"), 1, "only a far end of our own sends back what comes"),
        (("--front", "0", "--netback"), 2, "a vif is in one place"),
        (("--seconds", "inf"), 2, "inf is not in the range 0.1<=x<=86400"),
        (("--seconds", "nan"), 2, "'nan' is no number"),
        (("--front", "0"), 3, ""),
        (("--netback",), 3, ""),
    ],
)
def test_what_cannot_be(words: tuple[str, ...], code: int, said: str) -> None:
    done = ran("net", "bench", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_loopback_that_is_none(tmp_path: Path) -> None:
    done = ran("net", "bench", "--loopback", str(tmp_path))
    assert done.returncode == 1
    assert "`xentool net serve --loopback NAME` is one" in done.stderr


def test_a_vif_that_another_program_uses_is_not_taken_from_it(tmp_path: Path) -> None:
    front = "/local/domain/1/device/vif/0"
    with serving(tmp_path, "--vif", "port=null", group="net"):
        with loopbacks.joining(tmp_path, front):
            done = ran("net", "bench", "--loopback", str(tmp_path), "--seconds", "0.2")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"xentool: another program uses {front} of the loopback in {tmp_path}\n"
        assert bench("--loopback", str(tmp_path))["sent"] > 0


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_measurement_ends_with_its_server(tmp_path: Path, end: signal.Signals) -> None:
    assert ended(tmp_path / "loop", end, "net", "--vif", "port=null") == ""


def test_a_backend_that_fails_meanwhile_is_no_figure(tmp_path: Path) -> None:
    place, small = tmp_path / "loop", tmp_path / "small"
    small.mkdir()
    full = ("unshare", "-Urm", "sh", "-c", f'mount -t tmpfs -o size=64k none {small} && exec "$@"', "sh")
    with serving(place, "--vif", f"port=pcap:{small / 'c.pcapng'}", group="net", within=full):
        done = ran("net", "bench", "--loopback", str(place), "--seconds", "0.2", "--size", "1500")
    there = "/local/domain/0/backend/uvif/1/0"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"xentool: {there} has lost its link: whoever serves it says why\n"
