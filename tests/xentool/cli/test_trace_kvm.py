"""`xentool trace` and `record` on a KVM host that is a file: what they show and keep, held to the same file read."""

import gzip
import json
import re
import sys
from pathlib import Path

import pytest

from tests.traces.kvm.streams import END, PID, WORDS, block, head, rounds, stats
from tests.traces.kvm.traces import LIFE, PAGE, VCPU, Told, entry, exit_
from tests.xentool.cli.inprocess import Done, ran
from tests.xentool.tools.tracing.tracefs.kvmhost import AFTER, KvmHost
from xentool.hosts import Host

#: Behind the function of that name.
_RESOLVE = sys.modules["xentool.hosts.resolve"]
EVIL = "w\x1b]0;pwn\x07[red]"
MACHINES = {PID: WORDS, 7: ("qemu", "-name", "twin"), 8: ("qemu", "-name", "twin"), 9: ("vmm",)}
_OTHER = [entry(1002, VCPU + 1, 1), exit_(1102, VCPU + 1, 0x7B, 1), Told(1103, VCPU + 1, "kvm_pio", {"port": 0x1F0})]
STREAM = head(2) + b"".join(rounds([LIFE, _OTHER], 4)) + stats(0, overrun=3) + stats(1) + END


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    path = tmp_path / "stream"
    path.write_bytes(STREAM)
    return path


@pytest.fixture(autouse=True)
def host(stream: Path, monkeypatch: pytest.MonkeyPatch) -> KvmHost:
    return _let(monkeypatch, KvmHost(stream, MACHINES))


def _let(monkeypatch: pytest.MonkeyPatch, host: KvmHost) -> KvmHost:
    monkeypatch.setattr(_RESOLVE, "resolve", lambda _text, **_more: host)
    return host


def _refused(*words: str, status: int = 1) -> str:
    told = ran(*words)
    assert (told.returncode, told.stdout) == (status, "")
    assert re.fullmatch(r"xentool: [^\n]*\n", told.stderr)
    return told.stderr


def _told(done: Done) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_report_is_that_of_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "kept.dat"
    traced = json.loads("".join(_told(ran("trace", "web", "--json", "-o", str(path)))))
    (machine,) = (one for one in traced["domains"] if one["domid"] == PID)
    assert (machine["name"], machine["mode"], len(machine["vcpus"])) == ("web", "kvm", 2)
    assert traced["capture"]["lost_records"] == 3
    read = json.loads("".join(_told(ran("report", str(path), "--json", "--domain", "web"))))
    for of in (traced, read):
        for diagnostic in of["capture"]["diagnostics"]:
            assert diagnostic.pop("first_offset") >= 0
    assert read == traced
    assert sorted(one.name for one in tmp_path.iterdir()) == ["kept.dat", "kept.dat.meta.json", "stream"]


def test_records_are_those_that_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "kept.dat"
    listed = _told(ran("trace", str(PID), "--dump", "-o", str(path)))
    assert listed == _told(ran("dump", str(path)))
    assert len(listed) == len(LIFE) + len(_OTHER)
    assert listed[5].endswith("d490v0    kvm_exit isa=2 vcpu_id=0 exit_reason=1024 exit=npf")
    of_one = _told(ran("trace", str(PID), "--dump", "--vcpu", "1"))
    assert of_one == [line for line in listed if "d490v1" in line]


def test_a_stretch_of_time(tmp_path: Path) -> None:
    path = tmp_path / "kept.dat"
    chosen = ("--from", "0.0000001", "--to", "0.0000003")
    traced = json.loads("".join(_told(ran("trace", "web", "--json", "-o", str(path), *chosen))))
    read = json.loads("".join(_told(ran("report", str(path), "--json", "--domain", "web", *chosen))))
    assert traced["domains"] == read["domains"]
    assert {one["name"]: one["count"] for one in traced["domains"][0]["vcpus"][0]["exits"]} == {
        "npf": 1,
        "exit_0x7b": 1,
    }
    listed = _told(ran("trace", "web", "--dump", "--slower-than", "20ns"))
    assert listed == _told(ran("dump", str(path), "--slower-than", "20ns"))
    assert 0 < len(listed) < 5


def test_a_page_while_it_runs() -> None:
    (last,) = map(json.loads, _told(ran("trace", "web", "--live", "--json")))
    assert {name: one["count"] for name, one in last["vm_exits"].items()} == {"npf": 1, "exit_0x7b": 2, "hlt": 2}
    assert {name: one["count"] for name, one in last["devices"].items()} == {
        "memory 0xfeb00000": 1,
        "port 0x3f8": 1,
        "port 0x1f0": 1,
    }
    assert (last["records"], last["waits"]["wake to run v0"]["count"]) == (len(LIFE) + len(_OTHER), 1)
    first = last["vcpus"]["v0"]
    assert sum(first.values()) == pytest.approx(1)
    assert first["guest"] == pytest.approx((100 + 50 + 50 + 87) / 500)
    lines = _told(ran("trace", "web", "--live"))
    assert lines[0].startswith("Tracing web for 0 s: 21 records")
    assert {"VM exits", "Devices", "Waits", "vCPUs"} <= set(lines)


def test_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "kept.dat"
    done = json.loads("".join(_told(ran("record", "web", "-o", str(path), "--json"))))
    assert done["machine"] == {"pid": PID, "name": "web"}
    assert (done["records"], done["lost_records"], done["seconds"]) == (21, 3, 2.0)
    assert done["bytes"] == path.stat().st_size
    beside = json.loads((tmp_path / "kept.dat.meta.json").read_text())
    assert (beside["host"], beside["begin"]) == ("kvm1", "2025-11-30T16:43:20.500000+00:00")
    assert beside["machines"][0]["threads"][-1] == {"tid": 502, "name": "CPU 2/KVM"}
    assert "21 records in 2.0 s of web on kvm1 (Linux h 6.1 x86_64); 3 lost" in " ".join(
        ran("record", "web", "-o", str(path)).stderr.split()
    )


