"""Captures of a fleet, as they are kept."""

from collections.abc import Mapping

from traces.analyses.fleet.digest import Digest
from traces.analyses.fleet.parts import Part
from traces.counting.latencies import Distribution


def capture(
    calls: Mapping[str, int],
    runnable: float = 0.01,
    *,
    lost: int = 0,
    timed: bool = True,
    name: str = "web",
    source: str = "xentrace",
    waits_s: float | None = None,
) -> Digest:
    """Make one of a domain.

    :param waits_s: how long each of its waits for a pCPU took; None for no waits
    """
    took = None if waits_s is None else Distribution({(waits_s, waits_s): 1_000}, waits_s, 1_000 * waits_s)
    waits = {"wake_to_run": took} if took else {}
    part = Part(1, 10.0, 10.0, {"running": 4.0, "runnable": 10 * runnable}, calls, waits=waits)
    return Digest("f", "xen1", None, source, None, timed, 1_000, 1_000, lost, 0, 10.0, None, {name: part}, ())
