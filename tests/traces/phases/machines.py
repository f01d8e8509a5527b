"""Events of a machine under KVM, made one by one, and its guest's marks as bytes that go to the serial port."""

from collections.abc import Iterator

from traces.analyses.phases.kvm import FIELDS, Event

VCPU, MAIN_LOOP, ELSE = 500, 490, 77
HLT, IO, NPF, WRITE_CR3 = 0x78, 0x7B, 0x400, 0x13
REASONS = {HLT: "hlt", IO: "io", NPF: "npf", WRITE_CR3: "write_cr3"}


def told(ts: int, pid: int, event: str, **fields: int) -> Event:
    """Make an event; a field that is left out is 0."""
    return Event(ts, pid, event, tuple(fields.get(name, 0) for name in FIELDS[event]))


def serial(ts: int, line: str) -> Iterator[Event]:
    """Make what the guest's writing of a line takes: an exit of 3 ticks for each byte, one in 10 ticks."""
    for at, byte in enumerate(f"{line}\r\n".encode()):
        now = ts + 10 * at
        yield told(now, VCPU, "kvm_exit", exit_reason=IO)
        yield told(now + 1, VCPU, "kvm_pio", rw=1, port=0x3F8, val=byte)
        yield told(now + 2, VCPU, "kvm_userspace_exit")
        yield told(now + 3, VCPU, "kvm_entry")
