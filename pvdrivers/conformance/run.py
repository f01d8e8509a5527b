"""Runs cases against a subject, each with what is held and whether a sibling lives before and after."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from random import Random
from zlib import crc32

from pvdrivers.conformance.case import FAILURES, Case, Risk, Verdict
from pvdrivers.conformance.evidence import Evidence, KeepingBench
from pvdrivers.conformance.judge import judge
from pvdrivers.conformance.level import Level
from pvdrivers.conformance.observation import NEVER, Inconclusive, Noticed, Observation, Seen, Unsupported
from pvdrivers.conformance.quirks import quirks_of, withheld_of
from pvdrivers.conformance.rig import Probe, Rig, rig
from pvdrivers.conformance.subject import Bench, Resources, Subject
from pvdrivers.errors import DriverError
from pvdrivers.xenstore.client import XenStoreError

#: As many wedges end a run: each costs a deadline, and says little after the first.
WEDGES = 3
#: Seconds for which what is held may take to come back.
BACK_WITHIN = 10.0
_POLL = 0.01


@dataclass(frozen=True)
class Result:
    """What became of one case.

    :param observation: what was seen, or why nothing was, in words
    :param resources: what did not come back, by what it is
    :param evidence: of one that failed, where it was to be kept
    """

    case: Case
    verdict: Verdict
    observation: str
    seed: int
    seconds: float
    resources: Mapping[str, int] = field(default_factory=dict)
    seen: Sequence[Seen] = ()
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Plan:
    """How cases are run.

    :param risky: whether cases that may crash a kernel are run on one
    :param keep: whether what those that fail leave to look at is kept
    """

    level: Level
    seed: int = 0
    risky: bool = False
    keep: bool = False

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
    wedges, gone = 0, ""
    with subject.running() as bench, ExitStack() as stack:
        sibling = _sibling(subject, bench, plan, stack)
        account = _Account(bench)
        for case in plan.ordered(cases):
            told(case)
            if gone:
                result = Result(case, Verdict.INCONCLUSIVE, f"not run any more: {gone}", plan.seed, 0.0)
            elif reason := _left_out(subject, case, plan, wedges):
                result = Result(case, *reason, plan.seed, 0.0)
            else:
                result = _looked_at(account, subject, case, plan, sibling)
                if result.verdict is Verdict.LEAK:
                    # What is had once may be kept for later; what is kept each time is lost.
                    again = _looked_at(account, subject, case, plan, sibling)
                    result = result if again.verdict is Verdict.INCONCLUSIVE else again
            wedges += result.verdict is Verdict.WEDGED
            if result.verdict is Verdict.CRASHED:
                # A mistake that it caught is told once; that it is no more, again and again.
                gone = bench.ended() or ""
            results[case.ident] = result
            told(result)
    return [results[case.ident] for case in cases]


def _sibling(subject: Subject, bench: Bench, plan: Plan, stack: ExitStack) -> Probe:
    # Another device of the same driver, which lives as long as the run.
    chance = Random(plan.seed)  # noqa: S311 - no secret: the same for the same seed
    try:
        return stack.enter_context(_rig(subject, bench, plan, chance).sibling())
    except (Noticed, Inconclusive, DriverError, XenStoreError) as error:
        # There is none, and nothing is said of any case but by that.
        first: Exception = error

    def none() -> Seen:
        raise first

    return none


def _left_out(subject: Subject, case: Case, plan: Plan, wedges: int) -> tuple[Verdict, str] | None:
    if withheld := withheld_of(subject.name, subject.version, case.ident):
        return Verdict.WITHHELD, withheld.text
    if wedges >= WEDGES:
        return Verdict.INCONCLUSIVE, f"not run after {WEDGES} cases without an answer"
    if case.risk is Risk.MAY_CRASH and subject.kernel and not plan.risky:
        return Verdict.UNSUPPORTED, "may crash a kernel that does not pass: run in a lab alone"
    return None


def _looked_at(account: "_Account", subject: Subject, case: Case, plan: Plan, sibling: Probe) -> Result:
    if not plan.keep:
        return _run(account, account.bench, subject, case, plan, sibling)
    evidence = Evidence()
    result = _run(account, KeepingBench(account.bench, evidence), subject, case, plan, sibling)
    return replace(result, evidence=evidence) if result.verdict in FAILURES else result


def _run(account: "_Account", devices: object, subject: Subject, case: Case, plan: Plan, sibling: Probe) -> Result:
    bench = account.bench
    began = time.monotonic()
    # Of the case's own number: alone it is the same as among others.
    chance = Random(plan.seed << 32 | crc32(case.ident.encode()))  # noqa: S311 - no secret: the same for the same seed
    before = account.now()
    if (first := _probed(sibling)).observation is not Observation.OKAY:
        # What no driver may do is a failure wherever it is seen.
        verdict = Verdict.FAIL if first.observation in NEVER else Verdict.INCONCLUSIVE
        why = f"a device is not served before: {first.observation.word} ({first.detail or first.observation.says})"
        if dead := bench.ended():
            verdict, why = Verdict.CRASHED, dead
        return Result(case, verdict, why, plan.seed, time.monotonic() - began)
    seen: list[Seen] = []
    nothing: tuple[Verdict, str] | None = None
    try:
        for each in case.steps(_rig(subject, devices, plan, chance)):
            seen.append(each)  # noqa: PERF402 - what came before an end counts
    except Noticed as noticed:
        seen.append(noticed.seen)
    except Unsupported as reason:
        nothing = Verdict.UNSUPPORTED, str(reason)
    except (Inconclusive, DriverError, XenStoreError) as reason:
        nothing = Verdict.INCONCLUSIVE, str(reason)
    lives = _probed(sibling).observation is Observation.OKAY
    if dead := bench.ended():
        seen.append(Seen("", Observation.CRASHED, dead))
    held = account.held(before)
    if nothing and not dead and not any(held.values()):
        return Result(case, *nothing, plan.seed, time.monotonic() - began, held, seen)
    known = quirks_of(subject.name, subject.version, case.ident)
    judged = judge(case, seen, known, held, sibling=lives)
    return Result(case, *judged, plan.seed, time.monotonic() - began, held, seen)


def _rig(subject: Subject, bench: object, plan: Plan, chance: Random) -> Rig:
    return rig(subject.device, subject.role, bench, plan.level, chance)


class _Account:
    # What is in use: counted once between two cases, for on Xen that takes as long as many a case.

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._last: Resources = {}

    def now(self) -> Resources:
        """Give what is in use before a case: what was when the last one had ended, if all of it could be counted."""
        self._last = self._last or self.bench.resources()
        return self._last

    def held(self, before: Resources) -> dict[str, int]:
        """Wait for what was in use to be so again; give what more there is yet."""
        # What comes back later has come back.
        deadline = time.monotonic() + BACK_WITHIN
        while True:
            now = self.bench.resources()
            # What cannot be counted at one of both moments is not said to have changed; nor is what came back from
            # before.
            held = {what: max(now[what] - number, 0) for what, number in before.items() if what in now}
            if not any(held.values()) or time.monotonic() > deadline:
                self._last = now if before.keys() <= now.keys() else {}
                return held
            time.sleep(_POLL)


def _probed(probe: Probe) -> Seen:
    try:
        return probe()
    except Noticed as noticed:
        return noticed.seen
    except Inconclusive as reason:
        return Seen("", Observation.WAITS, str(reason))
    except (DriverError, XenStoreError) as error:
        return Seen("", Observation.CRASHED, str(error))
