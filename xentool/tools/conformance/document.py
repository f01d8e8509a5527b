"""What became of cases, as JSON: one document a driver."""

from collections.abc import Sequence
from typing import Any

from pvdrivers.conformance.run import Result
from xentool.tools.conformance.session import Judged


def documents(found: Sequence[Judged]) -> Any:  # noqa: ANN401 - one document, or a list of them
    """Give the document of one driver, or those of several."""
    all_of_them = [_document(one) for one in found]
    return all_of_them[0] if len(all_of_them) == 1 else all_of_them


def _document(one: Judged) -> dict[str, Any]:
    return {
        "schema": "xentool.conformance/1",
        "subject": one.subject,
        "version": one.version,
        "cases": [_case(result) for result in one.results],
        "summary": one.summary,
    }


def _case(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.ident,
        "title": case.title,
        "device": case.device,
        "role": case.role.name.lower(),
        "xsa": list(case.xsa),
        "clause": str(case.clause),
        "verdict": result.verdict.value,
        "observation": result.observation,
        "seed": result.seed,
        "seconds": round(result.seconds, 3),
        "resources": dict(result.resources),
    }
