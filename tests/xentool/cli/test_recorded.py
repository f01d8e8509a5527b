"""Traces that tell when they were recorded, in all that commands print, and those that don't; names that users give."""

import json
from pathlib import Path

import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

from tests.traces.captures import stranger
from tests.xentool.cli.inprocess import ran
from tests.xentool.cli.running import run
from xentool.errors import PeerError
from xentool.tools.tracing import sidecar

#: The first record's, and the rate of its clock.
FIRST, HZ = 3_000_000_000, 2e9


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "a.xentrace"
    path.write_bytes(stranger("intel-plain"))
    (first,) = {
        json.loads(line)["tsc"] for line in ran("dump", str(path), "--json", "--to", "1e-9").stdout.splitlines()
    }
    sidecar.path_of(path).write_text(
        json.dumps(
            {
                "schema": sidecar.SCHEMA,
                "host": "xen1",
                "xen_version": "4.17.5",
                "hz": HZ,
                "mask": 1,
                "domains": [{"domid": 5, "name": "web", "type": "hvm"}],
                "recorded": {
                    "begin": "2026-11-30T00:59:59.900000+05:30",
                    "end": "2026-11-30T01:00:00.600000+05:30",
                    "pairs": [{"tsc": first - 20_000_000, "at": "2026-11-30T00:59:59.990000+05:30", "error_s": 2e-5}],
                },
            }
        )
    )
    return path


#: The first record's, ns since the epoch.
AT = 1_795_980_600_000_000_000


def test_reports(file: Path) -> None:
    lines = ran("report", str(file)).stdout.splitlines()
    assert lines[1] == "Recorded 2026-11-30 01:00:00.000 to 01:00:00.039, +05:30 (by dom0's clock, ±20 µs)"
    capture = json.loads(ran("report", str(file), "--json").stdout)["capture"]
    assert capture["recorded"] == {
        "begin": "2026-11-30T01:00:00.000000+05:30",
        "end": "2026-11-30T01:00:00.039600+05:30",
        "first_record_unix_ns": AT,
        "error_s": 2e-5,
        "basis": "pairs",
    }
    cut = json.loads(ran("report", str(file), "--json", "--from", "0.01", "--to", "0.02").stdout)["capture"]
    assert (cut["recorded"]["begin"][17:26], cut["recorded"]["end"][17:26]) == ("00.010000", "00.020000")
    assert cut["recorded"]["first_record_unix_ns"] == AT


@pytest.mark.parametrize(
    ("option", "first", "last"),
    [
        ("-t", "01:00:00", "01:00:00"),
        ("-tt", "01:00:00.000000", "01:00:00.039600"),
        ("-ttt", "1795980600.000000", "1795980600.039600"),
    ],
)
def test_dump_as_strace(file: Path, option: str, first: str, last: str) -> None:
    done = ran("dump", str(file), option)
    lines = done.stdout.splitlines()
    assert (lines[0].split()[0], lines[-1].split()[0]) == (first, last)
    assert lines[0].split()[1] == "p0"
    said = "xentool: the first record is of 2026-11-30T01:00:00.000000+05:30 by dom0's clock, give or take 20 µs\n"
    assert done.stderr == said


def test_dump_for_programs(file: Path) -> None:
    rows = [json.loads(line) for line in ran("dump", str(file), "-t", "--json").stdout.splitlines()]
    assert {row["unix_ns"] - row["ns"] for row in rows} == {AT}
    assert "unix_ns" not in ran("dump", str(file), "--json", "--to", "0.001").stdout


def test_the_viewers_clock(file: Path) -> None:
    out = file.with_name("timeline")
    assert ran("export", str(file), "--format", "perfetto", "-o", str(out)).returncode == 0
    trace = Trace.FromString(out.read_bytes())
    (snapshot,) = (packet.clock_snapshot for packet in trace.packet if packet.HasField("clock_snapshot"))
    assert {one.clock_id: one.timestamp for one in snapshot.clocks} == {6: 0, 1: AT}
    (system,) = (packet.system_info for packet in trace.packet if packet.HasField("system_info"))
    assert system.timezone_off_mins == 330


