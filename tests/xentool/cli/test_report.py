"""`xentool report` as a user runs it."""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.traces.captures import capture
from tests.xentool.cli.running import run

NAME = "xen-4.17-pv1"
IDLE = 32767


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "domU.xentrace"
    path.write_bytes(capture(NAME))
    return path


@pytest.fixture
def domid(file: Path) -> int:
    document = json.loads(run("report", str(file), "--json").stdout)
    (guest,) = {one["domid"] for one in document["domains"] if 0 < one["domid"] < IDLE}
    assert isinstance(guest, int)
    return guest


def test_text_names_what_the_guest_did(file: Path, domid: int) -> None:
    done = run("report", str(file), "--domain", str(domid))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "GHz (±1.0%, assumed: the trace tells no more; ~ marks times); none lost" in lines[0]
    assert [line for line in lines if line.startswith("Domain ")] == [f"Domain {domid}  (domid {domid}, pv, 1 vCPU)"]
    first_words = {line.split()[0] for line in lines if line.strip()}
    assert {"mmu_update", "multicall", "event_channel_op", "update_va_mapping", "v0"} <= first_words
    assert any(line.split()[:4] == ["wake", "to", "run", "v0"] and line.endswith("s") for line in lines)
    assert any(line.startswith(f"d0 maps pages of d{domid} ") for line in lines)
    assert "\x1b" not in done.stdout
    assert max(map(len, lines)) <= 200


def test_json_is_the_contracts_document(file: Path, domid: int) -> None:
    done = run("report", str(file), "--json")
    document = json.loads(done.stdout)
    assert document["schema"] == "xentool.report/1"
    seen = document["capture"]
    assert seen["source"] == "xentrace"
    assert (seen["bytes"], seen["skipped_bytes"], seen["lost_records"]) == (file.stat().st_size, 0, 0)
    assert seen["pcpus"] == [0, 1]
    # Where Xen is emulated, its own clock is uneven.
    assert (seen["hz_source"], seen["hz_error"]) == ("default", pytest.approx(9.5e-3, rel=0.1))
    # The machine that it was made on: Xen measured 2.596 GHz when it booted.
    assert seen["hz"] == pytest.approx(2.596e9, rel=5e-3)
    guest = next(domain for domain in document["domains"] if domain["domid"] == domid)
    assert (guest["mode"], guest["name"]) == ("pv", None)
    states = guest["vcpus"][0]["runstates"]
    assert sum(state["seconds"] for state in states.values()) == pytest.approx(seen["span_s"])
    calls = {call["name"]: call for call in guest["vcpus"][0]["hypercalls"]}
    assert calls["sched_op"]["subops"]["block"] > 0
    assert guest["vcpus"][0]["multicall_subcalls"]
    woken = guest["vcpus"][0]["latencies"]["wake_to_run"]
    assert 0 < woken["count"] <= states["runnable"]["count"]
    assert 0 < woken["p50_s"] <= woken["p90_s"] <= woken["p99_s"] <= woken["p99_9_s"] <= woken["max_s"]
    assert {"mapper": 0, "granter": domid} in [
        {k: pair[k] for k in ("mapper", "granter")} for pair in document["grants"]
    ]
    assert {(one["from"], one["to"]) for one in document["notifications"]} >= {(domid, 0)}
    assert len(document["not_recorded"]) >= 4
    # Two busy domains on an emulated machine wait for each other.
    told = json.loads(run("report", str(file), "--json", "--hz", "2596000000").stdout)["findings"]
    assert {(one["rule"], one["domid"]) for one in told} >= {("dom0_starved", 0), ("steal", domid)}
    assert not document["findings"]  # on an assumed clock


def test_a_pipe_gives_the_same_as_a_file(file: Path) -> None:
    piped = run("report", "-", "--json", stdin=file.read_bytes())
    assert piped.returncode == 0
    assert json.loads(piped.stdout) == json.loads(run("report", str(file), "--json").stdout)