def test_what_came_before_it_broke_off_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: Path) -> None:
    path = tmp_path / "kept.dat"
    _let(monkeypatch, KvmHost(stream, MACHINES, after=()))
    assert "lost the connection to kvm1" in _refused("record", "web", "-o", str(path), status=3)
    assert len(_told(ran("dump", str(path)))) == 21


@pytest.mark.parametrize("packed", [False, True])
def test_what_a_recording_leaves_that_is_killed_is_read(tmp_path: Path, *, packed: bool) -> None:
    whole, left = tmp_path / "kept.dat", tmp_path / f"kept.dat.part{'.gz' * packed}"
    _told(ran("record", "web", "-o", str(whole)))
    # All records, and nothing of the end.
    came = STREAM[: STREAM.index(block("round"), len(STREAM) - 6 * PAGE)]
    left.write_bytes(gzip.compress(came) if packed else came)
    listed = ran("dump", str(left))
    assert listed.stdout.splitlines() == _told(ran("dump", str(whole)))
    assert listed.returncode == 4
    assert "truncated" in listed.stderr
    told = json.loads(ran("report", str(left), "--json", "--domain", "web").stdout)
    assert [one["name"] for one in told["domains"]] == ["web"]


def test_a_machine_that_ends(monkeypatch: pytest.MonkeyPatch, stream: Path) -> None:
    _let(monkeypatch, KvmHost(stream, MACHINES, after=(AFTER[0], "ended over")))
    told = ran("trace", "web")
    assert (told.returncode, told.stderr) == (0, "xentool: web has ended\n")


def test_where_kvm_runs_no_machine_a_xen_is_offered(monkeypatch: pytest.MonkeyPatch, stream: Path) -> None:
    _let(monkeypatch, KvmHost(stream, {}))
    assert "kvm1 is no Xen dom0, and KVM runs no machine there; `xentool lab up`" in _refused("trace", "web", status=3)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nobody",), "kvm1 has no machine 'nobody'; it has twin (7), twin (8), unnamed (9), web (490)"),
        (("twin",), "several machines of kvm1 are called 'twin': 7, 8; give a number"),
        (("web", "-e", "iret"), "-e names what Xen records"),
        (("web", "--pcpu", "1"), "choose records alone: add --dump"),
        (("web", "--slower-than", "1ms", "--live"), "choose records alone: add --dump"),
    ],
)
def test_what_cannot_be_traced(words: tuple[str, ...], why: str) -> None:
    assert why in _refused("trace", *words)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--all", "-o", "x"), "give a DOMAIN instead of --all"),
        (("web", "-o", "-"), "a trace.dat cannot be written to a pipe"),
        (("web", "-o", "/nowhere/x"), "cannot write /nowhere/x.part: No such file or directory"),
    ],
)
def test_what_cannot_be_recorded(words: tuple[str, ...], why: str) -> None:
    assert why in _refused("record", *words)


def test_a_trace_is_kept_in_a_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = ran("trace", "web", "-o", "-")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a dom0's records go by `xentool record -o -`" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["stream"]


@pytest.mark.parametrize(
    ("kind", "why", "status"),
    [
        ("none 0", "kvm1 is neither a Xen dom0 nor a KVM host", 3),
        ("kvm 1000", "tracing on kvm1 needs root there", 1),
        ("", "kvm1 did not say what kind of host it is", 1),
    ],
)
def test_other_hosts(kind: str, why: str, status: int, monkeypatch: pytest.MonkeyPatch, stream: Path) -> None:
    _let(monkeypatch, KvmHost(stream, {}, kind=kind))
    assert why in _refused("trace", "web", status=status)


def test_what_is_no_stream_is_blamed_on_the_host(stream: Path) -> None:
    stream.write_bytes(b"Welcome!\n")
    assert "what kvm1 sends is no stream of a recording KVM host" in _refused("trace", "web", status=4)
    stream.write_bytes(head(1) + block("cpu 4 1"))
    assert "what kvm1 sends has a line that nobody knows" in _refused("trace", "web", status=4)


def test_names_of_machines_are_made_fit_for_a_terminal(monkeypatch: pytest.MonkeyPatch, stream: Path) -> None:
    stream.write_bytes(STREAM.replace("".join(f"{one}\0" for one in WORDS).encode().hex(" ").encode(), b"61 00"))
    _let(monkeypatch, KvmHost(stream, {PID: ("qemu", "-name", EVIL)}))
    for words in (("trace", str(PID)), ("trace", str(PID), "--live"), ("trace", "nobody"), ("record", EVIL, "-o", "-")):
        told = ran(*words)
        assert "\x1b" not in told.stdout + told.stderr
        assert "\x07" not in told.stdout + told.stderr


def test_a_host_by_libvirt(host: Host, monkeypatch: pytest.MonkeyPatch, stream: Path) -> None:
    monkeypatch.setattr(_RESOLVE, "LocalHost", lambda: KvmHost(stream, {PID: ("qemu", "-name", "test")}))
    assert host.name == "kvm1"
    told = json.loads("".join(_told(ran("trace", "1", "-c", "test:///default", "--json"))))
    assert [one["domid"] for one in told["domains"]] == [PID]
    assert "there is no domain 'x'; there are test (1)" in _refused("trace", "x", "-c", "test:///default")
    assert "does not reach its host by ssh" in _refused("trace", "x", "-c", "qemu+tls://h/system", status=2)
