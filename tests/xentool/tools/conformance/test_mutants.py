"""Each mistake that our drivers are given is found, by the case that it is said to be found by."""

from dataclasses import replace

import pytest

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import FAILURES, Verdict
from pvdrivers.conformance.level import SMALL, Level
from pvdrivers.conformance.run import Plan, Result, run
from tests.xentool.tools.conformance.mutants import MUTANTS, Mutant, changed, mistaken
from tests.xentool.tools.conformance.net_back_mutants import NET_BACK_MUTANTS
from tests.xentool.tools.conformance.net_front_mutants import NET_FRONT_MUTANTS
from xentool.tools.conformance.our_disks import block_backend, block_frontend
from xentool.tools.conformance.our_vifs import net_backend, net_frontend

ALL = [*MUTANTS, *NET_BACK_MUTANTS, *NET_FRONT_MUTANTS]
LEVEL = replace(SMALL, rounds=20, flips=20_000, storm=200, pairs=9)
#: Seconds for what never comes; where nothing could be said meanwhile, since all else took as long, again for more.
NEVER_COMES = (3.0, 30.0)


def judged(mutant: Mutant) -> Result:
    for seconds in NEVER_COMES:
        result = _judged(mutant, replace(LEVEL, deadline=seconds) if mutant.waits else LEVEL)
        if result.verdict is not Verdict.INCONCLUSIVE:
            break
    return result


def _judged(mutant: Mutant, level: Level) -> Result:
    subject = mutant.subject
    if mutant.case[2] == "S":
        # What a state may lead to is looked at for a part of this.
        level = replace(level, silence=1.0)
    (result,) = run(subject, registry.chosen(subject.device, subject.role, (mutant.case,)), Plan(level))
    return result


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: f"{mutant.case}-{mutant.name}")
def test_a_mistake_is_found(mutant: Mutant) -> None:
    with mistaken(mutant):
        result = judged(mutant)
    assert result.verdict in FAILURES, (result.verdict, result.observation)
    assert mutant.word in result.observation


def test_without_one_the_readable_way_passes() -> None:
    idents = tuple(sorted({mutant.case for mutant in ALL}))
    subjects = block_backend(), block_frontend(), net_backend(compiled=False), net_frontend(compiled=False)
    for subject in subjects:
        with mistaken(Mutant("none", "", "", lambda _: None)):
            results = run(subject, registry.chosen(subject.device, subject.role, idents), Plan(LEVEL))
        wrong = {one.case.ident: one.observation for one in results if one.verdict is not Verdict.PASS}
        assert wrong == {}


def test_a_text_that_is_not_there_is_noticed() -> None:
    with pytest.raises(ValueError, match="stands 0 times in test_a_text_that_is_not_there_is_noticed"):
        changed(test_a_text_that_is_not_there_is_noticed, "no" + "where", "")
