"""`xentool explain`: three lines a name, in pipes and on terminals, for programs, and what it says of other words."""

import json

import pytest

from tests.xentool.cli.inprocess import ran
from traces.explained import every


def test_three_lines_a_name() -> None:
    lines = ran("explain", "gref", "ptwr").stdout.splitlines()
    assert lines[0] == "gref (term, also grant reference)"
    assert [line[:8] for line in lines[1:4]] == ["  why   ", "  when  ", "  look  "]
    assert "xen/include/public/grant_table.h" in lines[3]
    assert lines[4] == ""
    assert lines[5] == "ptwr (term, also writable page tables)"
    assert len(lines) == 9


def test_a_term_of_several_words_needs_no_quotes() -> None:
    one, other = ran("explain", "root", "mode"), ran("explain", "root mode")
    assert one.stdout == other.stdout
    assert one.stdout.startswith("root mode (term, also vmx root, ")


def test_a_terminal_folds_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    folded = ran("explain", "mmu_update", terminal=True).stdout.splitlines()
    assert max(map(len, folded)) <= 40
    plain = ran("explain", "mmu_update").stdout
    assert " ".join(" ".join(folded).split()) == " ".join(plain.split())


def test_for_programs() -> None:
    document = json.loads(ran("explain", "--json", "EPT_VIOLATION").stdout)
    assert document["schema"] == "xentool.explain/1"
    (one,) = document["explanations"]
    assert (one["kind"], one["name"], one["also"]) == ("VMX exit", "EPT_VIOLATION", [])
    assert "second translation" in one["why"]


def test_without_a_word_all_are_listed() -> None:
    lines = ran("explain").stdout.splitlines()
    assert lines[0] == "Hypercalls:"
    assert " iret " in lines[1]
    assert lines[lines.index("Run states:") + 1] == "  running runnable blocked offline lost"
    told = json.loads(ran("explain", "--json").stdout)["explanations"]
    assert [one["name"] for one in told] == [one.name for one in every()]


def test_an_unknown_word_is_refused_and_one_like_it_told() -> None:
    done = ran("explain", "iret", "ptwrr")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "nothing explains 'ptwrr'; did you mean 'ptwr'" in done.stderr
    assert "did you mean" not in ran("explain", "zzzzzzzzzz").stderr
