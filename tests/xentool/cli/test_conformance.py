"""``xentool conformance``: what it prints, writes and exits with."""

import json
from pathlib import Path

import pytest

from pvdrivers.conformance.case import Verdict
from pvdrivers.conformance.judge import judge
from tests.xentool.cli.inprocess import ran


def test_a_run_for_people() -> None:
    done = ran("conformance", "block-backend", "--case", "bb2[01]", "--seed", "5")
    assert done.returncode == 0
    first, *rest = done.stdout.splitlines()
    assert first.startswith("block-backend ")
    assert rest == [
        "  pass         BB20  discards that cannot be: past the end, around it, of nothing",
        "  pass         BB21  operations that there are not",
        "  2 pass",
    ]


def test_a_run_for_programs(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("junit.xml", "tap", "page.html")]
    words = [word for pair in zip(("--junit", "--tap", "--html"), map(str, files), strict=True) for word in pair]
    done = ran("conformance", "block-backend", "--case", "BB21", "--json", *words)
    told = json.loads(done.stdout)
    assert list(told) == ["schema", "subject", "version", "cases", "summary"]
    (case,) = told["cases"]
    assert {name: case[name] for name in ("id", "role", "verdict", "observation", "xsa", "seed")} == {
        **{"id": "BB21", "role": "back", "verdict": "pass", "observation": "4 eopnotsupp", "xsa": [], "seed": 0},
    }
    assert case["resources"] == dict.fromkeys(("grants", "mappings", "ports", "descriptors"), 0)
    assert [b"BB21" in file.read_bytes() for file in files] == [True] * 3


def test_what_failed_is_told_with_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def harsh(*words: object, **more: bool) -> tuple[Verdict, str]:
        verdict, _ = judge(*words, **more)  # type: ignore[arg-type] # as they came
        return (Verdict.FAIL, "so I say") if verdict is Verdict.PASS else (verdict, "")

    monkeypatch.setattr("pvdrivers.conformance.run.judge", harsh)
    done = ran("conformance", "block-backend", "--case", "BB21", "--seed", "9")
    assert done.returncode == 5
    assert done.stdout.splitlines()[1:] == [
        "  fail         BB21  operations that there are not",
        "               so I say",
        "               again: xentool conformance block-backend --case BB21 --seed 9",
        "  1 fail",
    ]


def test_how_much_is_one_of_three() -> None:
    assert ran("conformance", "block-backend", "--case", "BB21", "--quick").returncode == 0
    done = ran("conformance", "block-backend", "--quick", "--full")
    assert done.returncode == 2
    assert "--quick and --full" in done.stderr


def test_what_there_is() -> None:
    lines = ran("conformance", "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["block-backend", "block-backend-process", "block-frontend"]
    assert [line.split()[:3] for line in lines if line.startswith("BB13")] == [["BB13", "block", "back"]]


def test_a_case_explained() -> None:
    text = ran("conformance", "--explain", "bb13").stdout
    for words in (
        "BB13: a producer index that cannot be",
        "What it does. Sets `req_prod` further ahead",
        "Why. A backend that believes the index",
        'ring.h (Xen 4.17): "Ill-behaved frontend determination',
        "Security advisories: XSA-155",
        "disabled     this ring or device is given up, its siblings live",
        "Anything else is a failure.",
    ):
        assert words in text
    assert "inconclusive" in ran("conformance", "--explain", "BB21").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "give a SUBJECT to test"),
        (("--explain", "XX99"), 2, "there is no case XX99"),
        (("nobody",), 1, "'nobody' is no driver that can be tested"),
        (("block-backend", "--case", "ZZ"), 1, "no case of these drivers is called ZZ"),
        (("block-backend", "--case", "BB21", "--tap", "/nowhere/tap"), 1, "cannot write /nowhere/tap"),
    ],
)
def test_wrong_usage(words: tuple[str, ...], code: int, said: str) -> None:
    done = ran("conformance", *words)
    assert done.returncode == code
    assert said in done.stderr


def test_a_driver_of_a_dom0_that_this_is_not() -> None:
    done = ran("conformance", "blkback", "--case", "BB21")
    assert done.returncode == 3
    assert done.stdout.splitlines()[1].split()[:2] == ["inconclusive", "BB21"]
    assert "/dev/xen/gntdev" in done.stdout.splitlines()[2]
