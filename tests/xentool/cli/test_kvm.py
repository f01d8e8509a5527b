"""A trace.dat of KVM through the commands that read traces, held to trace-cmd."""

import csv
import gzip
import json
import lzma
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from tests import missing
from tests.traces.captures import capture
from tests.traces.exporters.drawn import drawn
from tests.traces.kvm.perfmade import perf_sample
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
    slowly = [one._replace(ts=1000 * one.ts) for one in LIFE]
    path.write_bytes(sixth([[page(slowly)]], f"500 {evil}\n", formats=[f"{exits}\n{reasons}"]))
    assert f"exit={shown}" in ran("dump", str(path)).stdout
    # A table folds a name where there is no room.
    assert shown in re.sub(r"\s.*\n\s+", "", ran("report", str(path)).stdout.split("VM exits, each")[1])
    assert f"on pCPU 0 {shown} from" in ran("report", str(path), "--slowest", "2").stdout
    stacks = ran("export", str(path), "--format", "folded", "-o", "-").stdout.split("\n")
    frame = shown.replace(";", r"\x3b")
    assert f"d500;v0;running;kernel;exit {frame} 8" in stacks
    ran("report", str(path), "--html", str(tmp_path / "page.html"))
    html = (tmp_path / "page.html").read_text()
    assert html.count(shown) >= 3
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(html)
    (vcpu,) = json.loads(ran("report", str(path), "--json").stdout)["domains"][0]["vcpus"]
    assert evil in [one["name"] for one in vcpu["exits"]]


def test_what_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "made.dat"
    path.write_bytes(sixth([[page([*LIFE, Told(2000, 900, "kvm_entry", {"vcpu_id": 0})])]]))
    told = json.loads(ran("report", str(path), "--json", "--domain", "web", "--name", "900=web").stdout)
    assert [(one["domid"], one["name"], one["mode"]) for one in told["domains"]] == [(900, "web", "kvm")]
    assert "no domain 'x'; it has" in ran("report", str(path), "--domain", "x").stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("dump", "-e", "sched"), "-e names what Xen records"),
        (("report", "--pcpu", "0"), "not told by pCPU"),
        (("dump", "-tt"), "without --symbols"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(real: Path, words: tuple[str, ...], why: str) -> None:
    told = ran(words[0], str(real), *words[1:])
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)
    assert why in told.stderr


def _rows(*words: str) -> list[list[str]]:
    told = ran("sql", *words)
    assert (told.returncode, told.stderr) == (0, "")
    return list(csv.reader(told.stdout.splitlines()))[1:]


def test_sql_has_the_reports_counts_and_times(real: Path) -> None:
    (machine, _) = json.loads(ran("report", str(real), "--json").stdout)["domains"]
    (vcpu,) = machine["vcpus"]
    query = "select reason, count(*), sum(duration_ns) / 1e9, count(*) filter (went_to_user) from exits group by 1"
    found = {name: (int(count), float(time), int(user)) for name, count, time, user in _rows(str(real), query)}
    for one in vcpu["exits"]:
        count, time, user = found[one["name"]]
        # The last hlt is not ended.
        assert count == one["count"] - (one["name"] == "hlt")
        assert time == pytest.approx(one["seconds"] + one["descheduled_seconds"] + one["user_seconds"], rel=1e-3)
        assert user == 0
    states = {
        state: float(time)
        for state, time in _rows(str(real), "select state, sum(duration_ns) / 1e9 from runstates group by 1")
    }
    for state, time in states.items():
        # Without what goes on when the trace ends.
        assert time == pytest.approx(vcpu["runstates"][state]["seconds"], rel=0.25)
    assert _rows(str(real), "select address, count(*) from accesses where is_write group by 1 order by 2") == [
        ["4273975300", "10"],
        ["4273958912", "28"],
    ]
    assert _rows(str(real), "select count(*) from interrupts where vector = 236") == [["130"]]


