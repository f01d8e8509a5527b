"""The answer of a comparison: what the same work takes under several techniques. Plain data."""

from traces.analyses.phases.per_request import WorkCounts
from traces.plain import frozen


@frozen
class TechniqueCounts:
    """What works took under one technique.

    :param name: such as xen-pv
    :param meaning: what that is, in words
    :param runs: the hypervisor, with its version
    :param backend: what serves the guest's devices, in words
    """

    name: str
    meaning: str
    runs: str
    backend: str
    works: tuple[WorkCounts, ...]


@frozen
class Comparison:
    """Techniques side by side.

    :param emulated: whether the processors were: times tell nothing of real ones then
    :param works: what each work is, in words
    :param left_out: techniques that were not tried or did not run, and why
    """

    emulated: bool
    works: dict[str, str]
    techniques: tuple[TechniqueCounts, ...]
    left_out: dict[str, str]
