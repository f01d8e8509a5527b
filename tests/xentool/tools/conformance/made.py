"""Results as cases might have given them, with names that no format may take for its own."""

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Verdict
from pvdrivers.conformance.run import Result
from xentool.tools.conformance.session import Judged

CASES = registry.every()[: len(Verdict)]
#: What a driver may have said.
NASTY = 'it said <b>&"# SKIP\x00\x1b[31m\ud800 \\'


def judged(subject: str = "block-backend") -> Judged:
    """Give a driver that has a case of each verdict."""
    results = [
        Result(case, verdict, NASTY if verdict is Verdict.FAIL else f"seen {verdict}", 7, 1e-7 * number, {"ports": 0})
        for number, (case, verdict) in enumerate(zip(CASES, Verdict, strict=True))
    ]
    return Judged(subject, "1.0 <x>", results)
