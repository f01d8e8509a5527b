"""What is known of a driver on one Xen: kept case by case, told once it is whole."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pvdrivers.conformance.case import Case

KEPT = Path("build/verdicts")


class Found:
    """What is known of a driver, case by case; all of one version.

    :param folder: where it is kept
    """

    def __init__(self, xen: str, subject: str, cases: Sequence[Case], folder: Path = KEPT) -> None:
        self._path = folder / xen / f"{subject}.json"
        self._cases = cases
        self.part: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}
        self._known = {case["id"]: case for case in self.part.get("cases", [])}

    @property
    def missing(self) -> list[Case]:
        """Cases that nothing is known of."""
        return [case for case in self._cases if case.ident not in self._known]

    def add(self, part: dict[str, Any]) -> None:
        """Take what a run has found, and keep it; what is known of another version is known no more."""
        if part["version"] != self.part.get("version"):
            self._known = {}
        self._known |= {case["id"]: case for case in part["cases"]}
        found = [self._known[case.ident] for case in self._cases if case.ident in self._known]
        self.part = {**part, "cases": found, "summary": dict(Counter(case["verdict"] for case in found))}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self.part))

    def told(self) -> dict[str, Any]:
        """Give all of it, and keep nothing: the next time it is judged anew."""
        self._path.unlink()
        return self.part