def test_the_sidecar_gives_names(file: Path, domid: int) -> None:
    domains = [{"domid": domid, "name": "web", "type": "pv"}]
    meta = {"schema": "xentool.capture/1", "host": "x", "xen_version": "4.17", "hz": 2.6e9, "mask": 1}
    file.with_name("domU.xentrace.meta.json").write_text(json.dumps(meta | {"domains": domains}))
    done = run("report", str(file), "--domain", "web")
    assert f"web  (domid {domid}, pv, 1 vCPU)" in done.stdout
    assert "d0 maps pages of web" in done.stdout


def test_a_broken_sidecar_is_told_of(file: Path) -> None:
    file.with_name("domU.xentrace.meta.json").write_text('{"schema": "else"}')
    done = run("report", str(file))
    assert done.returncode == 4
    assert done.stderr.startswith("xentool: ")
    assert "domU.xentrace.meta.json" in done.stderr
    assert done.stderr.count("\n") == 1


def test_damage_is_reported_and_ends_with_4(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[5000:5400] = os.urandom(400)
    file.write_bytes(data[:-3])
    done = run("report", str(file), "--json")
    assert done.returncode == 4
    document = json.loads(done.stdout)
    assert document["capture"]["skipped_bytes"] > 0
    assert {"truncated"} <= {one["code"] for one in document["capture"]["diagnostics"]}
    assert len(document["domains"]) >= 3
    assert done.stderr.count("\n") == 1
    assert "is damaged" in done.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"Hello, this is no trace\n" * 9, "is text: xentrace"), (bytes(99), "holds no xentrace")],
)
def test_what_is_no_trace(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    done = run("report", str(path))
    assert (done.returncode, done.stdout) == (4, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("path", "code"), [("/", 4), ("/no/such/file", 1)])
def test_what_can_not_be_read(path: str, code: int) -> None:
    done = run("report", path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("xentool: ")
    assert done.stderr.count("\n") == 1


def test_no_such_domain_lists_those_that_there_are(file: Path, domid: int) -> None:
    done = run("report", str(file), "--domain", "web")
    assert done.returncode == 1
    assert f"it has 0, {domid}, and no names of them: give a number" in done.stderr


def test_wrong_usage_is_2() -> None:
    assert run("report").returncode == 2
    assert run("report", "x", "--hz", "0").returncode == 2
    assert run("nonsense").returncode == 2


def test_a_reader_that_goes_away_is_no_error(file: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "xentool", "report", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=300)
    assert errors == b""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    # The same capture end to end, 400 MB of it, without writing it: only the peak matters.
    script = tmp_path / "peak.py"
    script.write_text(
        "import re, sys\n"
        "from traces.scan import read\n"
        "class Repeated:\n"
        "    def __init__(self, data, size): self.data, self.left = data, size\n"
        "    def readinto(self, buffer):\n"
        "        take = self.data if self.left >= len(self.data) else b''\n"
        "        self.left -= len(take)\n"
        "        buffer[: len(take)] = take\n"
        "        return len(take)\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "account = read(Repeated(data, int(sys.argv[2]))).account\n"
        "assert account.skipped_bytes == 0\n"
        # Not ru_maxrss: a child process inherits the peak of the one that started it.
        "peak = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "print(account.bytes, peak // 1024)\n"
    )
    path = tmp_path / "capture"
    path.write_bytes(capture(NAME))
    peaks = {}
    for size in (40_000_000, 400_000_000):
        done = subprocess.run(
            [sys.executable, str(script), str(path), str(size)], capture_output=True, text=True, check=True, timeout=300
        )
        read, peaks[size] = map(int, done.stdout.split())
        assert read > size - 4_000_000
    assert peaks[400_000_000] < 300
    assert peaks[400_000_000] < peaks[40_000_000] + 40


def test_classes_choose_sections(file: Path) -> None:
    everything = json.loads(run("report", str(file), "--json").stdout)
    chosen = json.loads(run("report", str(file), "--json", "-e", "grant").stdout)
    assert chosen["grants"] == everything["grants"] != []
    assert chosen["notifications"] == []
    for domain in chosen["domains"]:
        for vcpu in domain["vcpus"]:
            assert {call["name"] for call in vcpu["hypercalls"]} <= {"grant_table_op"}
            assert vcpu["runstates"] == {}
    wrong = run("report", str(file), "-e", "grants")
    assert (wrong.returncode, "'grants' is no class of events" in wrong.stderr) == (2, True)


def test_the_slowest(file: Path) -> None:
    document = json.loads(run("report", str(file), "--slowest", "3", "--json").stdout)
    woken = document["slowest"]["wake_to_run"]
    assert len(woken["slowest"]) == 3
    assert woken["count"] == sum(
        vcpu["latencies"]["wake_to_run"]["count"]
        for domain in document["domains"]
        for vcpu in domain["vcpus"]
        if "wake_to_run" in vcpu["latencies"]
    )
    longest = max(
        vcpu["latencies"].get("wake_to_run", {"max_s": 0})["max_s"]
        for domain in document["domains"]
        for vcpu in domain["vcpus"]
    )
    assert woken["slowest"][0]["seconds"] == pytest.approx(longest)
    assert document["slowest"]["exits"] == {"count": 0, "slowest": []}
    few = json.loads(run("report", "-", "--slower-than", "5ms", "--json", stdin=file.read_bytes()).stdout)
    assert 0 < few["slowest"]["wake_to_run"]["count"] < woken["count"]
    assert all(one["seconds"] >= 0.005 for one in few["slowest"]["wake_to_run"]["slowest"])
    text = run("report", str(file), "--slowest", "1").stdout
    assert f"Slowest of {woken['count']:,} waits from waking until running" in text
    assert "there meanwhile: " in text
    assert run("report", str(file), "--slower-than", "5 parsecs").returncode == 2


def test_histograms_hold_every_interval(file: Path, domid: int) -> None:
    document = json.loads(run("report", str(file), "--json").stdout)
    guest = next(one for one in document["domains"] if one["domid"] == domid)
    (vcpu,) = guest["vcpus"]
    text = run("report", str(file), "--domain", str(domid), "--histograms").stdout
    for state, of in vcpu["runstates"].items():
        assert sum(one["count"] for one in of["histogram"]) == of["count"]
        assert (f"d{domid} v0: times {state}" in text) == (of["count"] > 0)
    bars = text.split(f"d{domid} v0: times running\n")[1].split("\n\n")[0].splitlines()
    assert len(bars) == len(vcpu["runstates"]["running"]["histogram"])
    assert max(line.count("█") for line in bars) == 40


def test_reading_begins_before_what_is_slow_is_loaded() -> None:
    # Of a report that takes 0.4 s, rich, numpy and the layouts' construct would be 0.2 s.
    code = "import sys, xentool.cli.report; print(*sorted({'construct', 'numpy', 'rich'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_a_file_that_is_not_there_is_said_while_all_is_loaded(tmp_path: Path) -> None:
    for words in (["report"], ["report", "--json"], ["export", "--format", "parquet", "-o", str(tmp_path / "out")]):
        done = run(*words, str(tmp_path / "none"))
        assert done.returncode == 1
        assert done.stderr == f"xentool: cannot read {tmp_path / 'none'}: No such file or directory\n"


@pytest.mark.parametrize("named", ["", ".", "/"])
def test_a_folder_without_a_name_is_no_trace(named: str) -> None:
    for words in (["report"], ["dump"], ["export", "--format", "csv"], ["export", "--format", "parquet"]):
        done = run(*words, named)
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr == f"xentool: {named or '.'} is a directory; give the trace file in it\n"


def summed(document: dict[str, Any], domid: int, what: str) -> int:
    rows = [one for interval in document["intervals"] for one in interval["domains"] if one["domid"] == domid]
    return sum(one[what] for one in rows)


def test_intervals_add_up_to_the_rest_of_the_report(file: Path, domid: int) -> None:
    document = json.loads(run("report", str(file), "--interval", "20ms", "--json").stdout)
    found = document["intervals"]
    assert [one["begin_ns"] for one in found[:3]] == [0, 20_000_000, 40_000_000]
    assert all(before["end_ns"] == after["begin_ns"] for before, after in pairwise(found))
    assert found[-1]["end_ns"] == pytest.approx(document["capture"]["span_s"] * 1e9, abs=1)
    domains = {one["domid"]: one for one in document["domains"]}
    for of, domain in domains.items():
        vcpus = domain["vcpus"]
        assert summed(document, of, "hypercalls") == sum(call["count"] for vcpu in vcpus for call in vcpu["hypercalls"])
        maps = sum(pair["maps"] for pair in document["grants"] if pair["mapper"] == of)
        assert summed(document, of, "grant_maps") == maps
    states = [one["runstates"] for interval in found for one in interval["domains"] if one["domid"] == domid]
    for name, of in domains[domid]["vcpus"][0]["runstates"].items():
        assert sum(one[name]["seconds"] for one in states) == pytest.approx(of["seconds"])
    for one in states:
        assert sum(state["share"] for state in one.values()) == pytest.approx(1.0)
    assert summed(document, 0, "grant_maps") > 50
    assert "intervals" not in json.loads(run("report", str(file), "--json").stdout)


def test_intervals_of_a_choice(file: Path, domid: int) -> None:
    words = ("--interval", "0.1", "--json", "--from", "0.3", "--to", "0.55", "--domain", str(domid), "-e", "hypercall")
    document = json.loads(run("report", "-", *words, stdin=file.read_bytes()).stdout)
    assert [one["begin_ns"] for one in document["intervals"]] == [300_000_000, 400_000_000, 500_000_000]
    assert document["intervals"][-1]["end_ns"] == 550_000_000
    for one in document["intervals"]:
        (of,) = one["domains"]
        assert (of["domid"], of["runstates"], of["exits"], of["grant_maps"]) == (domid, None, None, None)
    calls = [call for vcpu in document["domains"][0]["vcpus"] for call in vcpu["hypercalls"]]
    assert summed(document, domid, "hypercalls") == sum(call["count"] for call in calls) > 0


def test_intervals_as_tables(file: Path, domid: int) -> None:
    document = json.loads(run("report", str(file), "--interval", "250ms", "--json").stdout)
    text = run("report", str(file), "--interval", "250ms").stdout
    for of in (0, domid):
        heading, _, *rows = text.split(f"d{of}, every ~0.25 s\n")[1].split("\n\n")[0].splitlines()
        assert len(rows) == len(document["intervals"])
        assert [row.split()[0] for row in rows[:3]] == ["~0.00", "~0.25", "~0.50"]
        place = heading.replace("from s", "from").split().index("hypercalls")
        counts = [int(row.split()[place].replace(",", "")) for row in rows]
        assert sum(counts) == summed(document, of, "hypercalls") > 0
        shares = [row.split()[1] for row in rows]
        told = [one for interval in document["intervals"] for one in interval["domains"] if one["domid"] == of]
        assert shares == [f"{one['runstates']['running']['share']:.1%}" for one in told]
    assert "VM exits" not in text


def test_intervals_that_nobody_could_read(file: Path) -> None:
    done = run("report", str(file), "--interval", "2us", "--json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    least = re.search(r"give --interval (\S+) or more, or less of the trace by", done.stderr)
    assert least is not None
    assert json.loads(run("report", str(file), "--interval", least[1], "--json").stdout)["intervals"]
    for words in (["0"], ["5 parsecs"], ["1s", "--html", "-"]):
        assert run("report", str(file), "--interval", *words).returncode == 2


def test_interrupts_that_a_guest_gets(tmp_path: Path) -> None:
    path = tmp_path / "pvh.xentrace"
    path.write_bytes(capture("xen-4.17-pvh"))
    document = json.loads(run("report", str(path), "--json").stdout)
    (guest,) = (one for one in document["domains"] if 0 < one["domid"] < IDLE)
    (one,) = guest["vcpus"][0]["interrupts"]
    # Linux's HYPERVISOR_CALLBACK_VECTOR: event channels.
    assert (one["vector"], one["wake_to_halt"]["count"], one["interrupt_to_halt"]["count"]) == (243, 23, 1)
    lines = [line.split() for line in run("report", str(path)).stdout.splitlines()]
    assert ["vector", "243", f"{one['count']}"] in [line[:3] for line in lines]
    assert ["vector", "243", "woke", "23"] in [line[:4] for line in lines]
    assert ["vector", "243", "awake", "1"] in [line[:4] for line in lines]
