"""The page: a row a case, a column a driver, differences first, nothing that acts."""

import re

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Verdict
from pvdrivers.conformance.run import Result
from tests.xentool.tools.conformance.made import CASES, judged
from xentool.tools.conformance.page import page
from xentool.tools.conformance.session import Judged


def test_differences_come_first() -> None:
    same = [Result(case, Verdict.PASS, "3 error", 0, 0.1) for case in CASES[:3]]
    other = [same[0], same[1]._replace() if hasattr(same[1], "_replace") else same[1], same[2]]
    other[1] = Result(CASES[1], Verdict.PASS, "2 okay", 0, 0.1)
    text = page([Judged("block-backend", "1", same), Judged("blkback", "6.1", other)]).decode()
    found = re.findall(r'<span class="ident">(BB\d\d)</span>', text)
    assert found == ["BB02", "BB01", "BB03"]
    assert text.index("Where drivers differ") < text.index("BB02") < text.index("Where all do the same")
    assert text.count("3 error") == 5


def test_a_driver_that_has_no_part_in_a_case() -> None:
    one = Judged("a", "1", [Result(CASES[0], Verdict.PASS, "x", 0, 0)])
    other = Judged("b", "1", [Result(CASES[1], Verdict.PASS, "y", 0, 0)])
    text = page([one, other]).decode()
    assert len(re.findall(r"<td></td>", text)) == 2


def test_kinds_of_drivers_are_tables_of_their_own() -> None:
    kinds = {case.kind: case for case in registry.every()}
    assert next(iter(kinds)) == "Backends of disks"
    disks, vifs = kinds["Backends of disks"], kinds["Backends of network interfaces"]
    found = [
        Judged("a", "1", [Result(disks, Verdict.PASS, "x", 0, 0)]),
        Judged("b", "1", [Result(vifs, Verdict.PASS, "y", 0, 0)]),
    ]
    text = page(found).decode()
    assert re.findall("<h2>(.*)</h2>", text) == ["Backends of disks", "Backends of network interfaces"]
    # A driver has no column where it has no case.
    assert re.findall('"col">Case</th><th scope="col">(.*?)</th></tr>', text) == ["a", "b"]
    assert not re.findall(r"<td></td>", text)


def test_what_drivers_say_is_text() -> None:
    text = page([judged()]).decode()
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text
    assert "1.0 &lt;x&gt;" in text
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert not set(text) & set("\x00\x1b\ud800")
    assert "withheld</span> 1" in text
