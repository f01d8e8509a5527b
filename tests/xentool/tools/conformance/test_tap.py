"""TAP: a line a case, whose words begin no directive by accident."""

from tests.xentool.tools.conformance.made import CASES, judged
from xentool.tools.conformance.tap import tap


def test_a_line_a_case() -> None:
    lines = tap([judged(), judged("blkback")]).splitlines()
    assert lines[:3] == ["TAP version 14", "1..20", f"ok 1 - block-backend BB01 {CASES[0].title}"]
    found = [line for line in lines if line.startswith(("ok ", "not ok "))]
    assert [int(line.partition(" - ")[0].split()[-1]) for line in found] == [*range(1, 21)]
    assert [(line.startswith("ok"), line.partition(" # ")[2]) for line in found[:10]] == [
        (True, ""),
        (False, ""),
        (False, "TODO quirk: seen quirk"),
        (True, "TODO seen xpass"),
        (True, "SKIP seen unsupported"),
        (False, "TODO inconclusive: seen inconclusive"),
        (False, ""),
        (False, ""),
        (False, ""),
        (True, "SKIP withheld: seen withheld"),
    ]


def test_why_one_failed() -> None:
    text = tap([judged()])
    start = text.index("not ok 2")
    (_, _, verdict, said, again, end) = text[start:].splitlines()[:6]
    assert verdict == "  verdict: fail"
    # Quoted for YAML, and nothing of it reaches a terminal.
    assert said.startswith('  observation: "it said <b>&\\"# SKIP')
    assert not set(text) & set("\x00\x1b\ud800")
    assert again == '  repeat: "xentool conformance block-backend --case BB02 --seed 7"'
    assert end == "  ..."
