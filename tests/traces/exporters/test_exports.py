"""`xentool export` on real captures: every record, every format, and the same answers as the report."""

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

from tests.traces.captures import NAMES, capture
from tests.traces.exporters.drawn import drawn
from traces import scan as scans
from traces.account import IDLE_DOMID, UNKNOWN_DOMID
from traces.analyses.report import report as report_of
from traces.exporters.perfetto import writer as perfetto
from traces.reader import Reader, read


def xentool(*words: str, code: int = 0, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "xentool", *words], input=stdin, capture_output=True, check=False, timeout=300
    )
    assert done.returncode == code, done.stderr.decode()
    return done


@pytest.fixture(scope="module", params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("export") / f"{request.param}.xentrace"
    file.write_bytes(capture(str(request.param)))
    return file


def report(path: Path) -> dict[str, Any]:
    document = json.loads(xentool("report", "--json", str(path)).stdout)
    assert isinstance(document, dict)
    return document


def hypercalls(document: dict[str, Any], what: str = "count") -> Counter[tuple[int, int, str]]:
    return Counter(
        {
            (domain["domid"], vcpu["vcpu"], call["name"]): call[what]
            for domain in document["domains"]
            for vcpu in domain["vcpus"]
            if domain["domid"] != UNKNOWN_DOMID
            for call in vcpu["hypercalls"]
        }
    )


def test_jsonl_has_every_record_in_order(path: Path) -> None:
    lines = xentool("export", str(path), "--format", "jsonl", "-o", "-").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    tables = list(read(io.BytesIO(path.read_bytes()), Reader()))
    assert [row["byte_offset"] for row in rows] == [int(offset) for table in tables for offset in table.offset]
    stamped = [row["ns"] for row in rows if row["ns"] is not None]
    assert stamped[0] == 0
    assert all(a <= b for a, b in pairwise(stamped))
    assert len(rows) - len(stamped) < 200
    document = report(path)
    assert rows[-1]["ns"] / 1e9 == pytest.approx(document["capture"]["span_s"], rel=1e-6)
    for preempted, what in ((False, "count"), (True, "restarts")):
        made = Counter(
            (row["domid"], row["vcpu"], row["hypercall"])
            for row in rows
            if row["name"] in ("pv_hypercall_v2", "hvm_vmmcall") and row["domid"] is not None
            if row.get("preempted", False) == preempted
        )
        assert made == hypercalls(document, what)
    changes = [row for row in rows if row["name"] == "sched_runstate_change"]
    assert {change["old"] for change in changes} >= {"running", "runnable", "blocked"}
    assert all({"old", "new", "target_vcpu", "target_domid"} <= set(change) for change in changes)
    subops = Counter(row.get("subop") for row in rows if row.get("hypercall") == "grant_table_op")
    assert subops["map_grant_ref"] > 0


def test_parquet_answers_as_the_report_does(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.parquet"
    xentool("export", str(path), "--format", "parquet", "-o", str(target))
    table = pq.read_table(target)
    document = report(path)
    about = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert about["schema"] == "xentool.events/1"
    assert float(about["hz"]) == document["capture"]["hz"]
    rows = table.select(["domid", "vcpu", "name", "hypercall", "w0", "w6", "target_domid"]).to_pylist()
    made = Counter(
        (row["domid"], row["vcpu"], row["hypercall"])
        for row in rows
        if row["name"] in ("pv_hypercall_v2", "hvm_vmmcall") and row["domid"] is not None
    )
    assert made == hypercalls(document) + hypercalls(document, "restarts")
    maps = Counter((row["domid"], row["target_domid"]) for row in rows if row["name"] == "mem_page_grant_map")
    assert {(UNKNOWN_DOMID if mapper is None else mapper, of): count for (mapper, of), count in maps.items()} == {
        (pair["mapper"], pair["granter"]): pair["maps"] for pair in document["grants"] if pair["maps"]
    }
    assert all(row["w0"] is not None and row["w6"] is None for row in rows if row["name"] == "sched_wake")
    assert table["ns"].drop_null()[0].as_py() == 0


def test_perfetto_has_the_reports_run_states(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "x"
    xentool("export", str(path), "--format", "perfetto", "-o", str(target))
    document = report(path)

    drawing = drawn(target.read_bytes())
    tracks, slices = drawing.tracks, drawing.slices
    for of_track in slices.values():
        assert all(a.end <= b.begin for a, b in pairwise(of_track))
    instants = Counter((one.track, one.name) for one in drawing.instants)
    parents = {uuid: tracks[track.parent_uuid].name for uuid, track in tracks.items() if track.parent_uuid}

    compared = 0
    for domain in document["domains"]:
        for vcpu in domain["vcpus"]:
            # The idle domain has no track: its time is a gap on its pCPU's.
            if not vcpu["runstates"] or domain["domid"] == IDLE_DOMID:
                continue
            name = f"d{domain['domid']}v{vcpu['vcpu']}"
            (track,) = (uuid for uuid, one in tracks.items() if one.name == name)
            assert parents[track] == f"d{domain['domid']}"
            for state, told in vcpu["runstates"].items():
                shown = [one for one in slices[track] if one.name == state]
                assert sum(not one.clipped for one in shown) == told["count"]
                # Nanoseconds are rounded twice for each slice.
                seconds = sum(one.end - one.begin for one in shown) / 1e9
                assert seconds == pytest.approx(told["seconds"], abs=1e-9 * (len(shown) + 1))
                compared += 1
            subcalls = Counter({call["name"]: call["count"] + call["restarts"] for call in vcpu["multicall_subcalls"]})
            for call in vcpu["hypercalls"]:
                for subop, count in call["subops"].items():
                    assert instants[name, f"{call['name']} {subop}"] == count
                if not call["subops"]:
                    assert instants[name, call["name"]] == call["count"] + call["restarts"] + subcalls[call["name"]]
            told_exits = Counter({one["name"]: one["count"] for one in vcpu["exits"]})
            of_exits = [slices.get(uuid, []) for uuid, one in tracks.items() if one.name == f"{name} VM exits"]
            shown_exits = Counter(one.name for of_track in of_exits for one in of_track)
            # The last one may still be open.
            assert (told_exits - shown_exits).total() <= 1
            assert not shown_exits - told_exits
    assert compared >= 5 * 3
    running = {one.name for uuid, of_track in slices.items() if parents.get(uuid) == "pCPUs" for one in of_track}
    guests = {domain["domid"] for domain in document["domains"] if domain["domid"] < IDLE_DOMID}
    # Idle is a gap.
    assert {int(name[1:].split("v")[0]) for name in running} == guests
    busy = {
        int(tracks[uuid].name.removeprefix("pCPU ")): sum(one.end - one.begin for one in of_track) / 1e9
        for uuid, of_track in slices.items()
        if parents.get(uuid) == "pCPUs"
    }
    for pcpu, seconds in busy.items():
        ran = sum(v["pcpus"].get(str(pcpu), 0) for d in document["domains"] if d["domid"] in guests for v in d["vcpus"])
        assert seconds == pytest.approx(ran, rel=0.02)


@pytest.mark.parametrize("name", [NAMES[0], NAMES[-1]])
def test_perfetto_in_small_pieces_is_the_same_and_in_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Run states that go on from one piece to the next begin before what their vCPU does.
    found = report_of(scans.read(io.BytesIO(capture(name))))
    drawings = []
    for piece in (1 << 17, 500):
        monkeypatch.setattr(perfetto, "_PIECE", piece)
        target = io.BytesIO()
        perfetto.write(read(io.BytesIO(capture(name)), Reader()), found, target)
        drawings.append(drawn(target.getvalue()))
    for one in drawings:
        one.instants.sort(key=str)
    assert drawings[0] == drawings[1]
    assert sum(map(len, drawings[0].slices.values())) > 5000
    assert len(drawings[0].arrows) > 100


def test_names_from_the_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "a.xentrace"
    path.write_bytes(capture(NAMES[0]))
    meta = {"schema": "xentool.capture/1", "host": "x", "xen_version": "4.17", "hz": 2.6e9, "mask": 1}
    domains = [{"domid": 0, "name": "Domain-0", "type": "pv"}]
    (tmp_path / "a.xentrace.meta.json").write_text(json.dumps(meta | {"domains": domains}))
    xentool("export", str(path), "--format", "perfetto")
    trace = Trace.FromString((tmp_path / "a.perfetto-trace").read_bytes())
    assert {"Domain-0 (d0)", "Domain-0 v0"} <= {packet.track_descriptor.name for packet in trace.packet}


def test_stdin_and_damage(tmp_path: Path) -> None:
    data = capture(NAMES[0])[:100_001]
    target = tmp_path / "x.jsonl"
    done = xentool("export", "-", "--format", "jsonl", "-o", str(target), code=4, stdin=data)
    assert b"is damaged" in done.stderr
    assert len(target.read_bytes().splitlines()) > 1000


def test_nothing_is_left_of_what_is_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no trace at all\n" * 10)
    xentool("export", str(path), "--format", "parquet", code=4)
    assert [one.name for one in tmp_path.iterdir()] == ["text"]


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(capture(NAMES[0])[:1000])
    done = xentool("export", str(path), "--format", "jsonl", "-o", str(path), code=1)
    assert b"is the trace itself" in done.stderr
    assert path.stat().st_size == 1000
    # Nor by way of stdin.
    with path.open("rb") as stdin:
        command = [sys.executable, "-m", "xentool", "export", "-", "--format", "jsonl", "-o", str(path)]
        assert subprocess.run(command, stdin=stdin, capture_output=True, check=False, timeout=300).returncode == 1
    assert path.stat().st_size == 1000


def test_a_link_is_followed_and_a_device_written_to(tmp_path: Path) -> None:
    path = tmp_path / "a.xentrace"
    path.write_bytes(capture(NAMES[0])[:1000])
    (tmp_path / "link").symlink_to(tmp_path / "target")
    xentool("export", str(path), "--format", "jsonl", "-o", str(tmp_path / "link"), code=4)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").stat().st_size > 1000
    xentool("export", str(path), "--format", "jsonl", "-o", "/dev/stdout", code=4)


def test_csv_is_the_parquet_table(path: Path, tmp_path: Path) -> None:
    table, lines = tmp_path / "x.parquet", tmp_path / "x.csv"
    xentool("export", str(path), "--format", "parquet", "-o", str(table))
    xentool("export", str(path), "--format", "csv", "-o", str(lines))
    expected = pq.read_table(table)
    with lines.open() as file:
        rows = csv.DictReader(file)
        assert rows.fieldnames == expected.column_names
        for row, wanted in zip(rows, expected.to_pylist(), strict=True):
            assert row == {name: "" if value is None else str(value) for name, value in wanted.items()}


def test_folded_stacks_are_the_reports_times(path: Path) -> None:
    document = report(path)
    lines = xentool("export", str(path), "--format", "folded", "-o", "-").stdout.decode().splitlines()
    stacks = [line.rsplit(" ", 1) for line in lines]
    found = {stack: int(micros) for stack, micros in stacks}
    assert len(found) == len(stacks)
    for domain in document["domains"]:
        for vcpu in domain["vcpus"] if domain["domid"] not in (IDLE_DOMID, UNKNOWN_DOMID) else []:
            head = f"d{domain['domid']};v{vcpu['vcpu']};"
            of = {stack.removeprefix(head): micros for stack, micros in found.items() if stack.startswith(head)}
            running = sum(micros for stack, micros in of.items() if stack.startswith("running"))
            states = vcpu["runstates"]
            assert running == pytest.approx(states["running"]["seconds"] * 1e6 if states else 0, abs=len(of))
            assert of.get("blocked", 0) == pytest.approx(states["blocked"]["seconds"] * 1e6 if states else 0, abs=1)
            exits = {stack.removeprefix("running;exit "): micros for stack, micros in of.items() if ";exit " in stack}
            assert exits == {
                one["name"]: round(one["seconds"] * 1e6) for one in vcpu["exits"] if round(one["seconds"] * 1e6)
            }
