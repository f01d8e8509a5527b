"""JUnit's XML, held to what both schemas say: that of Jenkins' xUnit plugin (junit-10.xsd), and Windy Road's for Ant.

The rules are written down here once more, as a table: which elements may stand where, in which order, and which
attributes they must and may have.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple
from xml.etree.ElementTree import Element, fromstring

import pytest

from tests.xentool.tools.conformance.made import NASTY, judged
from xentool.tools.conformance.junit import junit
from xentool.tools.conformance.session import Judged

NOW = datetime(2026, 11, 29, 23, 27, 33, 5, tzinfo=timezone(timedelta(hours=1)))
TOKEN, INT, TEXT = r"\S+( \S+)*", r"-?\d+", r"(?s).*"
#: A decimal for Ant; Jenkins' knows no exponent.
TIME = r"\d+\.\d{3}"


class Rule(NamedTuple):
    """Of an element: its attributes' patterns, all required where both schemas together say so; what is inside."""

    required: dict[str, str]
    optional: dict[str, str]
    #: A pattern over the names of its children, a space behind each.
    children: str


WHY = Rule({"type": TEXT, "message": TEXT}, {}, "")
RULES = {
    "testsuites": Rule({}, {}, "(testsuite )*"),
    "testsuite": Rule(
        {
            **{"id": INT, "package": TOKEN, "name": TOKEN, "hostname": TOKEN, "tests": INT, "failures": INT},
            **{"errors": INT, "time": TIME, "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"},
        },
        {"skipped": INT},
        "properties (testcase )*system-out system-err ",
    ),
    "properties": Rule({}, {}, "(property )*"),
    "property": Rule({"name": TOKEN, "value": TEXT}, {}, ""),
    "testcase": Rule({"name": TOKEN, "classname": TOKEN, "time": TIME}, {}, "((skipped|error|failure) )?"),
    "skipped": Rule({"message": TEXT}, {}, ""),
    "error": WHY,
    "failure": WHY,
    "system-out": Rule({}, {}, ""),
    "system-err": Rule({}, {}, ""),
}


def read(document: bytes | str) -> Element:
    return fromstring(document)  # noqa: S314 - it was made here


def wrong(element: Element) -> list[str]:
    rule = RULES.get(element.tag)
    if rule is None:
        return [f"{element.tag} is no element"]
    allowed = rule.required | rule.optional
    found = [f"{element.tag} lacks {name}" for name in rule.required.keys() - element.keys()]
    for name, value in element.items():
        if name not in allowed or not re.fullmatch(allowed[name], value):
            found.append(f"{element.tag}: {name}={value!r}")
    if not re.fullmatch(rule.children, "".join(f"{child.tag} " for child in element)):
        found.append(f"{element.tag} holds {[child.tag for child in element]}")
    return found + [line for child in element for line in wrong(child)]


def test_it_is_valid_by_both_schemas() -> None:
    root = read(junit([judged(), judged("blkback")], NOW, "a host"))
    assert root.tag == "testsuites"
    assert wrong(root) == []
    assert [suite.get("id") for suite in root] == ["0", "1"]


@pytest.mark.parametrize(
    "text",
    [
        "<testsuites><testcase/></testsuites>",
        '<testsuite name="a" tests="1"/>',
        '<testcase name="a" classname="b" time="1e-05"/>',
        '<testcase name="a" classname="b" time="0.000" file="x"/>',
        '<testcase name="a" classname="b" time="0.000"><properties/></testcase>',
        '<testcase name=" a" classname="b" time="0.000"/>',
        '<testcase name="a" classname="b" time="0.000"><skipped type="x" message="y"/></testcase>',
    ],
)
def test_what_one_of_them_refuses_is_noticed(text: str) -> None:
    assert wrong(read(text))


def test_what_stands_there() -> None:
    (suite,) = read(junit([judged()], NOW, ""))
    assert dict(suite.attrib) == {
        **{"id": "0", "package": "xentool.conformance", "name": "block-backend", "hostname": "localhost"},
        **{"tests": "10", "failures": "5", "errors": "1", "skipped": "2", "time": "0.000"},
        "timestamp": "2026-11-29T22:27:33",
    }
    cases = suite.findall("testcase")
    kinds = {
        case[0].get("type") or (case[0].get("message") or "").partition(":")[0]: case[0] for case in cases if len(case)
    }
    assert {word: element.tag for word, element in kinds.items()} == {
        **dict.fromkeys(("fail", "xpass", "wedged", "crashed", "leak"), "failure"),
        "inconclusive": "error",
        **dict.fromkeys(("unsupported", "withheld"), "skipped"),
    }
    # What is no character of XML is shown, not written.
    said = kinds["fail"].get("message") or ""
    assert said.startswith('it said <b>&"# SKIP')
    assert not set(said) & set("\x00\x1b\ud800")
    assert "--case BB02 --seed 7" in (kinds["fail"].text or "")
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties == {"version": "1.0 <x>", "quirk.BB03": "seen quirk"}


def test_no_driver() -> None:
    assert wrong(read(junit([Judged("a", "", [])], datetime.now(UTC), NASTY.replace(" ", "")))) == []
