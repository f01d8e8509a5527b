"""Judges drivers: one after the other, each with its cases; what became of them, for documents and exit codes."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import FAILURES, UNTESTED, Case, Verdict
from pvdrivers.conformance.run import Plan, Result, run
from pvdrivers.conformance.subject import Subject
from pvdrivers.errors import DriverError
from pvdrivers.xenstore.client import XenStoreError
from xentool.errors import XentoolError

#: What the command exits with (the contract's codes): failures were found, or nothing could be tested.
FAILED, NOTHING = 5, 3


@dataclass(frozen=True)
class Judged:
    """A driver, and what became of its cases.

    :param version: of the driver; empty where it could not be had
    """

    subject: str
    version: str
    results: Sequence[Result]

    @property
    def summary(self) -> dict[str, int]:
        """How many cases have each verdict that there is."""
        counts = Counter(result.verdict for result in self.results)
        return {verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]}


#: Is told of a subject, of how many cases are done and how many there are, and of a case or its result.
Told = Callable[[Subject, int, int, Result | Case], object]


def judged(
    subjects: Sequence[Subject], patterns: tuple[str, ...], plan: Plan, told: Told, jobs: int = 1
) -> list[Judged]:
    """Judge drivers by those of their cases that patterns choose.

    :param jobs: drivers that are judged at once, each in a process of its own if there are several: what one uses is
        not counted as the other's. Cases of one driver are run one after the other whatever this is.
    :raises XentoolError: no case is chosen
    """
    cases = {subject.name: registry.chosen(subject.device, subject.role, patterns) for subject in subjects}
    if not any(cases.values()):
        raise XentoolError(f"no case of these drivers is called {' or '.join(patterns)}; --list names all")
    total, done = sum(map(len, cases.values())), 0

    def tell(subject: Subject, what: Result | Case) -> None:
        nonlocal done
        done += isinstance(what, Result)
        told(subject, done, total, what)

    if jobs > 1 and len(subjects) > 1:
        from xentool.tools.conformance.at_once import judged_at_once  # noqa: PLC0415 - brings multiprocessing

        return judged_at_once(subjects, cases, plan, tell, jobs)
    return [judged_alone(subject, cases[subject.name], plan, partial(tell, subject)) for subject in subjects]


def judged_alone(
    subject: Subject, cases: Sequence[Case], plan: Plan, told: Callable[[Result | Case], object]
) -> Judged:
    """Judge one driver, in this process."""
    try:
        return Judged(subject.name, subject.version, run(subject, cases, plan, told))
    except (DriverError, XenStoreError) as error:
        # It is none of the driver's doing: nothing can be said of it here.
        return unjudged(subject.name, subject.version, cases, plan, told, str(error))


def unjudged(
    name: str, version: str, cases: Sequence[Case], plan: Plan, told: Callable[[Result | Case], object], why: str
) -> Judged:
    """Say of a driver that nothing can be said."""
    results = [Result(case, Verdict.INCONCLUSIVE, why, plan.seed, 0.0) for case in cases]
    for result in results:
        told(result)
    return Judged(name, version, results)


def exit_code(found: Sequence[Judged]) -> int:
    """Give what a run exits with."""
    verdicts = {result.verdict for one in found for result in one.results}
    if verdicts & FAILURES:
        return FAILED
    return NOTHING if verdicts <= UNTESTED else 0


def repeated(subject: str, result: Result) -> str:
    """Give the command that runs a case again, as it was."""
    return f"xentool conformance {subject} --case {result.case.ident} --seed {result.seed}"
