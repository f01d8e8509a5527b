"""The text and the page of one report: the same sections, with the same figures."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from tests.traces.captures import NAMES, STRANGERS, capture, stranger
from traces import scan as scans
from traces.account import Diagnostic
from traces.analyses.report import DomainInfo
from traces.analyses.report import report as report_of
from traces.analyses.select import of
from traces.answers import Report
from traces.choice.where import Where, kinds
from traces.counting.wallclock import Recorded
from traces.exporters import html, text

#: A row's cells, or a heading's, as words: text has them in columns, a page in cells.
Words = list[str]
#: By domid, or "host": a table's title with its columns, and its rows.
Tables = Mapping[str, Sequence[tuple[Words, Sequence[Words]]]]


class Page(HTMLParser):
    """What a page tells: its tables by section, the heads of these, facts, and findings."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[tuple[Words, list[Words]]]] = {}
        self.heads: dict[str, Words] = {}
        self.facts: list[str] = []
        self.findings: list[str] = []
        self.remarks: list[str] = []
        self._section, self._open = "", list[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        if tag == "section":
            self._section = of["id"] or ""
        elif tag == "table":
            self.tables.setdefault(self._section, []).append(([], []))
        elif tag == "tr":
            self._rows().append([])
        if tag != "meta":
            self._open.append(of.get("class") or tag if tag == "p" else tag)
        if self._in_finding("p"):
            self.findings.append("")

    def handle_endtag(self, _tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if data.isspace():
            return
        if "table" in self._open:
            self._rows()[-1] += data.split()
        elif "remark" in self._open and "figure" not in self._open:
            self.remarks.append(data)
        elif "h2" in self._open:
            self.heads.setdefault(self._section, []).extend(data.split())
        elif "dl" in self._open and "figure" not in self._open and self._section != "words":
            self.facts.append(data)
        elif self._in_finding("p"):
            self.findings[-1] += data
        elif self._in_finding("small"):
            self.findings[-1] += f" ({data})"

    def _in_finding(self, tag: str) -> bool:
        return self._section == "findings" and self._open[-1:] == [tag]

    def _rows(self) -> list[Words]:
        return self.tables[self._section][-1][1]


def shown(report: Report) -> tuple[str, Page]:
    written, page = io.StringIO(), io.BytesIO()
    text.write(report, Console(file=written, width=2000, markup=False, emoji=False, highlight=False))
    # The records themselves make charts only.
    html.write([], report, page, "x.xentrace")
    return written.getvalue(), Page(page.getvalue().decode())


def sections(written: str) -> dict[str, list[tuple[Words, list[Words]]]]:
    """Give the tables of a text, by domid, or "host" or "damage", from the rules below their heads."""
    found: dict[str, list[tuple[Words, list[Words]]]] = {}
    lines = written.splitlines()
    where = ""
    for before, line, *after in (lines[at:] for at in range(len(lines) - 1)):
        if match := re.search(r"  \(domid (\d+), ", before):
            where = f"d{match[1]}"
        if re.fullmatch(r" *─+", line):
            head = before.split()
            if not before.startswith(" "):
                where = "damage" if head[0] == "Damage" else "host"
            end = next((at for at, row in enumerate(after) if not row.strip() or _after(row, line)), None)
            found.setdefault(where, []).append((head, [row.split() for row in after[:end]]))
    return found


def _after(line: str, rule: str) -> bool:
    # A note below a table stands further in than it does.
    return line.startswith(" " * (len(rule) - len(rule.lstrip()) + 2)) or "could not be decoded" in line


def numbers(words: str) -> set[str]:
    """Give the figures in a text."""
    return set(re.findall(r"\d[\d.,:]*\d|\d", words))


def assert_alike(report: Report) -> None:
    written, page = shown(report)
    told = sections(written)
    assert told.keys() == page.tables.keys()
    for where, tables in page.tables.items():
        for (head, rows), (_, (columns, *cells)) in zip(told[where], tables, strict=True):
            # Shares of run states stand in one column with their times.
            assert head == [word for word in columns if word != "%" or head[0] != "Run"]
            assert rows == cells, head
    for where, named in page.heads.items():
        if where.startswith("d") and where != "damage":
            assert " ".join(named[: named.index("domid")]) + "  (" + " ".join(named[named.index("domid") :]) in written
    heading, *_ = written.partition("\n\n")
    assert numbers(heading) - {"0", "21000"} <= numbers(" ".join(page.facts))
    # What could not be decoded is told further below.
    skipped = re.search(r".* could not be decoded", written)
    assert numbers(" ".join(page.facts)) <= numbers(heading) | (numbers(skipped[0]) if skipped else set())
    found = written.partition("\nFindings\n")[2].splitlines()
    assert [line.partition(": ")[2] for line in found] == page.findings
    notes = [line.strip() for line in written.splitlines() if line.startswith("    It woke") or "records no" in line]
    notes += [line.strip() for line in written.splitlines() if "asked for than made" in line]
    assert all(note in page.remarks for note in notes)


@pytest.mark.parametrize("name", NAMES + STRANGERS)
def test_text_and_page_tell_the_same(name: str) -> None:
    data = capture(name) if name in NAMES else stranger(name)
    infos = {0: DomainInfo("Domain-0", "pv"), 1: DomainInfo("we[b] <1>\x1b")}
    assert_alike(report_of(scans.read(io.BytesIO(data)), infos=infos, xen_version="4.17.3"))


def test_so_they_do_of_one_domain_with_all_that_is_doubtful() -> None:
    report = report_of(scans.read(io.BytesIO(capture("xen-4.17-pv1"))))
    account = replace(report.account, lost_records=77_777, skipped_bytes=1_234)
    account.diagnostics.append(Diagnostic("truncated", "data_loss", 3, 4_321))
    doubtful = replace(
        report,
        account=account,
        tracer_share=0.313,
        run_states=False,
        recorded=Recorded(1_700_000_000_000_000_000, 2_000_000, 3600, "pairs"),
    )
    assert_alike(of(doubtful, Where(0)))


def test_that_preempted_multicalls_count_again_is_told() -> None:
    report = report_of(scans.read(io.BytesIO(capture("xen-4.17-pv1"))))
    (guest,) = (domain for domain in report.domains if domain.domid == 1)
    (vcpu,) = guest.vcpus
    made = sum(call.count + call.restarts for call in vcpu.multicall_subcalls)
    more = vcpu.batches["multicall"].items - made
    assert 0 < more < made
    told = f"{more:,} more calls asked for than made: a multicall that Xen preempts is made again"
    assert told in shown(report)[0]
    # What -e leaves out was made all the same.
    assert "asked for than made" not in shown(of(report, Where(1, kinds=kinds("multicall"))))[0]


def test_rows_without_room_are_counted() -> None:
    report = report_of(scans.read(io.BytesIO(capture("xen-4.17-pv1"))))
    many = replace(report, notifications=tuple(replace(report.notifications[0], target=n) for n in range(300)))
    written, page = shown(many)
    assert "and 236 more (--json)" in written
    assert "100 more rows are in the report's JSON." in page.remarks
