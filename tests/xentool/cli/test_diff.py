"""`xentool diff` as a user runs it."""

import json
from pathlib import Path

import pytest

from tests.traces.captures import capture
from tests.xentool.cli.running import run
from traces.analyses.report import DomainInfo
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.sidecar import Sidecar


@pytest.fixture(scope="module")
def pv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("diff") / "pv.xentrace"
    path.write_bytes(capture("xen-4.17-pv1"))
    return path


@pytest.fixture(scope="module")
def pvh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("diff") / "pvh.xentrace"
    path.write_bytes(capture("xen-4.20-pvh"))
    return path


def guest(path: Path) -> int:
    document = json.loads(run("report", str(path), "--json").stdout)
    (domid,) = {one["domid"] for one in document["domains"] if 0 < one["domid"] < 32000}
    assert isinstance(domid, int)
    return domid


def test_a_trace_against_itself(pv: Path) -> None:
    done = run("diff", str(pv), str(pv))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("no difference in ") == 2
    assert "times" not in done.stdout


def test_a_pvh_guest_against_a_pv_one(pv: Path, pvh: Path) -> None:
    pair = f"{guest(pvh)}:{guest(pv)}"
    done = run("diff", str(pvh), str(pv), "--domain", pair, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["schema"] == "xentool.diff/1"
    (domain,) = document["domains"]
    changes = {(one["kind"], one["name"]): one for one in domain["changes"]}
    gone, new = changes["exits", "RDTSC"], changes["hypercalls", "mmu_update"]
    assert gone["after"] == 0 < gone["before"]
    assert new["before"] == 0 < new["after"]
    assert gone["low"] <= -gone["before"] <= gone["high"] < 0
    text = run("diff", str(pvh), str(pv), "--domain", pair).stdout
    assert f"(domid {pair.replace(':', ' → ')})" in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith(("RDTSC", "mmu_update"))] == [
        "gone",
        "new",
    ]


def test_domains_are_matched_by_name_where_both_tell_names(pv: Path, pvh: Path, tmp_path: Path) -> None:
    paths = []
    for path in (pv, pvh):
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        infos = {0: DomainInfo("Domain-0", "pv"), guest(path): DomainInfo("web")}
        sidecar.write(copy, Sidecar("lab", "4.17", 2e9, 1, infos))
        paths.append(copy)
    document = json.loads(run("diff", *map(str, paths), "--json").stdout)
    assert [(one["before"], one["after"], one["name"]) for one in document["domains"]] == [
        (0, 0, "Domain-0"),
        (guest(pv), guest(pvh), "web"),
    ]
    document = json.loads(run("diff", str(pv), str(pvh), "--json").stdout)
    assert document["unmatched"] == {"before": [guest(pv)], "after": [guest(pvh)]}
    one, other = guest(pv), guest(pvh)
    assert f"--domain {one}:{other} compares these two." in run("diff", str(pv), str(pvh)).stdout
    assert f"(domid {one} → {other})" in run("diff", str(pv), str(pvh), "--domain", f"{one}:{other}").stdout


def test_what_cannot_be_compared(pv: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(capture("xen-4.17-pv1")[:60_000])
    done = run("diff", str(pv), str(short))
    assert done.returncode == 1
    assert "is too short to compare" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert run("diff", str(pv), str(tmp_path / "absent")).returncode == 1


def test_damage_is_told_after_the_answer(pv: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes(pv.read_bytes()[:-3])
    done = run("diff", str(pv), str(cut))
    assert done.returncode == 4
    assert "no difference in " in done.stdout
    assert "truncated" in done.stderr
