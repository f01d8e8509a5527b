"""Captures of a fleet, as they are kept."""

from collections.abc import Mapping

from traces.analyses.fleet.digest import Digest
from traces.analyses.fleet.parts import Part


def capture(
    calls: Mapping[str, int],
    runnable: float = 0.01,
    *,
    lost: int = 0,
    timed: bool = True,
    name: str = "web",
    source: str = "xentrace",
) -> Digest:
    part = Part(1, 10.0, 10.0, {"running": 4.0, "runnable": 10 * runnable}, calls)
    return Digest("f", "xen1", None, source, None, timed, 1_000, 1_000, lost, 0, 10.0, None, {name: part}, ())
