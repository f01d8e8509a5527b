"""Judges several drivers at once, each in a process of its own.

Law: answers are those of one after the other, in the same order. What a process says of itself, its descriptors and its
processor time, is of one driver alone; and a driver that takes its process with it takes no other.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Case
from pvdrivers.conformance.run import Plan, Result
from pvdrivers.conformance.subject import Subject
from xentool.tools.conformance.session import Judged, judged_alone, unjudged
from xentool.tools.conformance.subjects import subject

#: Is told of a driver, and of a case or its result.
Told = Callable[[Subject, Result | Case], object]
#: Seconds that a process may take to sweep up.
_PATIENCE = 60.0


def judged_at_once(
    subjects: Sequence[Subject], cases: Mapping[str, Sequence[Case]], plan: Plan, told: Told, jobs: int
) -> list[Judged]:
    """Judge drivers, so many at once.

    :param subjects: of those that have a name (`subjects.SUBJECTS`)
    :param cases: by driver
    """
    waiting, found = list(subjects), dict[str, Judged]()
    running: dict[Connection, _Running] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                one = _Running(waiting.pop(0), cases, plan)
                running[one.connection] = one
            for ready in connection.wait(list(running)):
                assert isinstance(ready, Connection)  # noqa: S101 - as they were given
                one = running[ready]
                if (judged := one.heard(told)) is not None:
                    found[one.subject.name] = judged
                    one.close()
                    del running[ready]
    finally:
        for one in running.values():
            one.close()
    return [found[each.name] for each in subjects]


class _Running:
    # A driver's process, as this one sees it.

    def __init__(self, of: Subject, cases: Mapping[str, Sequence[Case]], plan: Plan) -> None:
        self.subject, self._plan = of, plan
        self._cases = {case.ident: case for case in cases[of.name]}
        self._results: dict[str, Result] = {}
        context = get_context("spawn")
        self.connection, there = context.Pipe(duplex=False)
        self._process: SpawnProcess = context.Process(target=_work, args=(there, of.name, list(self._cases), plan))
        self._process.start()
        there.close()

    def heard(self, told: Told) -> Judged | None:
        """Take what the process says; give what became of its driver, once that is known."""
        try:
            ident, words = self.connection.recv()
        except EOFError:
            return self._judged(told)
        case = self._cases[ident]
        if words is None:
            told(self.subject, case)
        else:
            self._results[ident] = Result(case, **words)
            told(self.subject, self._results[ident])
        return None

    def _judged(self, told: Told) -> Judged:
        self._process.join(_PATIENCE)
        missing = [case for ident, case in self._cases.items() if ident not in self._results]
        if missing:
            why = f"the process that judged it has ended with {self._process.exitcode}"
            rest = unjudged("", "", missing, self._plan, lambda what: told(self.subject, what), why)
            self._results |= {result.case.ident: result for result in rest.results}
        return Judged(self.subject.name, self.subject.version, [self._results[ident] for ident in self._cases])

    def close(self) -> None:
        """Have the process end, if it has not, swept up."""
        self._process.terminate()
        self._process.join(_PATIENCE)
        self._process.kill()
        self.connection.close()


def _work(there: Connection, name: str, idents: Sequence[str], plan: Plan) -> None:
    # The other process: says of each case that it begins, and what became of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupted)
    by_ident = {case.ident: case for case in registry.every()}

    def tell(what: Result | Case) -> None:
        there.send((what.case.ident, _words(what)) if isinstance(what, Result) else (what.ident, None))

    # An end that is asked for, and a parent that is no more, are no news to anybody.
    with suppress(KeyboardInterrupt, BrokenPipeError):
        judged_alone(subject(name), [by_ident[ident] for ident in idents], plan, tell)


def _interrupted(*_: object) -> None:
    # Once: what is swept up meanwhile is swept up to its end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _words(result: Result) -> dict[str, Any]:
    # A result without its case, whose functions stay where they are.
    words = {field.name: getattr(result, field.name) for field in fields(result) if field.name != "case"}
    return {**words, "resources": dict(result.resources), "seen": list(result.seen)}
