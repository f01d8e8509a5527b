"""`xentool fleet diff` as a user runs it."""

import json
from pathlib import Path

import pytest

from tests.docs.shapes import wrong
from tests.xentool.cli.inprocess import ran
from tests.xentool.tools.fleet.made import trace, written
from traces.exporters.cells import ROWS_MAX
from xentool.documents.fleet import FleetDiff
from xentool.tools.fleet.engine import Engine


@pytest.fixture
def groups(tmp_path: Path) -> tuple[str, str]:
    """Write five captures of before and of after; after, "web" storms."""
    for number in range(5):
        written(tmp_path / f"before/{number}.xentrace", trace(number), "xen1")
        written(tmp_path / f"after/{number}.xentrace", trace(number + 1, storm=True), "xen1")
    return str(tmp_path / "before"), str(tmp_path / "after")


def test_what_changed_between_groups_is_told(shared: Engine, groups: tuple[str, str]) -> None:
    before, after = groups
    scheduler = ["--scheduler", shared.client.scheduler.address]
    done = ran("fleet", "diff", before, "--", after, *scheduler, "--json")
    assert (done.returncode, done.stderr.count("mistake")) == (0, 0)
    document = json.loads(done.stdout)
    assert list(wrong(document, FleetDiff)) == []
    assert (document["before"], document["after"], document["failed"]) == (5, 5, [])
    captures, web = document["domains"]
    assert (captures["name"], captures["changes"]) == (None, [])
    assert (web["name"], web["before"], web["after"]) == ("web", 5, 5)
    changes = {one["name"]: one for one in web["changes"]}
    storm = changes.pop("event_channel_op")
    assert changes == {}
    assert storm["before"] == 0
    assert 10_000 < storm["low"] <= storm["after"] <= storm["high"] < 10_200
    assert web["alike"] >= 3
    # Answers are known now. A group against itself has none.
    text = ran("fleet", "diff", *scheduler, before, "--", after).stdout
    assert "A: 5 captures, B: 5 captures" in text
    assert "Domain web (in 5 of A, 5 of B)" in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("event_channel_op")] == ["new"]
    same = ran("fleet", "diff", before, "--", before).stdout
    assert "times" not in same
    assert "no difference in" in same


def test_failures_that_are_left_out_are_counted(shared: Engine, groups: tuple[str, str], tmp_path: Path) -> None:
    for number in range(ROWS_MAX + 2):
        (tmp_path / f"before/broken-{number:03}.xentrace").write_bytes(b"no trace")
    done = ran("fleet", "diff", groups[0], "--", groups[1], "--scheduler", shared.client.scheduler.address)
    assert done.returncode == 1
    told = [line for line in done.stdout.splitlines() if "broken-" in line]
    assert len(told) == ROWS_MAX
    assert "\nand 2 captures more (--json)\n" in done.stdout


def test_too_few_captures_are_refused(tmp_path: Path) -> None:
    done = ran("fleet", "diff", str(tmp_path / "none"), "--", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert done.stderr.startswith("xentool: A has 0 and B 0 captures that can be read, and 3 are needed of each")
    assert done.stderr.endswith(f"; {tmp_path}/none: there is no such file\n")


@pytest.mark.parametrize("words", [["a", "b"], ["a", "--"], ["--", "b"], ["a", "--", "b", "--", "c"]])
def test_two_groups_it_must_be(words: list[str]) -> None:
    done = ran("fleet", "diff", *words)
    assert done.returncode == 2
    assert "--" in done.stderr
