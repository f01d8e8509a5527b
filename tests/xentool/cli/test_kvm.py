"""A trace.dat of KVM through the commands that read traces, held to trace-cmd."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests import missing
from tests.traces.kvm.traces import LIFE, Told, page, sample, sixth
from tests.xentool.cli.inprocess import ran


@pytest.fixture
def real(tmp_path: Path) -> Path:
    path = tmp_path / "trace.dat"
    path.write_bytes(sample())
    return path


def _trace_cmd(*words: str) -> str:
    if shutil.which("trace-cmd") is None:
        missing.missing("trace-cmd is not installed")
    return subprocess.run(["trace-cmd", *words], capture_output=True, check=True, text=True).stdout


def test_a_report(real: Path) -> None:
    told = ran("report", str(real))
    assert (told.returncode, told.stderr) == (0, "")
    assert "QEMU thread 1127  (domid 1127, kvm, 1 vCPU)" in told.stdout
    assert "Linux kvm 6.1.0-57-amd64 x86_64" in told.stdout
    assert re.search(r"Running in +guest +kernel +user", told.stdout)
    assert re.search(r"msr +194 +261 ", told.stdout)
    assert re.search(r"memory 0xfebf7000 +0 +28 ", told.stdout)
    assert "in Xen" not in told.stdout
    assert "xentool record" not in told.stdout


def test_versions_and_packings_are_one_trace(real: Path, tmp_path: Path) -> None:
    whole = json.loads(ran("report", str(real), "--json").stdout)
    for version, packing in (("6", "none"), ("7", "none"), ("7", "zstd")):
        other = tmp_path / f"{version}-{packing}.dat"
        _trace_cmd("convert", "-i", str(real), "-o", str(other), "--file-version", version, "--compression", packing)
        assert json.loads(ran("report", str(other), "--json").stdout) == whole


def test_records_are_those_of_trace_cmd(real: Path) -> None:
    lines = [line for line in _trace_cmd("report", "-t", "-i", str(real)).splitlines() if not line.startswith("cpus=")]
    theirs = []
    for line in lines:
        found = re.match(r"\s*(.+)-(\d+)\s+\[(\d+)\]\s+(\d+)\.(\d+): (\w+):", line)
        assert found, line
        theirs.append((int(found[2]), int(found[3]), int(found[4] + found[5]), found[6]))
    ours = [json.loads(line) for line in ran("dump", str(real), "--json").stdout.splitlines()]
    assert [(one["pid"], one["pcpu"], one["tsc"], one["name"]) for one in ours] == theirs
    report = json.loads(ran("report", str(real), "--json").stdout)
    events: Counter[str] = Counter()
    for domain in report["domains"]:
        for vcpu in domain["vcpus"]:
            events.update(vcpu["events"])
    assert events == Counter(name for *_, name in theirs)


def test_fields_are_those_of_trace_cmd(real: Path) -> None:
    theirs = re.findall(
        r"kvm_exit:.* rip (0x[0-9a-f]+) info ([0-9a-f]+) ([0-9a-f]+)", _trace_cmd("report", "-i", str(real))
    )
    ours = [
        one["fields"]
        for line in ran("dump", str(real), "--json").stdout.splitlines()
        if (one := json.loads(line))["name"] == "kvm_exit"
    ]
    assert [(one["guest_rip"], one["info1"], one["info2"]) for one in ours] == [
        (int(rip, 16), int(first, 16), int(second, 16)) for rip, first, second in theirs
    ]
    assert Counter(one["exit"] for one in ours)["cpuid"] == 165


def test_a_listing(tmp_path: Path) -> None:
    path = tmp_path / "made.dat"
    path.write_bytes(sixth([[page(LIFE)]], "500 CPU 0/KVM\n77 sh\n"))
    lines = ran("dump", str(path)).stdout.splitlines()
    assert lines[0] == "   0.000000000  p0  t77       sched_switch prev_pid=77 next_pid=500 prev_state=1"
    assert lines[2] == "   0.000000110  p0  d500v0    kvm_exit isa=2 vcpu_id=0 exit_reason=1024 exit=npf"
    assert lines[3] == "   0.000000115  p0  d500v0    kvm_mmio type=2 len=4 gpa=0xfeb00000 val=0"
    assert len(lines) == len(LIFE)
    chosen = ran("dump", str(path), "--domain", "500").stdout.splitlines()
    assert chosen == [line for line in lines if "d500v0" in line]


def test_names_out_of_formats_are_seen_as_they_are(tmp_path: Path) -> None:
    evil = "w[/x][red]%s\x1b]0;pwn\x07\x9b2J\r\u202e;網"
    shown = r"w[/x][red]%s\x1b]0;pwn\x07\x9b2J\r\u202e;網"
    exits = "name: kvm_exit\nID: 12\nformat:\n" + "".join(
        f"\tfield:u32 {name};\toffset:{at};\tsize:4;\tsigned:0;\n"
        for name, at in (("isa", 8), ("vcpu_id", 12), ("exit_reason", 16))
    )
    path = tmp_path / "made.dat"
    reasons = f'print fmt: "%s", __print_symbolic(REC->exit_reason, {{ 0x78, "{evil}" }})\n'
    path.write_bytes(sixth([[page(LIFE)]], f"500 {evil}\n", formats=[f"{exits}\n{reasons}"]))
    assert f"exit={shown}" in ran("dump", str(path)).stdout
    # A table folds a name where there is no room.
    assert shown in re.sub(r"\s.*\n\s+", "", ran("report", str(path)).stdout.split("VM exits, each")[1])
    (vcpu,) = json.loads(ran("report", str(path), "--json").stdout)["domains"][0]["vcpus"]
    assert evil in [one["name"] for one in vcpu["exits"]]


def test_what_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "made.dat"
    path.write_bytes(sixth([[page([*LIFE, Told(2000, 900, "kvm_entry", {"vcpu_id": 0})])]]))
    told = json.loads(ran("report", str(path), "--json", "--domain", "web", "--name", "900=web").stdout)
    assert [(one["domid"], one["name"], one["mode"]) for one in told["domains"]] == [(900, "web", "kvm")]
    assert "no domain 'x'; it has" in ran("report", str(path), "--domain", "x").stderr
    refused = ran("report", str(path), "--from", "1")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "only domains and vCPUs can be chosen" in refused.stderr


@pytest.mark.parametrize(
    "words",
    [("export", "--format", "csv"), ("sql", "select 1"), ("report", "--html", "-"), ("diff",), ("report", "--times")],
)
def test_what_cannot_be_done_yet_says_so(real: Path, words: tuple[str, ...]) -> None:
    files = [str(real)] * (2 if words[0] == "diff" else 1)
    told = ran(words[0], *files, *words[1:])
    assert told.returncode in (1, 4)
    assert told.stderr.startswith(f"xentool: {real} is a trace")
    assert told.stderr.count("\n") == 1


def test_damage_is_told_after_the_report(tmp_path: Path) -> None:
    path = tmp_path / "cut.dat"
    path.write_bytes(sixth([[page(LIFE[:9]), page(LIFE[9:])]])[:-4000])
    told = ran("report", str(path), "--json")
    assert told.returncode == 4
    assert json.loads(told.stdout)["capture"]["records"] >= 9
    assert "is damaged: " in told.stderr
    assert "truncated" in {one["code"] for one in json.loads(told.stdout)["capture"]["diagnostics"]}


@pytest.mark.parametrize("size", [5, 11, 40, 300])
def test_what_is_cut_before_its_events_is_refused(size: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.dat"
    path.write_bytes(sample()[:size])
    told = ran("report", str(path))
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (4, "", 1)
