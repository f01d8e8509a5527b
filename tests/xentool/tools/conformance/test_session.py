"""Which cases are run, what of drivers that cannot be had, and what a run exits with."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Verdict
from pvdrivers.conformance.level import SMALL
from pvdrivers.conformance.run import Plan, Result, run
from pvdrivers.conformance.subject import Resources
from pvdrivers.errors import MachineError
from pvdrivers.xenbus import Role
from tests.xentool.tools.conformance.made import CASES
from xentool.errors import Unavailable, XentoolError
from xentool.tools.conformance.document import documents
from xentool.tools.conformance.our_disks import BackendBench, block_backend
from xentool.tools.conformance.ours import Ours
from xentool.tools.conformance.session import Judged, exit_code, judged
from xentool.tools.conformance.subjects import subject
from xentool.tools.conformance.worlds import World

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


def test_what_is_no_more_is_blamed_once() -> None:
    class Dying(BackendBench):
        """Says that its driver is no more, as soon as it is asked."""

        def ended(self) -> str | None:
            """Tell so."""
            return "it is no more"

    dying = Ours("dying", "block", Role.BACK, Dying)
    (found,) = judged([dying], ("BB19", "BB21", "BB25"), PLAN, lambda *_: None)
    assert found.summary == {"inconclusive": 2, "crashed": 1}
    assert {one.observation for one in found.results if one.verdict is Verdict.INCONCLUSIVE} == {
        "not run any more: it is no more"
    }


def test_what_is_kept_once_is_no_leak() -> None:
    class Keeping(BackendBench):
        """Has one more of something when it is asked for the second time; or each time."""

        asked = 0
        always = False

        def resources(self) -> Resources:
            """Tell so: twice a case, but for looks at what may come back yet."""
            Keeping.asked += 1
            return {"kept": Keeping.asked if Keeping.always else min(Keeping.asked, 2)}

    keeping = Ours("keeping", "block", Role.BACK, Keeping)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pvdrivers.conformance.run.BACK_WITHIN", 0.0)
        (found,) = judged([keeping], ("BB21",), PLAN, lambda *_: None)
        assert found.summary == {"pass": 1}
        Keeping.always = True
        (found,) = judged([keeping], ("BB21",), PLAN, lambda *_: None)
        assert found.summary == {"leak": 1}


def test_those_in_guests_are_named_with_them() -> None:
    for name in ("linux-block-frontend", "linux-block-frontend@", "block-backend@domU"):
        with pytest.raises(XentoolError, match=f"'{name}' is no driver that can be tested"):
            subject(name)
    with pytest.raises(Unavailable, match="no linux-block-frontend@domU: cannot open /dev/xen/gntdev"):
        subject("linux-block-frontend@domU")


def test_what_there_is_not() -> None:
    with pytest.raises(XentoolError, match=r"no case of these drivers is called ZZ\* or X"):
        judged([block_backend()], ("ZZ*", "X"), PLAN, lambda *_: None)
    names = "block-backend, block-backend-process, block-frontend, net-backend, net-backend-process, net-frontend"
    with pytest.raises(XentoolError, match=f"'blkfront' is no driver that can be tested; there are {names}"):
        subject("blkfront")


class Counting(BackendBench):
    """A bench that says what it is asked."""

    asked: list[str]

    def resources(self) -> Resources:
        self.asked.append("counted")
        return super().resources()

    def ended(self) -> str | None:
        self.asked.append("ended")
        return super().ended()


def test_what_is_in_use_is_counted_once_between_two_cases() -> None:
    asked: list[str] = []

    def make(world: World, folder: Path, domid: int, stack: ExitStack) -> Counting:
        bench = Counting(world, folder, domid, stack)
        bench.asked = asked
        return bench

    cases = registry.chosen("block", Role.BACK, ("BB19", "BB21"))
    results = run(Ours("counting", "block", Role.BACK, make), cases, PLAN, lambda _: asked.append("told"))
    assert [result.verdict for result in results] == [Verdict.PASS] * 2
    # Before and behind the first, and behind the second: again where something takes its time to come back.
    before, between, behind = " ".join(asked).split("ended")
    assert before.split() == ["told", "counted"]
    assert set(between.split()) == set(behind.split()) == {"counted", "told"}
    assert between.split()[-2:] == ["told", "told"]
