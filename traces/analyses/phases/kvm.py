"""The phases of a trace of KVM: what one machine's threads did between the marks that its guest wrote to a serial port.

Law: sans I/O, one pass, records in order of time. Nothing in the input raises.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from traces.analyses.phases.counts import PhaseCounts, Taken, Tally, between
from traces.analyses.phases.marks import Lines, Mark, Phase

if TYPE_CHECKING:
    from traces.kvm.table import RecordTable

#: What a trace of KVM can tell of.
TOLD = ("doorbells", "completions", "exits", "hypercalls", "device_model", "page_tables")
#: The fields of events that are needed, by event.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "kvm_entry": (),
    "kvm_exit": ("exit_reason",),
    "kvm_userspace_exit": (),
    "kvm_page_fault": (),
    "kvm_hypercall": ("nr",),
    "kvm_pio": ("rw", "port", "val"),
    "kvm_mmio": ("type", "gpa"),
    "kvm_inj_virq": ("vector",),
    "sched_switch": ("prev_pid", "prev_state", "next_pid"),
}
#: The PC's own: what a guest does there is no device's. Ref: Linux, arch/x86/kernel/setup.c, standard_io_resources;
#: QEMU, hw/isa/lpc_ich9.c, hw/acpi/piix4.c (power management), hw/nvram/fw_cfg.c
_BOARD_PORTS = (
    range(0x20, 0x22),  # interrupt controllers
    range(0xA0, 0xA2),
    range(0x40, 0x62),  # timer, keyboard, speaker
    range(0x70, 0x82),  # clock; a port that is written to for a delay
    range(0x3F8, 0x400),  # the serial port of the marks
    range(0x510, 0x51C),
    range(0x600, 0x680),
    range(0xB000, 0xB040),
    range(0xCF8, 0xD00),
)
#: I/O APIC, HPET, local APICs.
_BOARD_MEMORY = range(0xFEC0_0000, 0xFEF0_0000)
_SERIAL = 0x3F8
#: From here on vectors are of devices, up to those that the system has for itself. Ref: Linux, asm/irq_vectors.h
_DEVICE_VECTORS = range(0x20, 0xEC)
#: Exits by which the hypervisor keeps shadows of page tables, as kernels call their reasons. Nested paging has no part
#: in them: its faults are counted by ``kvm_page_fault``, as shadows' are.
_PAGING = frozenset({"write_cr3", "CR_ACCESS", "invlpg", "INVLPG"})
#: Of ``kvm_mmio``: a read is told twice, the first time before there is a value.
_UNSATISFIED = 0
#: Bits of prev_state that say why a thread stopped; none: it would go on.
_STOPPED = 0xFF


class Event(NamedTuple):
    """A record: when, the thread that ran, what it is, and the fields that `FIELDS` names."""

    ts: int
    pid: int
    name: str
    values: tuple[int, ...]


def events(table: "RecordTable") -> list[Event]:
    """Give what phases are counted by, in order of time."""
    found: list[tuple[int, Event]] = []
    for name, fields in FIELDS.items():
        rows, values = table.of_event(name, *fields)
        columns = [rows.tolist(), table.tsc[rows].tolist(), table.pid[rows].tolist()]
        columns += [each.tolist() for each in values]
        found += [(row, Event(ts, pid, name, tuple(of))) for row, ts, pid, *of in zip(*columns, strict=True)]
    return [event for _, event in sorted(found, key=lambda each: each[0])]


class Phases:
    """Counts what a machine does in its phases.

    :param reasons: names of exit reasons, by number
    :param vcpus: threads that run its vCPUs
    :param others: its other threads, as far as they are known
    :param hz: ticks of the clock a second
    """

    def __init__(
        self,
        reasons: Callable[[int], str],
        vcpus: Iterable[int],
        others: Iterable[int],
        hz: float,
    ) -> None:
        self._reason, self._hz = reasons, hz
        self._vcpus, self._others = frozenset(vcpus), frozenset(others)
        self._tally = Tally()
        #: What vCPUs that were switched out go on with.
        self._resumed: dict[int, str] = {}
        #: Of which a page fault is handled.
        self._faulted: set[int] = set()
        self._lines = Lines()
        self._line = self._tally.taken(0)
        self._line_begun = 0
        #: The last exit, when and why; and a mark whose last byte is on its way.
        self._last = 0, ""
        self._marked: Mark | None = None
        self._begun: tuple[Mark, int, Taken] | None = None
        self._found: list[PhaseCounts] = []

    def feed(self, found: Iterable[Event]) -> Iterator[PhaseCounts]:
        """Take events in order of time; give each phase once its end is seen."""
        for event in found:
            if event.name == "sched_switch" or event.pid in self._vcpus:
                _HANDLERS[event.name](self, event)
                if self._found:
                    yield self._found.pop()

    def _entry(self, event: Event) -> None:
        self._faulted.discard(event.pid)
        if self._marked is not None:
            # What the mark's last byte took is over.
            mark, self._marked = self._marked, None
            self._begun = mark, event.ts, self._tally.taken(event.ts)
        self._tally.move(event.pid, "guest", event.ts)

    def _exit(self, event: Event) -> None:
        reason = self._reason(event.values[0])
        self._last = event.ts, reason
        self._tally.count("exits", reason)
        if reason in _PAGING:
            self._tally.count("page_tables", reason)
        self._tally.move(event.pid, "hypervisor", event.ts)

    def _to_user(self, event: Event) -> None:
        self._tally.count("device_model")
        self._tally.move(event.pid, "device_model", event.ts)

    def _fault(self, event: Event) -> None:
        self._faulted.add(event.pid)
        self._tally.count("page_tables", "page fault")

    def _hypercall(self, event: Event) -> None:
        self._tally.count("hypercalls", f"kvm_{event.values[0]}")

    def _port(self, event: Event) -> None:
        out, port, value = event.values
        if port == _SERIAL and out:
            self._written(event.ts, value)
        elif not any(port in each for each in _BOARD_PORTS):
            self._tally.count("doorbells", f"{'out' if out else 'in'} {port:#x}")

    def _memory(self, event: Event) -> None:
        kind, address = event.values
        if kind != _UNSATISFIED:
            if event.pid in self._faulted:
                # It was no page table that the fault was for.
                self._faulted.discard(event.pid)
                self._tally.count("page_tables", "page fault", -1)
            if address not in _BOARD_MEMORY:
                self._tally.count("doorbells", f"{'write' if kind == _WRITE else 'read'} {address:#x}")

    def _injected(self, event: Event) -> None:
        (vector,) = event.values
        if vector in _DEVICE_VECTORS:
            self._tally.count("completions", f"vector {vector}")

    def _switch(self, event: Event) -> None:
        left, state, entered = event.values
        if left in self._vcpus:
            before = self._tally.doing(left)
            if before is not None:
                self._resumed[left] = before
            self._tally.move(left, "blocked" if state & _STOPPED else "waiting", event.ts)
        elif left in self._others:
            self._tally.move(left, _NOTHING, event.ts)
        if entered in self._vcpus:
            self._tally.move(entered, self._resumed.get(entered, "hypervisor"), event.ts)
        elif entered in self._others:
            self._tally.move(entered, "backend", event.ts)

    def _written(self, now: int, byte: int) -> None:
        if self._lines.empty:
            # Up to the exit that the line's first byte is.
            self._line = self._tally.taken(now)
            since, reason = self._last
            self._line.counts["exits", reason] -= 1
            self._line.ticks["hypervisor"] -= now - since
            self._line_begun = since
        mark = self._lines.feed(byte & 0xFF)
        if mark is None:
            return
        if mark.requests is not None:
            self._marked = mark
        elif self._begun is not None and self._begun[0].work == mark.work:
            begin, since, before = self._begun
            phase = Phase(mark.work, begin.requests or 0, since, self._line_begun)
            self._begun = None
            self._found.append(between(phase, before, self._line, TOLD, hz=self._hz, vcpus=len(self._vcpus)))


#: Threads besides vCPUs are told of only while they run.
_NOTHING = ""
_WRITE = 2
_HANDLERS: Mapping[str, Callable[[Phases, Event], None]] = {
    "kvm_entry": Phases._entry,
    "kvm_exit": Phases._exit,
    "kvm_userspace_exit": Phases._to_user,
    "kvm_page_fault": Phases._fault,
    "kvm_hypercall": Phases._hypercall,
    "kvm_pio": Phases._port,
    "kvm_mmio": Phases._memory,
    "kvm_inj_virq": Phases._injected,
    "sched_switch": Phases._switch,
}
