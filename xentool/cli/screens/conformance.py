"""How judged drivers look: lines and tables for people."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from pvdrivers.conformance.case import FAILURES, Case, Verdict
from pvdrivers.conformance.run import Result
from pvdrivers.conformance.subject import Subject
from xentool import output
from xentool.cli.screens import views
from xentool.cli.screens.explained import fold
from xentool.tools.conformance.session import Judged, Told, repeated


@contextmanager
def progress() -> Iterator[Told]:
    """Show on a terminal how many cases are done, and how long the rest may take; elsewhere nothing."""
    began = time.monotonic()
    with output.progress("testing") as show:

        def told(_subject: Subject, done: int, total: int, _what: Result | Case) -> None:
            show(done, total)

        yield told
    took = time.monotonic() - began
    output.say(f"tested in {took:.0f} s")


def shown(found: Sequence[Judged]) -> None:
    """Print a line a case, those that did not pass with what they are for, and how to run them again."""
    for one in found:
        output.line(f"{one.subject} {one.version}")
        for result in one.results:
            output.line(f"  {result.verdict.value:<12} {result.case.ident}  {result.case.title}")
            if result.verdict is not Verdict.PASS:
                output.line(f"{'':<14} {result.observation}")
            if result.verdict in FAILURES:
                output.line(f"{'':<14} again: {repeated(one.subject, result)}")
        output.line("  " + ", ".join(f"{number} {verdict}" for verdict, number in one.summary.items()))


def listed(cases: Sequence[Case], subjects: Mapping[str, str]) -> None:
    """Print all subjects and cases."""
    drivers = views.table("", "!~", headed=False)
    for name, what in subjects.items():
        drivers.add_row(name, what)
    told = views.table("case", "of a", "risk", "!~what it is about")
    for case in cases:
        told.add_row(case.ident, f"{case.device} {case.role.name.lower()}", case.risk.value, case.title)
    console = output.stdout()
    console.print(drivers)
    console.print()
    console.print(told)


def explained(case: Case) -> None:
    """Print what there is to know of a case."""
    output.line(f"{case.ident}: {case.title}")
    output.line(
        f"For a {case.device} {case.role.name.lower()}end; risk to a kernel that does not pass: {case.risk.value}."
    )
    output.line("")
    for head, told in (("What it does.", case.does), ("Why.", case.why), ("What justifies it.", f"{case.clause}")):
        fold("", f"{head} {told.replace('``', '`')}")
    if case.xsa:
        output.line(f"Security advisories: {', '.join(f'XSA-{number}' for number in case.xsa)}")
    output.line("What may be seen:")
    for observation in case.allow:
        fold(f"  {observation.word:<12} ", observation.says)
    rest = "a failure" if case.clause.must else "inconclusive, but for what no driver may do"
    output.line(f"Anything else is {rest}.")
