"""What observations are worth."""

from dataclasses import replace

import pytest

from pvdrivers.conformance.case import Case, Clause, Verdict
from pvdrivers.conformance.judge import judge
from pvdrivers.conformance.observation import NEVER, Observation, Seen, Sights
from pvdrivers.conformance.quirks import Quirk, parsed, quirks_of, withheld_of
from pvdrivers.xenbus import Role

O = Observation  # noqa: E741 - as short as the tables need it


def nothing(_rig: object) -> Sights:
    yield from ()


def case(*, must: bool = True) -> Case:
    clause = Clause("blkif.h", "a quote", must=must)
    return Case("XX01", "a title", Role.BACK, "block", clause, "why", nothing, {O.ERROR: Verdict.PASS})


QUIRK = Quirk("blkback", "6.1.*", "XX01", O.OKAY, "it does it all the same", "blkback.c, f")


@pytest.mark.parametrize(
    ("seen", "must", "sibling", "held", "verdict"),
    [
        ([O.ERROR, O.ERROR], True, True, {}, Verdict.PASS),
        ([O.ERROR, O.OKAY], True, True, {}, Verdict.FAIL),
        # What a clause leaves open is no failure, but what no driver may do is.
        ([O.ERROR, O.OKAY], False, True, {}, Verdict.INCONCLUSIVE),
        ([O.ERROR, O.CHANGED], False, True, {}, Verdict.FAIL),
        # Time is none, unless a sibling answers.
        ([O.SILENT], True, True, {}, Verdict.WEDGED),
        ([O.SILENT], True, False, {}, Verdict.INCONCLUSIVE),
        ([O.ERROR], True, False, {}, Verdict.FAIL),
        ([O.ERROR, O.CRASHED], True, False, {}, Verdict.CRASHED),
        ([O.ERROR], True, True, {"grants": 0, "ports": 1}, Verdict.LEAK),
        ([O.ERROR], True, True, {"grants": -1}, Verdict.LEAK),
        ([O.OKAY], True, True, {"grants": 1}, Verdict.FAIL),
        ([], True, True, {}, Verdict.INCONCLUSIVE),
    ],
)
def test_verdicts(seen: list[Observation], must: bool, sibling: bool, held: dict[str, int], verdict: Verdict) -> None:
    found, why = judge(case(must=must), [Seen("it", each) for each in seen], [], held, sibling=sibling)
    assert found is verdict
    assert why


def test_a_quirk_is_that_observation_and_no_other() -> None:
    assert judge(case(), [Seen("it", O.OKAY)], [QUIRK], {}, sibling=True) == (
        Verdict.QUIRK,
        "it: okay (it does it all the same)",
    )
    assert judge(case(), [Seen("it", O.CHANGED)], [QUIRK], {}, sibling=True)[0] is Verdict.FAIL
    assert judge(case(), [Seen("it", O.ERROR)], [QUIRK], {}, sibling=True) == (
        Verdict.XPASS,
        "a known quirk is gone: okay",
    )


def test_a_quirk_that_chance_shows_is_not_gone_when_it_does_not() -> None:
    by_chance = replace(QUIRK, sometimes=True)
    assert judge(case(), [Seen("it", O.OKAY)], [by_chance], {}, sibling=True)[0] is Verdict.QUIRK
    assert judge(case(), [Seen("it", O.ERROR)], [by_chance], {}, sibling=True) == (Verdict.PASS, "error")


def test_a_quirk_of_one_thing_that_is_tried_explains_no_other() -> None:
    quirks = [replace(QUIRK, what="* tagged"), replace(QUIRK, what="of no IP", text="passed on")]
    found = [Seen("IPv4 tagged", O.OKAY), Seen("of no IP", O.OKAY)]
    verdict, why = judge(case(), found, quirks, {}, sibling=True)
    assert (verdict, why) == (
        Verdict.QUIRK,
        "IPv4 tagged: okay (it does it all the same); of no IP: okay (passed on)",
    )
    assert judge(case(), [*found, Seen("IPv6", O.OKAY)], quirks, {}, sibling=True)[0] is Verdict.FAIL
    # Each of them is missed by itself.
    assert judge(case(), found[:1], quirks, {}, sibling=True) == (Verdict.XPASS, "a known quirk is gone: okay")


def test_words() -> None:
    seen = [Seen("a", O.ERROR), Seen("b", O.ERROR)]
    assert judge(case(), seen, [], {}, sibling=True)[1] == "2 error"
    seen = [Seen("a", O.ERROR), Seen("b", O.ODD, "status 7"), Seen("c", O.TWICE)]
    assert judge(case(), seen, [], {}, sibling=True)[1] == "b: odd-status (status 7); c: twice (answered twice)"
    assert judge(case(), seen[:1], [], {"ports": 2}, sibling=True)[1] == "not as before: +2 ports"


def test_what_no_driver_may_do_is_allowed_nowhere() -> None:
    from pvdrivers.conformance import registry  # noqa: PLC0415 - this test's alone

    assert [each.ident for each in registry.every() if NEVER & each.allow.keys()] == []


def test_quirks_are_read_and_found_by_driver_version_and_case(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"driver": "blkback", "versions": "6.1.*", "case": "XX01", "text": "t"}
    document = {"quirk": [{**entry, "observation": "okay", "source": "s"}], "withheld": [entry]}
    found = parsed(document)
    monkeypatch.setattr("pvdrivers.conformance.quirks._listed", lambda: found)
    assert [each.observation for each in quirks_of("blkback", "6.1.99", "XX01")] == [O.OKAY]
    # Of whatever guest the driver is.
    assert [each.text for each in quirks_of("blkback@domU", "6.1.99", "XX01")] == ["t"]
    assert quirks_of("blkback", "6.12.1", "XX01") == quirks_of("qdisk", "6.1.99", "XX01") == []
    assert withheld_of("blkback", "6.1.99", "XX01") is not None
    assert withheld_of("blkback", "6.1.99", "XX02") is None
    with pytest.raises(KeyError):
        parsed({"quirk": [{**entry, "observation": "okey", "source": "s"}]})
    with pytest.raises(TypeError):
        parsed({"withheld": [{**entry, "trigger": "none of these"}]})