def test_where_nobody_noted_it(file: Path, tmp_path: Path) -> None:
    lone = tmp_path / "lone"
    lone.write_bytes(file.read_bytes())
    done = ran("report", str(lone))
    assert done.stdout.splitlines()[1] == "Nobody noted when it was recorded; `xentool record` does"
    assert json.loads(ran("report", str(lone), "--json").stdout)["capture"]["recorded"] is None
    done = ran("dump", str(lone), "-tt")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"xentool: {lone}: Nobody noted when it was recorded; `xentool record` does. Leave out -tt\n"
    )
    assert run("dump", "-", "-t", stdin=b"").returncode == 2


@pytest.mark.parametrize(
    ("begin", "times", "why"),
    [
        ("2026-12-05", 1, "what was noted does not fit it"),
        ("9999-12-31", 1, "what was noted does not fit it"),
        ("0001-01-02", 1, "what was noted does not fit it"),
        ("2026-11-30", 2, "its clock began anew, and what was noted is of one run"),
    ],
)
def test_what_was_noted_and_does_not_fit(file: Path, tmp_path: Path, begin: str, times: int, why: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(file.read_bytes() * times)
    told = sidecar.path_of(file).read_text().replace('"begin": "2026-11-30', f'"begin": "{begin}')
    sidecar.path_of(path).write_text(told)
    assert ran("report", str(path)).stdout.splitlines()[1] == f"When it was recorded is not known: {why}"
    assert json.loads(ran("report", str(path), "--json").stdout)["capture"]["recorded"] is None
    done = ran("dump", str(path), "-t")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"xentool: {path}: When it was recorded is not known: {why}. Leave out -t\n"


def test_numbers_go_before_names_and_a_name_of_two_is_no_ones(file: Path, tmp_path: Path) -> None:
    lone = tmp_path / "lone"
    lone.write_bytes(file.read_bytes())
    number = ran("dump", str(lone), "--domain", "5").stdout
    assert number
    assert ran("dump", str(lone), "--name", "0=5", "--domain", "5").stdout == number
    done = ran("report", str(lone), "--name", "32767=web", "--name", "5=web", "--domain", "web")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "xentool: several domains are called 'web': 5, 32767; give a number\n"


@pytest.mark.parametrize(
    "recorded",
    [
        {"begin": "2026-11-30T00:59:59", "end": None, "pairs": []},
        {"begin": "soon", "end": None, "pairs": []},
        {"begin": "2026-11-30T00:59:59+01:00", "end": None, "pairs": [{"tsc": -1, "at": "2026-11-30", "error_s": 0}]},
        {"begin": "2026-11-30T00:59:59+01:00", "end": None, "pairs": 3},
        {"begin": "2026-11-30T00:59:59+01:00"},
        3,
    ],
)
def test_nonsense(file: Path, tmp_path: Path, recorded: object) -> None:
    path = tmp_path / "a"
    path.write_bytes(file.read_bytes())
    known = json.loads(sidecar.path_of(file).read_text())
    sidecar.path_of(path).write_text(json.dumps(known | {"recorded": recorded}))
    with pytest.raises(PeerError, match="is no xentool"):
        sidecar.read(path)


def test_names_that_a_user_gives(file: Path, tmp_path: Path) -> None:
    lone = tmp_path / "lone"
    lone.write_bytes(file.read_bytes())
    named = ("--name", "5=web", "--name", "0=dom zero")
    assert "\nweb  (domid 5, hvm, 1 vCPU)\n" in ran("report", str(lone), *named).stdout
    assert ran("dump", str(lone), *named, "--domain", "web").stdout == ran("dump", str(lone), "--domain", "5").stdout
    assert run("dump", "-", *named, "--domain", "web", stdin=lone.read_bytes()).returncode == 0
    assert ran("sql", str(lone), "select name from domains where domid = 5", *named).stdout == "name\nweb\n"
    assert "web (d5);v0;running" in ran("export", str(lone), "--format", "folded", "-o", "-", *named).stdout
    # The user knows better than the sidecar.
    assert "other  (domid 5, hvm" in ran("report", str(file), "--name", "5=other").stdout
    for wrong in ("web", "=web", "5=", "-1=web", "5:6=web"):
        assert ran("report", str(lone), "--name", wrong).returncode == 2
