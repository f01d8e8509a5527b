"""What became of a trace's bytes, and the domids that stand for no domain. Apart from ``table`` to load at once."""

from collections.abc import Mapping

from traces.plain import field, frozen, mutable

#: Who ran is not known: before a pCPU's first scheduling record, or between two of them. (xenalyze's default domain.)
UNKNOWN_DOMID = 0x8000
#: xen/include/public/xen.h, DOMID_IDLE
IDLE_DOMID = 0x7FFF


@frozen
class Diagnostic:
    """One kind of damage: how often, how bad, and where it was first seen (file offset in bytes)."""

    code: str
    severity: str
    count: int
    first_offset: int


#: How bad each kind of damage is: "info" changes no answer, "data_loss" lacks records, "error" makes answers doubtful.
SEVERITIES = {
    "unattributed": "info",
    "unknown_event": "info",
    "clock_restart": "info",
    "contradictory_states": "info",
    "stray_exit_reason": "info",
    "resync": "data_loss",
    "bad_pcpu": "data_loss",
    "record_straddles_window": "data_loss",
    "window_cut_short": "data_loss",
    "truncated": "data_loss",
    "lost_records": "data_loss",
    "compressed_data_cut": "data_loss",
    "compressed_data_corrupt": "data_loss",
    "too_many_streams": "data_loss",
    "bad_page": "data_loss",
    "bad_section": "data_loss",
    "bad_format": "data_loss",
    "short_record": "data_loss",
    "tsc_backwards": "error",
    "bad_tsc": "error",
    "out_of_order": "error",
    "too_many_kinds": "error",
    "clock_skew": "error",
    "too_many_restarts": "error",
    "too_many_vcpus": "error",
    "exit_vendor_in_doubt": "error",
}
#: Those that say nothing against the file: what it tells is not sure.
DOUBTS = frozenset({"exit_vendor_in_doubt", "clock_skew"})
#: Of clocks that agree.
NO_SHIFTS: Mapping[int, int] = {}


@frozen
class Skew:
    """Run states of vCPUs that contradict one another, as they do where clocks of pCPUs differ.

    ``contradictions`` counts changes from another state than was known, in the trace as it is; ``left`` those that
    remain with ``shifts`` added to the time stamps of each pCPU (cycles; empty where nothing was corrected).
    ``first_offset`` is where the first lies. ``of_clocks`` is False where it can't be the clocks: no vCPU did anything
    on one pCPU while it ran on another.
    """

    contradictions: int
    left: int
    first_offset: int
    shifts: Mapping[int, int]
    of_clocks: bool = True
    #: Whether a difference of clocks was looked for: not in what can't be read again.
    looked_for: bool = True


@mutable
class Account:
    """What became of the input: ``decoded + skipped_bytes == bytes``, always."""

    bytes: int = 0
    records: int = 0
    skipped_bytes: int = 0
    lost_records: int = 0
    pcpus: list[int] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
