"""`xentool trace` on real Xen: what it shows is there, and what it changes is put back."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.xen.labs import HUNG, Lab, eventually, one_xen, usually

pytestmark = pytest.mark.lab


def trace(lab: Lab, *words: str, timeout: float = HUNG) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "xentool", "trace", "--host", lab.host, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def guest(document: dict[str, Any]) -> dict[str, Any]:
    (domain,) = document["domains"]
    assert isinstance(domain, dict)
    return domain


def hypercalls(domain: dict[str, Any], which: str = "hypercalls") -> dict[str, int]:
    made: dict[str, int] = {}
    for vcpu in domain["vcpus"]:
        for call in vcpu[which]:
            made[call["name"]] = made.get(call["name"], 0) + call["count"]
    return made


def start(lab: Lab, keep: Path, name: str, *words: str) -> subprocess.Popen[str]:
    """Start a trace of a busy guest, and return when it has records of what the guest does."""
    command = [sys.executable, "-m", "xentool", "trace", "--host", lab.host, name, "-o", str(keep), "--json", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    report = [sys.executable, "-m", "xentool", "report", "--json", "--domain", name, str(keep)]

    def works() -> bool:
        # Its last record may not be whole yet, and of the guest there may be none.
        said = subprocess.run(report, capture_output=True, check=False, timeout=HUNG).stdout
        return bool(said) and hypercalls(guest(json.loads(said))).get("mmu_update", 0) > 0

    assert eventually(lambda: process.poll() is not None or works())
    assert process.poll() is None, process.communicate()
    assert lab.tracing() == {"locked", "xentrace"}
    return process


@usually("4.20")
def test_a_pv_guest_by_name_and_by_number(lab: Lab, tmp_path: Path) -> None:
    domid = lab.guest("domU", "pv", vcpus=2)
    keep = tmp_path / "domU.xentrace"
    began = time.monotonic()
    done = trace(lab, "domU", "-d", "3", "--json", "-o", str(keep))
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    domain = guest(document)
    assert (domain["domid"], domain["name"], domain["mode"]) == (domid, "domU", "pv")
    assert {vcpu["vcpu"] for vcpu in domain["vcpus"]} == {0, 1}

    made = hypercalls(domain)
    assert {"mmu_update", "multicall", "iret", "sched_op", "event_channel_op"} <= {name for name in made if made[name]}
    assert sum(hypercalls(domain, "multicall_subcalls").values()) > made["multicall"]
    for vcpu in domain["vcpus"]:
        states = vcpu["runstates"]
        assert min(states[name]["seconds"] for name in ("running", "runnable", "blocked")) > 0
        total = sum(state["seconds"] for state in states.values())
        assert total == pytest.approx(document["capture"]["span_s"])
        assert vcpu["events"]["pv_page_fault"] > 0
    assert 2 < document["capture"]["span_s"] < took
    # Two processes; and when the emulated machine waits for a processor, that counts as theirs.
    assert 0 < document["capture"]["tracer_cpu_share"] < 2
    maps = {(pair["mapper"], pair["granter"]): pair for pair in document["grants"]}
    assert maps[0, domid]["maps"] > 0
    assert maps[0, domid]["unmaps"] > 0
    assert {(one["from"], one["to"]) for one in document["notifications"]} >= {(domid, 0), (0, domid)}
    capture = document["capture"]
    assert (capture["skipped_bytes"], capture["bytes"], capture["hz_source"]) == (
        0,
        keep.stat().st_size,
        capture["hz_source"],
    )
    # Xen measures its nanoseconds anew each second, by a timer that the emulation reads late on a busy machine.
    assert capture["hz"] == pytest.approx(lab.hz, rel=2e-2)

    # The kept file tells the same later, names included.
    command = [sys.executable, "-m", "xentool", "report", "--json", "--domain", "domU", str(keep)]
    again = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=HUNG).stdout)
    assert again == document

    by_number = trace(lab, str(domid), "-d", "1", "--json")
    assert guest(json.loads(by_number.stdout))["name"] == "domU"
    lab.stop("domU")


@usually("4.17")
def test_a_pvh_guest_has_exits_with_time(lab: Lab, tmp_path: Path) -> None:
    lab.outlived("hybrid", lambda: _has_exits_with_time(lab, tmp_path), lambda: lab.away("hybrid"))


def _has_exits_with_time(lab: Lab, folder: Path) -> None:
    domid = lab.guest("hybrid", "pvh", vcpus=1)
    file, symbols = folder / "hybrid.xentrace", folder / "kallsyms"
    done = trace(lab, "hybrid", "-d", "2", "--json", "-o", str(file))
    assert done.returncode == 0
    assert "has ended" not in done.stderr
    document = json.loads(done.stdout)
    domain = guest(document)
    assert (domain["domid"], domain["mode"]) == (domid, "pvh")
    exits = {one["name"]: one for one in domain["vcpus"][0]["exits"]}
    # QEMU's processor is AMD's.
    assert {"VMMCALL", "HLT", "INTR"} <= exits.keys()
    assert all(one["seconds"] > 0 for one in exits.values() if one["count"] > 10)
    in_xen = sum(one["seconds"] for one in exits.values())
    assert in_xen < domain["vcpus"][0]["runstates"]["running"]["seconds"]
    assert hypercalls(domain)["event_channel_op"] > 0
    # Its kernel is dom0's, which says where each function is.
    symbols.write_text(lab.run("cat", "/proc/kallsyms"))
    command = [sys.executable, "-m", "xentool", "dump", str(file), "--domain", str(domid), "--symbols", str(symbols)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=HUNG).stdout
    halted = set(re.findall(r" exit HLT .* <(\w+)\+0x[0-9a-f]+>", said))
    assert halted
    assert all("halt" in function for function in halted)


@one_xen
def test_only_the_classes_asked_for(lab: Lab) -> None:
    lab.guest("worker")
    document = json.loads(trace(lab, "worker", "-e", "grant,evtchn", "-d", "2", "--json").stdout)
    domain = guest(document)
    assert set(hypercalls(domain)) <= {"grant_table_op", "event_channel_op"}
    assert hypercalls(domain)["event_channel_op"] > 0
    assert document["grants"]
    assert all(vcpu["runstates"] == {} and vcpu["exits"] == [] for vcpu in domain["vcpus"])
    # A trace without -e afterwards has everything again: the mask did not stay.
    everything = guest(json.loads(trace(lab, "worker", "-d", "2", "--json").stdout))
    assert hypercalls(everything)["mmu_update"] > 0


@one_xen
def test_text_for_a_pipe(lab: Lab) -> None:
    lab.guest("worker")
    done = trace(lab, "worker", "-d", "2")
    # How long it was is told only where an emulated dom0 was slow to stop it.
    said = re.fullmatch(r"(xentool: [\d.]+ s were recorded, not 2 s: .*\n)?", done.stderr)
    assert done.returncode == 0
    assert said, done.stderr
    assert "worker  (domid" in done.stdout
    assert "Domain-0 maps pages of worker" in done.stdout
    assert "\x1b" not in done.stdout


@usually("4.17")
def test_ctrl_c_reports_and_puts_tracing_back(lab: Lab, tmp_path: Path) -> None:
    lab.guest("worker")
    process = start(lab, tmp_path / "x", "worker")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=HUNG)
    assert (process.returncode, errors) == (130, "")
    assert hypercalls(guest(json.loads(output)))["mmu_update"] > 0
    assert lab.tracing() == set()
    assert trace(lab, "worker", "-d", "1", "--json").returncode == 0


@one_xen
def test_a_killed_client_does_not_leave_dom0_tracing(lab: Lab, tmp_path: Path) -> None:
    lab.guest("worker")
    process = start(lab, tmp_path / "x", "worker")
    process.kill()
    process.communicate()
    assert eventually(lambda: not lab.tracing())
    assert trace(lab, "worker", "-d", "1", "--json").returncode == 0


@one_xen
def test_a_domain_that_does_not_exist(lab: Lab) -> None:
    done = trace(lab, "nobody", "-d", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("xentool: there is no domain 'nobody'; there are Domain-0 (0)")
    assert done.stderr.count("\n") == 1


@usually("4.20")
def test_a_domain_that_ends_ends_the_trace(lab: Lab, tmp_path: Path) -> None:
    domid = lab.guest("shortlived")
    process = start(lab, tmp_path / "x", "shortlived", "-d", "600")
    lab.run("xl", "destroy", "shortlived")
    output, errors = process.communicate(timeout=HUNG)
    assert (process.returncode, errors) == (0, "xentool: shortlived has ended\n")
    domain = guest(json.loads(output))
    assert (domain["domid"], domain["name"]) == (domid, "shortlived")
    assert hypercalls(domain)["mmu_update"] > 0


def test_a_host_that_is_not_there() -> None:
    command = [sys.executable, "-m", "xentool", "trace", "--host", "ssh://root@127.0.0.1:1", "worker"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HUNG)
    assert (done.returncode, done.stdout) == (3, "")
    assert "cannot reach ssh://root@127.0.0.1:1" in done.stderr
    assert done.stderr.count("\n") == 1
