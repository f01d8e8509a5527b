"""Drivers judged at once: the same answers in the same order, whatever becomes of a process."""

from collections.abc import Iterator
from contextlib import contextmanager

from pvdrivers.conformance.case import Case
from pvdrivers.conformance.level import SMALL
from pvdrivers.conformance.run import Plan, Result
from pvdrivers.conformance.subject import Bench, Subject
from pvdrivers.xenbus import Role
from xentool.tools.conformance.our_disks import block_backend
from xentool.tools.conformance.our_vifs import net_frontend
from xentool.tools.conformance.session import Judged, judged

PLAN = Plan(SMALL, seed=7)
PATTERNS = ("BB19", "BB21", "NF02", "NF20")


class Nameless:
    """A driver that no other process knows."""

    name, version, role, device, kernel = "nameless", "", Role.BACK, "block", False

    @contextmanager
    def running(self) -> Iterator[Bench]:
        raise AssertionError("it is run elsewhere")
        yield


def told(found: list[Judged]) -> list[tuple[str, str, str, str]]:
    return [
        (one.subject, each.case.ident, each.verdict.value, each.observation) for one in found for each in one.results
    ]


def test_answers_and_their_order_are_those_of_one_after_the_other() -> None:
    subjects: list[Subject] = [net_frontend(), block_backend()]
    heard: list[tuple[str, int, int, str]] = []

    def tell(subject: Subject, done: int, total: int, what: Result | Case) -> None:
        if isinstance(what, Result):
            heard.append((subject.name, done, total, what.case.ident))

    found = judged(subjects, PATTERNS, PLAN, tell, jobs=2)
    assert told(found) == told(judged(subjects, PATTERNS, PLAN, lambda *_: None))
    assert [one.subject for one in found] == ["net-frontend", "block-backend"]
    assert [done for _, done, _, _ in heard] == [1, 2, 3, 4]
    assert {(name, total, ident) for name, _, total, ident in heard} == {
        ("net-frontend", 4, "NF02"),
        ("net-frontend", 4, "NF20"),
        ("block-backend", 4, "BB19"),
        ("block-backend", 4, "BB21"),
    }


def test_a_process_that_ends_takes_its_own_cases_alone() -> None:
    found = judged([Nameless(), block_backend()], ("BB21",), PLAN, lambda *_: None, jobs=2)
    assert told(found) == [
        ("nameless", "BB21", "inconclusive", "the process that judged it has ended with 1"),
        ("block-backend", "BB21", "pass", "4 eopnotsupp"),
    ]