def test_sql_of_a_life(tmp_path: Path) -> None:
    path, table = tmp_path / "made.dat", tmp_path / "made.parquet"
    path.write_bytes(sixth([[page(LIFE)]]))
    query = "select state, begin_ns, end_ns from runstates order by begin_ns"
    assert ran("export", "--format", "parquet", "-o", str(table), str(path)).returncode == 0
    for asked in (path, table):
        assert _rows(str(asked), query) == [
            ["running", "0", "120"],
            ["runnable", "120", "150"],
            ["running", "150", "306"],
            ["blocked", "306", "400"],
            ["runnable", "400", "411"],
            ["running", "411", ""],
        ]
        exits = _rows(str(asked), "select reason, begin_ns, end_ns, went_to_user from exits order by begin_ns")
        assert exits == [
            ["npf", "110", "157", "False"],
            ["exit_0x7b", "207", "250", "True"],
            ["hlt", "300", "413", "False"],
        ]
    assert _rows(str(path), "select domid, mode from domains order by 1") == [["500", "kvm"], ["32768", "unknown"]]


def test_intervals_add_up_to_the_report(real: Path) -> None:
    told = json.loads(ran("report", str(real), "--json", "--interval", "50ms").stdout)
    (machine, _) = told["domains"]
    of = [domain for one in told["intervals"] for domain in one["domains"] if domain["domid"] == machine["domid"]]
    assert len(of) == 15
    assert sum(one["exits"] for one in of) == 632
    assert sum(one["interrupts"] for one in of) == 179
    assert {one["grant_maps"] for one in of} == {None}
    for name, state in machine["vcpus"][0]["runstates"].items():
        assert sum(one["runstates"][name]["seconds"] for one in of) == pytest.approx(state["seconds"], abs=1e-6)


def test_the_slowest(real: Path) -> None:
    told = json.loads(ran("report", str(real), "--json", "--slowest", "3").stdout)
    (vcpu,) = told["domains"][0]["vcpus"]
    waits, exits = told["slowest"]["wake_to_run"], told["slowest"]["exits"]
    assert (waits["count"], exits["count"]) == (17, 631)
    assert waits["slowest"][0]["seconds"] == pytest.approx(vcpu["latencies"]["wake_to_run"]["max_s"])
    worst = exits["slowest"][0]
    assert (worst["name"], round(worst["seconds"] * 1e3, 1)) == ("cpuid", 17.2)
    inside = [one for one in worst["records"] if worst["begin_s"] <= one["ns"] / 1e9 <= worst["end_s"]]
    assert (inside[0]["name"], inside[-1]["name"]) == ("kvm_exit", "kvm_entry")
    assert inside[0]["fields"]["exit"] == "cpuid"


def test_a_stretch_of_time(real: Path) -> None:
    told = json.loads(ran("report", str(real), "--json", "--from", "0.1", "--to", "0.3").stdout)
    assert told["capture"]["records"] == 3713
    inside = [
        one
        for line in ran("dump", str(real), "--json", "--from", "0.1", "--to", "0.3").stdout.splitlines()
        if 1e8 <= (one := json.loads(line))["ns"] < 3e8
    ]
    events: Counter[str] = Counter()
    for domain in told["domains"]:
        for vcpu in domain["vcpus"]:
            events.update(vcpu["events"])
    assert events == Counter(one["name"] for one in inside)
    assert ran("report", str(real), "--from", "0.1", "--to", "0.3").stdout.splitlines()[1].endswith(": 0.20 s")


def test_histograms(real: Path) -> None:
    told = ran("report", str(real), "--histograms").stdout
    assert re.search(r"d1127 v0: wake to run\n16.4 µs +- 32.8 µs  1 ", told)
    assert "d1127 v0: times blocked" in told


def test_times_of_hypercalls_are_refused(real: Path) -> None:
    told = ran("report", str(real), "--times")
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)
    assert "a hypercall is a VM exit" in told.stderr


