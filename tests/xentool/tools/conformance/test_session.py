"""Which cases are run, what of drivers that cannot be had, and what a run exits with."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pvdrivers.conformance.case import Verdict
from pvdrivers.conformance.level import SMALL
from pvdrivers.conformance.run import Plan, Result
from pvdrivers.errors import MachineError
from pvdrivers.xenbus import Role
from tests.xentool.tools.conformance.made import CASES
from xentool.errors import XentoolError
from xentool.tools.conformance.document import documents
from xentool.tools.conformance.our_disks import BackendBench, block_backend
from xentool.tools.conformance.ours import Ours
from xentool.tools.conformance.session import Judged, exit_code, judged
from xentool.tools.conformance.subjects import subject

PLAN = Plan(SMALL, seed=3)


class Absent(Ours[BackendBench]):
    """A driver whose machine is not there."""

    def __init__(self) -> None:
        super().__init__("absent", "block", Role.BACK, BackendBench)

    @contextmanager
    def running(self) -> Iterator[BackendBench]:
        raise MachineError("there is no such machine")
        yield


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.PASS], 0),
        ([Verdict.PASS, Verdict.QUIRK, Verdict.XPASS, Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE], 0),
        ([Verdict.PASS, Verdict.FAIL], 5),
        ([Verdict.WEDGED], 5),
        ([Verdict.UNSUPPORTED, Verdict.CRASHED], 5),
        ([Verdict.PASS, Verdict.LEAK], 5),
        ([Verdict.UNSUPPORTED, Verdict.INCONCLUSIVE, Verdict.WITHHELD], 3),
    ],
)
def test_exit_codes(verdicts: list[Verdict], code: int) -> None:
    results = [Result(case, verdict, "", 0, 0) for case, verdict in zip(CASES, verdicts, strict=False)]
    assert exit_code([Judged("a", "", results)]) == code


def test_one_that_cannot_be_had_keeps_no_other_from_its_cases() -> None:
    told: list[tuple[str, int, int]] = []
    found = judged(
        [Absent(), block_backend()], ("BB19", "BB21"), PLAN, lambda who, done, of, _: told.append((who.name, done, of))
    )
    assert [one.summary for one in found] == [{"inconclusive": 2}, {"pass": 2}]
    assert found[0].results[0].observation == "there is no such machine"
    assert told[0] == ("absent", 1, 4)
    assert told[-1] == ("block-backend", 4, 4)
    one, other = documents(found)
    assert [each["id"] for each in one["cases"]] == [each["id"] for each in other["cases"]] == ["BB19", "BB21"]
    assert documents(found[1:])["schema"] == "xentool.conformance/1"


def test_what_there_is_not() -> None:
    with pytest.raises(XentoolError, match=r"no case of these drivers is called ZZ\* or X"):
        judged([block_backend()], ("ZZ*", "X"), PLAN, lambda *_: None)
    names = "block-backend, block-backend-process, block-frontend, net-backend, net-backend-process"
    with pytest.raises(XentoolError, match=f"'blkfront' is no driver that can be tested; there are {names}"):
        subject("blkfront")
