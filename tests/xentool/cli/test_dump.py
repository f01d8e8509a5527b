"""`xentool dump` as a user runs it: every record once, in order, and filters that choose what the report counts."""

import csv
import json
import os
import re
import threading
from collections import Counter
from pathlib import Path
from typing import IO, Any

import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace
from pyarrow import parquet

from tests.traces.captures import capture
from tests.traces.handmade import CPU_CHANGE_HEADER
from tests.xentool.cli.inprocess import ran
from tests.xentool.cli.running import run
from traces.account import UNKNOWN_DOMID

LINE = re.compile(r" *(-|~?\d+\.\d{9})  p(\d+) +(-|idle v\d+|d\d+v\d+) +(\S.*)")
CALL = re.compile(r"([a-z_0-9]+)\(.*\)")


@pytest.fixture(scope="module", params=["xen-4.17-pv2", "xen-4.20-pvh"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dump") / "domU.xentrace"
    path.write_bytes(capture(request.param))
    return path


@pytest.fixture(scope="module")
def document(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run("report", str(file), "--json").stdout)
    return document


def lines(file: Path, *options: str) -> list[tuple[str, int, str, str]]:
    done = run("dump", str(file), *options)
    assert (done.returncode, done.stderr) == (0, "")
    found = []
    for line in done.stdout.splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        at, pcpu, who, what = match.groups()
        # The mark of a time on an assumed clock.
        found.append((at.removeprefix("~"), int(pcpu), who, what))
    return found


def calls(domain: dict[str, Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for vcpu in domain["vcpus"]:
        for call in (*vcpu["hypercalls"], *vcpu["multicall_subcalls"]):
            found[call["name"]] += call["count"] + call["restarts"]
    return found


def test_every_record_once_and_in_order(file: Path, document: dict[str, Any]) -> None:
    found = lines(file)
    events = Counter[str]()
    for domain in document["domains"]:
        for vcpu in domain["vcpus"]:
            events.update(vcpu["events"])
    assert len(found) == sum(events.values())
    times = [float(at) for at, *_ in found if at != "-"]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(document["capture"]["span_s"], abs=1e-6)
    assert {pcpu for _, pcpu, _, _ in found} == set(document["capture"]["pcpus"])


def test_hypercalls_of_a_domain_are_the_reports(file: Path, document: dict[str, Any]) -> None:
    for domain in document["domains"]:
        if domain["domid"] > 32000 or not calls(domain):
            continue
        chosen = lines(file, "--domain", str(domain["domid"]), "-e", "hypercall")
        shown = [CALL.fullmatch(what) for *_, what in chosen]
        assert Counter(match[1] for match in shown if match) == calls(domain)
        assert all(shown)


def test_a_name_takes_one_event_or_hypercall(file: Path, document: dict[str, Any]) -> None:
    wakes = sum(vcpu["events"].get("sched_wake", 0) for domain in document["domains"] for vcpu in domain["vcpus"])
    assert len(lines(file, "-e", "sched_wake")) == wakes > 0
    made = sum((calls(domain) for domain in document["domains"]), Counter[str]())
    assert len(lines(file, "-e", "event_channel_op")) == made["event_channel_op"] > 0
    without = lines(file, "-e", "!sched,!event_channel_op")
    assert not any("sched_wake" in what or "event_channel_op" in what for *_, what in without)
    assert any("iret()" in what for *_, what in without)
    assert any("stack_switch(...)" in what for *_, what in without)


def test_vcpu_pcpu_and_time(file: Path) -> None:
    everything = lines(file)
    chosen = lines(file, "--pcpu", "1", "--vcpu", "0", "--from", "0.4", "--to", "0.6")
    expected = [
        line
        for line in everything
        if line[0] != "-" and 0.4 <= float(line[0]) < 0.6 and line[1] == 1 and line[2].endswith("v0")
    ]
    assert chosen == expected
    assert expected


@pytest.mark.parametrize("damage", ["none", "twice", "swapped"])
def test_an_end_in_time_leaves_nothing_out(file: Path, tmp_path: Path, damage: str) -> None:
    # What comes too late for its time comes nonetheless, although reading may end once the time is over.
    data = file.read_bytes()
    half = data.index(CPU_CHANGE_HEADER.to_bytes(4, "little"), len(data) // 2)
    damaged = {"none": data, "twice": data + data, "swapped": data[half:] + data[:half]}[damage]
    other = tmp_path / "domU.xentrace"
    other.write_bytes(damaged)
    every = [json.loads(line) for line in run("dump", str(other), "--json", "--hz", "2600000000").stdout.splitlines()]
    some = [
        json.loads(line)
        for line in run("dump", str(other), "--json", "--hz", "2600000000", "--to", "0.3").stdout.splitlines()
    ]
    assert 0 < len(some) < len(every)
    assert some == [each for each in every if each["ns"] is None or each["ns"] < 300_000_000]


def test_json_is_the_exports_rows(file: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in run("dump", str(file), "--json", "-e", "grant").stdout.splitlines()]
    output = tmp_path / "all.jsonl"
    assert run("export", str(file), "--format", "jsonl", "-o", str(output)).returncode == 0
    everything = [json.loads(line) for line in output.read_text().splitlines()]
    assert rows == [row for row in everything if "grant" in row["name"] or row.get("hypercall") == "grant_table_op"]
    assert rows


def test_unknown_names_are_told(file: Path) -> None:
    done = run("dump", str(file), "-e", "hypercal")
    assert done.returncode == 2
    assert "'hypercal' is no class of events (hypercall, grant, " in done.stderr
    done = run("dump", str(file), "--domain", "web")
    assert done.returncode == 1
    assert re.search(
        r"the trace has no domain 'web'; it has 0, [123], and no names of them: give a number$", done.stderr
    )


def test_damage_is_told_at_the_end(file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes(file.read_bytes()[:-3])
    done = run("dump", str(cut))
    assert done.returncode == 4
    assert "truncated" in done.stderr
    assert len(done.stdout.splitlines()) > 50_000


CHOICES = [
    ("--pcpu", "1", "--from", "0.1", "--to", "0.4"),
    ("-e", "!sched,!exit", "--vcpu", "0"),
    ("-e", "event_channel_op,sched_wake", "--domain", "0"),
]


@pytest.mark.parametrize("options", CHOICES, ids=" ".join)
def test_report_and_exports_choose_the_same(file: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    rows = [json.loads(line) for line in run("dump", str(file), "--json", *options).stdout.splitlines()]
    assert rows
    table = tmp_path / "o"
    for kind in ("jsonl", "csv", "parquet"):
        assert run("export", str(file), "--format", kind, "-o", f"{table}.{kind}", *options).returncode == 0
    assert [json.loads(line) for line in Path(f"{table}.jsonl").read_text().splitlines()] == rows
    with Path(f"{table}.csv").open(newline="") as lines_:
        assert [int(row["tsc"]) for row in csv.DictReader(lines_)] == [row["tsc"] for row in rows]
    assert parquet.read_table(f"{table}.parquet").column("name").to_pylist() == [row["name"] for row in rows]

    document = json.loads(run("report", str(file), "--json", *options).stdout)
    events: Counter[tuple[int, int, str]] = Counter()
    for domain in document["domains"]:
        for vcpu in domain["vcpus"]:
            events.update({(domain["domid"], vcpu["vcpu"], name): count for name, count in vcpu["events"].items()})
    known = {key: count for key, count in events.items() if key[0] != UNKNOWN_DOMID}
    assert known == Counter((row["domid"], row["vcpu"], row["name"]) for row in rows if row["domid"] is not None)
    piped = run("report", "-", "--json", *options, stdin=file.read_bytes())
    assert json.loads(piped.stdout)["domains"] == document["domains"]


def test_a_timeline_of_a_choice(file: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    choice = ("--pcpu", "1", "--from", "0.1", "--to", "0.4")
    assert run("export", str(file), "--format", "perfetto", "-o", str(whole)).returncode == 0
    assert run("export", str(file), "--format", "perfetto", "-o", str(part), *choice).returncode == 0
    trace = Trace()
    trace.ParseFromString(part.read_bytes())
    times = [packet.timestamp for packet in trace.packet if packet.HasField("track_event")]
    assert 1e8 <= min(times) < max(times) <= 4e8
    names = {packet.track_descriptor.name for packet in trace.packet if packet.HasField("track_descriptor")}
    assert {name for name in names if name.startswith("pCPU ")} == {"pCPU 1"}
    begun = {one.name for packet in trace.packet for one in packet.interned_data.event_names}
    assert "running" in begun
    assert "blocked" not in begun
    assert part.stat().st_size < whole.stat().st_size / 5


def test_a_stretch_that_ends_before_it_begins(file: Path) -> None:
    done = run("report", str(file), "--from", "2", "--to", "1")
    assert (done.returncode, "--to must lie after --from" in done.stderr) == (2, True)


def test_only_the_ends_of_what_was_slow(tmp_path: Path) -> None:
    path = tmp_path / "pvh"
    path.write_bytes(capture("xen-4.20-pvh"))
    everything = json.loads(run("report", "--json", str(path)).stdout)
    lines = run("dump", "--slower-than", "1ms", str(path)).stdout.splitlines()
    assert all(line.endswith((" ms>", " s>")) for line in lines)
    # As many as the report's distributions have there, to the range of an octave in which 1 ms lies.
    octaves = [
        (bucket["from_s"], bucket["to_s"], bucket["count"])
        for domain in everything["domains"]
        for vcpu in domain["vcpus"]
        for latency in vcpu["latencies"].values()
        for bucket in latency["histogram"]
    ]
    least = sum(count for begin, _, count in octaves if begin >= 1e-3)
    most = sum(count for _, end, count in octaves if end > 1e-3)
    assert 0 < least <= len(lines) <= most
    rows = run("export", "--format", "csv", "-o", "-", "--slower-than", "1ms", str(path)).stdout.splitlines()
    assert len(rows) == 1 + len(lines)


def test_time_that_is_added_up_has_no_slow_parts(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(capture("xen-4.20-pvh"))
    done = run("export", "--format", "folded", "--slower-than", "1ms", str(path))
    assert done.returncode == 2
    assert "--slower-than" in done.stderr


def test_functions_of_the_guest_by_name(tmp_path: Path) -> None:
    trace, symbols = tmp_path / "domU.xentrace", tmp_path / "System.map"
    trace.write_bytes(capture("xen-4.20-pvh"))
    rips = sorted(
        {one["rip"] for one in map(json.loads, run("dump", str(trace), "--json").stdout.splitlines()) if "rip" in one}
    )
    middle = rips[len(rips) // 2]
    symbols.write_text(f"{middle:x} t here\n{middle + 0x100:x} D data\nno symbol\n")
    named = {rip: f"here+{rip - middle:#x}" for rip in rips if middle <= rip < middle + 0x100}

    done = run("dump", str(trace), "--symbols", str(symbols))
    assert (done.returncode, done.stderr) == (0, f"xentool: lines of {symbols} that are no symbols: 1\n")
    found = re.findall(r" rip=(0x[0-9a-f]+)(?: <(.*?)>)?", done.stdout)
    assert {int(rip, 16) for rip, _ in found} == set(rips)
    assert {(int(rip, 16), name) for rip, name in found} == {(rip, named.get(rip, "")) for rip in rips}

    objects = map(json.loads, run("dump", str(trace), "--symbols", str(symbols), "--json").stdout.splitlines())
    told = {(one["rip"], one["symbol"]) for one in objects if "rip" in one}
    assert told == {(rip, named.get(rip)) for rip in rips}


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        (None, 1, "cannot read {}: No such file or directory"),
        (b"\x7fELF\x00\xff", 4, "{} names no functions: no line is"),
        (b"0000000000000000 T _text\n", 4, "{} names no functions: all addresses are 0: only root sees"),
    ],
)
def test_no_functions(file: Path, tmp_path: Path, content: bytes | None, status: int, why: str) -> None:
    symbols = tmp_path / "symbols"
    if content is not None:
        symbols.write_bytes(content)
    done = run("dump", str(file), "--symbols", str(symbols))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert why.format(symbols) in done.stderr


@pytest.mark.parametrize("command", ["dump", "report"])
def test_a_pipe_with_a_name_is_opened_once(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[capture("xen-4.17-pv1")])
    opened: list[tuple[Path, str]] = []
    really = Path.open

    def noted(path: Path, mode: str = "r", *others: Any, **more: Any) -> IO[Any]:  # noqa: ANN401 - as it is called
        opened.append((path, mode))
        return really(path, mode, *others, **more)

    monkeypatch.setattr(Path, "open", noted)
    writer.start()
    told = ran(command, str(pipe))
    writer.join()
    # Whoever writes may be gone once nobody reads.
    assert opened.count((pipe, "rb")) == 1
    assert (told.returncode, told.stderr) == (0, "")


def test_records_are_counted_by_name(file: Path) -> None:
    done = run("dump", str(file), "--count", "-e", "hypercall,sched_wake")
    assert (done.returncode, done.stderr) == (0, "")
    _, _, *rows = [line.split() for line in done.stdout.splitlines()]
    counted = {name: int(count.replace(",", "")) for name, count, _ in rows[:-1]}
    expected = Counter[str]()
    for *_, what in lines(file, "-e", "hypercall,sched_wake"):
        expected[re.split(r"[( ]", what.strip())[0]] += 1
    assert counted == expected
    assert list(counted.values()) == sorted(counted.values(), reverse=True)
    assert rows[-1] == ["in", "all", f"{expected.total():,}"]


@pytest.mark.parametrize("words", [["--json"], ["-t"], ["--symbols", "System.map"]])
def test_what_shows_single_records_is_refused_with_a_count(file: Path, words: list[str]) -> None:
    done = run("dump", str(file), "--count", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--count shows no single records" in done.stderr