def test_a_page(real: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert ran("report", str(real), "--html", str(page)).returncode == 0
    text = page.read_text()
    assert "KVM trace" in text
    assert "In Linux for a VM exit" in text
    assert "How long Linux lets a vCPU wait" in text
    # What words mean is told of all hypervisors.
    told = text.partition("<body>")[2].partition('<section id="words">')[0]
    assert "xen" not in re.sub(r"<[^>]*>", " ", told).replace("xentool", "").lower()


def test_two_traces(real: Path, tmp_path: Path) -> None:
    alike = json.loads(ran("diff", str(real), str(real), "--json").stdout)
    assert [(one["before"], one["alike"], one["changes"]) for one in alike["domains"]] == [(1127, 15, [])]
    assert alike["not_compared"] == []
    path = tmp_path / "pvh"
    path.write_bytes(capture("xen-4.17-pvh"))
    mixed = json.loads(ran("diff", str(real), str(path), "--domain", "1127:3", "--json").stdout)
    assert mixed["not_compared"] == ["exits", "grants", "hypercalls"]
    (domain,) = mixed["domains"]
    assert {one["kind"] for one in domain["changes"]} <= {"runstates", "latencies"}
    assert any(one["name"] == "blocked" for one in domain["changes"])
    told = ran("diff", str(real), str(path), "--domain", "1127:3").stdout
    assert "One is of Xen and one of KVM: run states and waits for a processor are compared" in told


def test_perfetto(real: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.perfetto-trace"
    assert ran("export", str(real), "--format", "perfetto", "-o", str(path)).returncode == 0
    drawing = drawn(path.read_bytes())
    names = {one.name for one in drawing.tracks.values()}
    assert {"pCPU 0", "pCPU 1", "d1127", "d1127v0", "d1127v0 VM exits", "run queue", "VM exits a second"} <= names
    exits = Counter(one.name for one in drawing.named("d1127v0 VM exits"))
    assert exits == {"msr": 194, "cpuid": 165, "interrupt": 132, "vintr": 85, "npf": 38, "hlt": 17}
    instants = Counter((one.track, one.name) for one in drawing.instants)
    assert instants["d1127v0", "kvm_mmio"] == 38
    assert instants["d1127v0", "kvm_inj_virq"] == 179
    assert len(drawing.named("pCPU 1")) == 39
    (mmio, *_) = (one.args for one in drawing.instants if one.name == "kvm_mmio")
    assert set(mmio) == {"gpa", "type", "len", "val"}
    # All exits are counted, in steps of equal length.
    rates = drawing.counters["d1127", "VM exits a second"]
    step = min(after - at for (at, _), (after, _) in pairwise(rates)) / 1e9
    assert sum(rate for _, rate in rates) * step == pytest.approx(exits.total(), rel=0.01)


def test_folded(tmp_path: Path) -> None:
    path = tmp_path / "made.dat"
    # A thousand times as long, since stacks are told in microseconds.
    path.write_bytes(sixth([[page([one._replace(ts=one.ts * 1000) for one in LIFE])]]))
    assert ran("export", str(path), "--format", "folded", "-o", "-").stdout.splitlines() == [
        "d500;v0;running;kernel;exit npf 17",
        "d500;v0;running;kernel;exit hlt 8",
        "d500;v0;running;kernel;exit exit_0x7b 3",
        "d500;v0;running;user;exit exit_0x7b 40",
        "d500;v0;running;guest 287",
        "d500;v0;running;kernel 10",
        "d500;v0;runnable 41",
        "d500;v0;blocked 94",
    ]


@pytest.mark.parametrize("packing", ["gz", "xz", "zst", "pipe", "pipe of xz"])
def test_packed_and_by_a_pipe(real: Path, tmp_path: Path, packing: str) -> None:
    data = real.read_bytes()
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress,
        "xz": lzma.compress,
        "zst": lambda data: zstandard.ZstdCompressor().compress(data),
        "pipe": bytes,
        "pipe of xz": lzma.compress,
    }
    packed = tmp_path / "packed.dat"
    packed.write_bytes(packers[packing](data))
    for words in (["report", "--json"], ["dump"], ["export", "--format", "jsonl", "-o", "-"]):
        expected = ran(words[0], str(real), *words[1:]).stdout
        assert len(expected) > 1000
        if packing.startswith("pipe"):
            command = [sys.executable, "-m", "xentool", words[0], "-", *words[1:]]
            with packed.open("rb") as file, subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as cat:
                told = subprocess.run(command, stdin=cat.stdout, capture_output=True, text=True, check=True).stdout
        else:
            told = ran(words[0], str(packed), *words[1:]).stdout
        assert told == expected


def test_what_is_packed_and_cut_says_so(real: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gz"
    _trace_cmd(
        "convert", "-i", str(real), "-o", str(tmp_path / "6.dat"), "--file-version", "6", "--compression", "none"
    )
    cut.write_bytes(gzip.compress((tmp_path / "6.dat").read_bytes())[:-20_000])
    told = ran("report", str(cut), "--json")
    assert told.returncode == 4
    codes = [one["code"] for one in json.loads(told.stdout)["capture"]["diagnostics"]]
    assert "compressed_data_cut" in codes


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


def test_devices_by_a_map_beside_it(real: Path) -> None:
    assert "unknown memory" in ran("report", str(real)).stdout
    Path(f"{real}.devices").write_text("febf7000-febf7fff : disk's doorbell\n")
    told = ran("report", str(real)).stdout
    assert re.search(r"disk's doorbell +0 +28 +38 +28 +0", told)
    assert re.search(r"memory 0xfebf7000 +0 +28 +38 +0 +disk's doorbell", told)
    assert re.search(r"0x6e0 TSC_DEADLINE +0 +140 ", told)
    assert re.search(r"without an exit \(PV EOI\) +123 ", told)
    document = json.loads(ran("report", str(real), "--json").stdout)
    (vcpu,) = document["domains"][0]["vcpus"]
    assert vcpu["io"][0] == {
        "kind": "memory",
        "address": 0xFEBF7000,
        "reads": 0,
        "writes": 28,
        "entries": 0,
        "device": "disk's doorbell",
    }


def test_a_perf_data(tmp_path: Path) -> None:
    path = tmp_path / "perf.data"
    path.write_bytes(perf_sample())
    told = json.loads(ran("report", str(path), "--json").stdout)
    assert (told["capture"]["source"], told["capture"]["records"]) == ("kvm", 4525)
    exits = {one["name"]: one["count"] for one in told["domains"][0]["vcpus"][0]["exits"]}
    assert exits == {"msr": 700, "interrupt": 396, "vintr": 338, "cpuid": 297, "npf": 109, "hlt": 18}
    assert _rows(str(path), "select count(*) from exits where reason = 'npf'") == [["109"]]
    lines = ran("dump", str(path), "--json").stdout.splitlines()
    assert len(lines) == 4525
    packed = tmp_path / "perf.data.xz"
    packed.write_bytes(lzma.compress(perf_sample()))
    assert ran("dump", str(packed), "--json").stdout.splitlines() == lines
    with packed.open("rb") as file:
        command = [sys.executable, "-m", "xentool", "report", "--json", "-"]
        with subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as cat:
            piped = subprocess.run(command, stdin=cat.stdout, capture_output=True, check=True).stdout
    assert json.loads(piped) == told
    pieces = tmp_path / "cut.data"
    pieces.write_bytes(perf_sample()[:300_000])
    refused = ran("report", str(pieces))
    assert (refused.returncode, refused.stderr.count("\n")) == (4, 1)
    assert "formats lie at its end" in refused.stderr
