"""Runs cases against a subject, each with what is held and whether a sibling lives before and after."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from zlib import crc32

from pvdrivers.conformance.case import Case, Risk, Verdict
from pvdrivers.conformance.judge import judge
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import Inconclusive, Noticed, Observation, Seen, Unsupported
from pvdrivers.conformance.quirks import quirks_of, withheld_of
from pvdrivers.conformance.rig import Probe, Rig, rig
from pvdrivers.conformance.subject import Bench, Resources, Subject
from pvdrivers.errors import DriverError
from pvdrivers.xenstore.client import XenStoreError

#: As many wedges end a run: each costs a deadline, and says little after the first.
WEDGES = 3
#: Seconds for which what is held may take to come back.
_BACK = 10.0
_POLL = 0.01


@dataclass(frozen=True)
class Result:
    """What became of one case.

    :param observation: what was seen, or why nothing was, in words
    :param resources: what did not come back, by what it is
    """

    case: Case
    verdict: Verdict
    observation: str
    seed: int
    seconds: float
    resources: Mapping[str, int] = field(default_factory=dict)
    seen: Sequence[Seen] = ()


@dataclass(frozen=True)
class Plan:
    """How cases are run.

    :param risky: whether cases that may crash a kernel are run on one
    """

    level: Level
    seed: int = 0
    risky: bool = False

    def ordered(self, cases: Sequence[Case]) -> list[Case]:
        """Give cases in the order of the seed."""
        found = list(cases)
        Random(self.seed).shuffle(found)  # noqa: S311 - no secret: the same for the same seed
        return found


def run(
    subject: Subject, cases: Sequence[Case], plan: Plan, told: Callable[[Result | Case], object] = lambda _: None
) -> list[Result]:
    """Run cases; give a result for each, in their own order.

    :param told: is told of each case before it is run, and of its result
    :raises MachineError: the subject cannot run
    """
    results: dict[str, Result] = {}
    wedges = 0
    with subject.running() as bench, ExitStack() as stack:
        sibling = stack.enter_context(_rig(subject, bench, plan, Random(plan.seed)).sibling())  # noqa: S311 - see below
        for case in plan.ordered(cases):
            told(case)
            if reason := _left_out(subject, case, plan, wedges):
                result = Result(case, *reason, plan.seed, 0.0)
            else:
                result = _run(bench, subject, case, plan, sibling)
            wedges += result.verdict is Verdict.WEDGED
            results[case.ident] = result
            told(result)
    return [results[case.ident] for case in cases]


def _left_out(subject: Subject, case: Case, plan: Plan, wedges: int) -> tuple[Verdict, str] | None:
    if withheld := withheld_of(subject.name, subject.version, case.ident):
        return Verdict.WITHHELD, withheld.text
    if wedges >= WEDGES:
        return Verdict.INCONCLUSIVE, f"not run after {WEDGES} cases without an answer"
    if case.risk is Risk.MAY_CRASH and subject.kernel and not plan.risky:
        return Verdict.UNSUPPORTED, "may crash a kernel that does not pass: run in a lab alone"
    return None


def _run(bench: Bench, subject: Subject, case: Case, plan: Plan, sibling: Probe) -> Result:
    began = time.monotonic()
    # Of the case's own number: alone it is the same as among others.
    chance = Random(plan.seed << 32 | crc32(case.ident.encode()))  # noqa: S311 - no secret: the same for the same seed
    before = bench.resources()
    if (first := sibling()) is not Observation.OKAY:
        return Result(case, Verdict.INCONCLUSIVE, f"a device is not served before: {first.says}", plan.seed, 0.0)
    seen: list[Seen] = []
    verdict = None
    try:
        for each in case.steps(_rig(subject, bench, plan, chance)):
            seen.append(each)  # noqa: PERF402 - what came before an end counts
    except Noticed as noticed:
        seen.append(noticed.seen)
    except Unsupported as reason:
        verdict = Verdict.UNSUPPORTED, str(reason)
    except (Inconclusive, DriverError, XenStoreError) as reason:
        verdict = Verdict.INCONCLUSIVE, str(reason)
    lives = _lives(sibling) is Observation.OKAY
    if dead := bench.ended():
        seen.append(Seen("", Observation.CRASHED, dead))
        verdict = None
    held = _held(bench, before)
    verdict = verdict or judge(case, seen, quirks_of(subject.name, subject.version, case.ident), held, sibling=lives)
    return Result(case, *verdict, plan.seed, time.monotonic() - began, held, seen)


def _rig(subject: Subject, bench: Bench, plan: Plan, chance: Random) -> Rig:
    return rig(subject.device, subject.role, bench, plan.level, chance)


def _held(bench: Bench, before: Resources) -> dict[str, int]:
    # What comes back later has come back.
    deadline = time.monotonic() + _BACK
    while True:
        now = bench.resources()
        held = {what: now[what] - number for what, number in before.items()}
        if not any(held.values()) or time.monotonic() > deadline:
            return held
        time.sleep(_POLL)


def _lives(probe: Probe) -> Observation:
    # Whether another device of the same driver is served, which lives as long as the run, tells of the driver.
    try:
        return probe()
    except Noticed as noticed:
        return noticed.seen.observation
    except (DriverError, XenStoreError):
        return Observation.CRASHED
