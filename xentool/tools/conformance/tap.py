"""What became of cases, as TAP 14 (testanything.org)."""

from collections.abc import Iterator, Sequence

from pvdrivers.conformance.case import FAILURES, Verdict
from pvdrivers.conformance.run import Result
from traces.foreign import printable
from xentool.tools.conformance.session import Judged, repeated

#: By verdict: whether it is ok, and the directive that follows.
_LINES = {
    Verdict.PASS: (True, ""),
    Verdict.QUIRK: (False, "TODO quirk: "),
    Verdict.XPASS: (True, "TODO "),
    Verdict.INCONCLUSIVE: (False, "TODO inconclusive: "),
    Verdict.UNSUPPORTED: (True, "SKIP "),
    Verdict.WITHHELD: (True, "SKIP withheld: "),
    **dict.fromkeys(FAILURES, (False, "")),
}


def tap(found: Sequence[Judged]) -> str:
    """Make the document."""
    results = [(one.subject, result) for one in found for result in one.results]
    lines = ["TAP version 14", f"1..{len(results)}"]
    for number, (subject, result) in enumerate(results, 1):
        lines += _lines(number, subject, result)
    return "\n".join(lines) + "\n"


def _lines(number: int, subject: str, result: Result) -> Iterator[str]:
    fine, directive = _LINES[result.verdict]
    said = f"{'ok' if fine else 'not ok'} {number} - {_escaped(f'{subject} {result.case.ident} {result.case.title}')}"
    yield f"{said} # {directive}{_escaped(result.observation)}" if directive else said
    if result.verdict in FAILURES:
        yield "  ---"
        yield f"  verdict: {result.verdict.value}"
        yield f"  observation: {_quoted(result.observation)}"
        yield f"  repeat: {_quoted(repeated(subject, result))}"
        yield "  ..."


def _escaped(text: str) -> str:
    # What would begin a directive.
    return printable(text).replace("\\", "\\\\").replace("#", "\\#")


def _quoted(text: str) -> str:
    # YAML's double quotes, whatever is in it.
    said = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{said}"'
