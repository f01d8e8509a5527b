"""What whoever counts a trace gives to those who make answers of it, whichever hypervisor recorded it.

For type checkers alone: nothing imports this while it runs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from traces.account import Account
from traces.counting.fold import Domain, Vcpu

#: (domid, vcpu), value, count, sum, most, file offset of the first.
Item = tuple[tuple[int, int], int, int, int, int, int]


class Counted(Protocol):
    """A trace that was counted, to its end or so far."""

    def items(self, table: str, *, everything: bool = False) -> Iterable[Item]:
        """Read off a table of counts; a key may come several times.

        :param everything: of the records that were not chosen, too
        """

    @property
    def vcpus(self) -> Mapping[int, Vcpu]:
        """Run states, and exits around which they changed, by domid << 16 | vcpu."""

    @property
    def domains(self) -> Mapping[int, Domain]:
        """What the vCPUs of each domain were together, by domid."""

    @property
    def lives(self) -> Mapping[int, Sequence[tuple[int, bool]]]:
        """By domid, when such a domain was created (True) or destroyed: cycles since the first record, in order."""

    @property
    def span(self) -> int:
        """Cycles that the trace spans, of all runs of its clock."""

    @property
    def account(self) -> Account:
        """What became of the bytes; a new one each time."""

    @property
    def contradictions(self) -> tuple[int, int]:
        """How often a vCPU's run state was another one than its next change says, and where the first of these lies."""

    @property
    def clock_pairs(self) -> Sequence[tuple[int, int]]:
        """(cycles, ns cut to 32 bits) of vCPUs while they ran: some of all lengths."""

    @property
    def stated(self) -> bool:
        """Whether run states are recorded."""

    @property
    def newest_release(self) -> tuple[int, int] | None:
        """The newest release of the hypervisor that may have recorded this, where the records tell."""

    @property
    def uncounted(self) -> int:
        """Records that had no place of their own in a table: a real trace has none."""
