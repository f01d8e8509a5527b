"""Writes docs/verdicts.md: what the conformance kit says of drivers on real Xen, from what the lab's runs have written.

python -m tests.docs.verdicts
"""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Case, Verdict
from pvdrivers.conformance.quirks import Quirk, Withheld, quirks_of, withheld_of
from tests.docs.paths import ROOT
from tests.verdicts.make import FOLDER

PAGE = ROOT / "docs/verdicts.md"

_HEAD = """\
# What PV drivers do: verdicts

What `xentool conformance` says of drivers on real Xen, case by case. [What each case does, and what justifies
it](conformance.md). All of it is what the lab's runs have written (`make conformance`, `tests/verdicts`), with cases
that may crash a kernel among it; the kit's half is in dom0, the frontends under test are in guests. A driver has a
column once all of its cases were judged, on one version of it: a few at a time, some of them in labs of their own.

| here | is |
|---|---|
| pass | all that was seen is allowed |
| quirk | a known divergence, explained below, and nothing else |
| no | the driver does not offer what the case is about |
| withheld | not run: the driver does not stand it, or its kernel warns of itself; what happened is said below |
"""
#: Of a case that was not among those run.
_ELSE = "not run"
_SHORT = {Verdict.UNSUPPORTED.value: "no"}


class Column(NamedTuple):
    """A driver of one Xen's lab."""

    xen: str
    subject: str
    version: str
    cases: dict[str, Any]

    @property
    def driver(self) -> str:
        """Give the driver's name, without the guest's."""
        return self.subject.partition("@")[0]

    @property
    def title(self) -> str:
        """Give what a column is called."""
        name, _, guest = self.subject.partition("@")
        return f"{name}{f', {guest.upper()}' if guest else ''} {self.version}, Xen {self.xen}"


def columns() -> Iterator[Column]:
    """Give what was written, a column a driver."""
    for path in sorted(FOLDER.glob("*.json")):
        for found in json.loads(path.read_text()):
            yield Column(path.stem, found["subject"], found["version"], {case["id"]: case for case in found["cases"]})


def page() -> str:
    """Make the page."""
    found = list(columns())
    lines: list[str] = []
    for kind, cases in groupby(registry.every(), lambda case: case.kind):
        listed = list(cases)
        idents = {case.ident for case in listed}
        judged = [column for column in found if idents & column.cases.keys()]
        if judged:
            lines += ["", f"## {kind}", "", *_table(listed, judged), *_seen(listed, judged)]
    return _HEAD + "\n".join(lines) + "\n"


def _table(cases: list[Case], judged: list[Column]) -> Iterator[str]:
    yield "| case | " + " | ".join(column.title for column in judged) + " |"
    yield "|---|" + "---|" * len(judged)
    for case in cases:
        if not any(case.ident in column.cases for column in judged):
            continue
        verdicts = [column.cases[case.ident]["verdict"] if case.ident in column.cases else _ELSE for column in judged]
        row = " | ".join(_SHORT.get(each, each) for each in verdicts)
        yield f"| [{case.ident}](conformance.md) {case.title} | {row} |"


def _seen(cases: list[Case], judged: list[Column]) -> Iterator[str]:
    """Tell what was seen where drivers differ, or one has a quirk; and what explains it."""
    for case in cases:
        told = {column.title: column.cases[case.ident] for column in judged if case.ident in column.cases}
        plain = {(each["verdict"], each["observation"]) for each in told.values()}
        if len(plain) < 2 and all(each["verdict"] == Verdict.PASS for each in told.values()):
            continue
        yield ""
        yield f"### {case.ident}: {case.title}"
        yield ""
        for title, each in told.items():
            yield f"- {title}: {each['verdict']}: {each['observation']}"
        for known in dict.fromkeys(each for column in judged for each in _known(column, case)):
            yield f"- {known}"
        if case.clause.source:
            yield f"- {case.clause.source}"


def _known(column: Column, case: Case) -> Iterator[str]:
    found: list[Quirk | Withheld] = [*quirks_of(column.driver, column.version, case.ident)]
    if withheld := withheld_of(column.driver, column.version, case.ident):
        found.append(withheld)
    for each in found:
        source = f" ({each.source})" if isinstance(each, Quirk) else ""
        yield f"**{each.driver}**: {each.text}{source}"


if __name__ == "__main__":
    PAGE.write_text(page())
