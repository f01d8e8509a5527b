"""What became of cases, as JUnit's XML: in the one form that Jenkins' schema (xUnit plugin, junit-10.xsd) and Ant's
(Windy Road's JUnit.xsd) both take, and GitLab reads.

A suite a driver, a testcase a case. Neither schema lets a testcase have properties, so quirks are the suite's.
"""  # noqa: D205 - one sentence

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pvdrivers.conformance.case import FAILURES, Verdict
from pvdrivers.conformance.run import Result
from traces.foreign import printable
from xentool.tools.conformance.session import Judged, repeated

#: By verdict: the element of a testcase that did not pass.
_ELEMENTS = {
    **dict.fromkeys(FAILURES, "failure"),
    # What was known to be wrong and is right: somebody has to take it off the list.
    Verdict.XPASS: "failure",
    Verdict.INCONCLUSIVE: "error",
    Verdict.UNSUPPORTED: "skipped",
    Verdict.WITHHELD: "skipped",
}


def junit(found: Sequence[Judged], now: datetime, hostname: str) -> bytes:
    """Make the document.

    :param now: when the run was
    """
    root = Element("testsuites")
    for number, one in enumerate(found):
        root.append(_suite(number, one, now, hostname))
    indent(root)
    document: bytes = tostring(root, "utf-8", xml_declaration=True)
    return document


def _suite(number: int, one: Judged, now: datetime, hostname: str) -> Element:
    kinds = [_ELEMENTS.get(result.verdict) for result in one.results]
    suite = Element(
        "testsuite",
        id=str(number),
        package="xentool.conformance",
        name=one.subject,
        hostname=printable(hostname) or "localhost",
        # Neither a fraction nor a zone is allowed.
        timestamp=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        tests=str(len(kinds)),
        failures=str(kinds.count("failure")),
        errors=str(kinds.count("error")),
        skipped=str(kinds.count("skipped")),
        time=_seconds(sum(result.seconds for result in one.results)),
    )
    properties = SubElement(suite, "properties")
    SubElement(properties, "property", name="version", value=printable(one.version))
    for result in one.results:
        if result.verdict is Verdict.QUIRK:
            value = printable(result.observation)
            SubElement(properties, "property", name=f"quirk.{result.case.ident}", value=value)
    for result in one.results:
        suite.append(_case(one.subject, result))
    SubElement(suite, "system-out")
    SubElement(suite, "system-err")
    return suite


def _case(subject: str, result: Result) -> Element:
    name = f"{result.case.ident} {result.case.title}"
    element = Element("testcase", classname=f"xentool.conformance.{subject}", name=name, time=_seconds(result.seconds))
    if kind := _ELEMENTS.get(result.verdict):
        said = printable(result.observation)
        if kind == "skipped":
            # Ant's has no type.
            SubElement(element, kind, message=f"{result.verdict.value}: {said}")
            return element
        why = SubElement(element, kind, type=result.verdict.value, message=said)
        if kind == "failure":
            why.text = f"{result.case.why}\n{printable(str(result.case.clause))}\n{repeated(subject, result)}"
    return element


def _seconds(number: float) -> str:
    return f"{number:.3f}"
