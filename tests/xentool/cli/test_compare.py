"""``xentool compare`` on traces that were kept: counts of them side by side, without a lab."""

import json
from pathlib import Path

import pytest

from tests.xentool.cli.inprocess import ran
from tests.xentool.cli.kept import keep, noted
from xentool.tools.tracing import phases


def test_kept_traces_are_counted_side_by_side(tmp_path: Path) -> None:
    one, other = keep(tmp_path, "xen-pv", 10), keep(tmp_path, "xen-pvh", 30)
    page = tmp_path / "page.html"
    done = ran("compare", str(one), str(other), "--json", "--html", str(page))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "xentool.compare/1"
    assert found["emulated"] is True
    assert found["works"] == {"disk-write": "4 KiB written to the disk past the page cache, one request at a time"}
    means = [each["works"][0]["figures"]["doorbells"]["mean"] for each in found["techniques"]]
    assert means == [1.0, 3.0]
    assert "what xen-pvh is" in page.read_text()


def test_the_text_has_a_row_for_each_figure(tmp_path: Path) -> None:
    done = ran("compare", str(keep(tmp_path, "xen-pv", 25)), "--kinds")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["doorbells", "2.50"] in rows
    assert ["event_channel_op", "2.50"] in rows


def test_a_trace_of_which_nothing_was_noted_is_refused(tmp_path: Path) -> None:
    path = keep(tmp_path, "xen-pv", 1)
    (tmp_path / "xen-pv.trace.phases.json").unlink()
    done = ran("compare", str(path))
    assert done.returncode == 4
    assert "has no xen-pv.trace.phases.json beside it" in done.stderr


def test_marks_that_are_not_those_that_were_noted_are_refused(tmp_path: Path) -> None:
    path = keep(tmp_path, "xen-pv", 1)
    text = (tmp_path / "xen-pv.trace.phases.json").read_text()
    values = json.loads(text)
    values["works"].append(["net", 3])
    (tmp_path / "xen-pv.trace.phases.json").write_text(json.dumps(values))
    done = ran("compare", str(path))
    assert done.returncode == 4
    assert "has 5 marks where the guest made 7" in done.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "xentool.phases/2"},
        {"mode": "hvm"},
        {"vendor": "via"},
        {"domid": -1},
        {"domid": True},
        {"vcpus": 1 << 40},
        {"hz": 0},
        {"hz": "fast"},
        {"technique": 3},
        {"works": [["net"]]},
        {"works": [["net", "3"]]},
        {"works": 3},
    ],
)
def test_a_note_of_anything_else_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    path = keep(tmp_path, "xen-pv", 1)
    beside = tmp_path / "xen-pv.trace.phases.json"
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **changes}))
    done = ran("compare", str(path))
    assert done.returncode == 4
    assert done.stderr == f"xentool: {beside} is no xentool.phases/1 document\n"


def test_what_was_noted_comes_back_as_it_was(tmp_path: Path) -> None:
    path = keep(tmp_path, "xen-pv", 1)
    assert phases.noted_of(path) == noted("xen-pv")


@pytest.mark.parametrize("words", [["--on", "xen-pv,vmware"], ["--work", "disk-write,dance"]])
def test_names_that_nobody_knows_are_wrong_usage(words: list[str]) -> None:
    done = ran("compare", *words)
    assert done.returncode == 2
    assert "is none of" in done.stderr
