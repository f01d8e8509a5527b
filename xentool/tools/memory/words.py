"""What people are told of a walk, in the field's terms."""

from traces.foreign import printable
from xentool.tools.memory.guest import DEVICES, XEN, Facts, Kind, Subject
from xentool.tools.memory.look import Seen
from xentool.tools.memory.walk import End

#: What the numbers in tables are, by how their frames are called.
FRAMES = {"mfn": "machine frames", "gfn": "guest frames"}
#: Slots 256 to 271 of a 64-bit PV guest's root are Xen's. Ref: xen/include/public/arch-x86/xen-x86_64.h
XEN_RANGE = range(0xFFFF800000000000, 0xFFFF880000000000)

_KINDS = {
    Kind.DIRECT: (
        "direct paging: the processor itself walks the guest's tables, so they hold machine frames; "
        "Xen checks each change of them, and the guest cannot write there by itself"
    ),
    Kind.NESTED: (
        "nested paging: the guest's tables hold its own frames, which the processor translates by other tables"
    ),
    Kind.SHADOW: (
        "shadow paging: the guest's tables hold its own frames; "
        "the processor walks a shadow of them that has the machine's"
    ),
}
_ENDS = {
    End.ABSENT: "not present: an access here is a page fault",
    End.RESERVED: "reserved bits are set: an access here is a page fault, whoever makes it",
    End.UNREADABLE: "this table cannot be read: it is none of the guest's memory",
    End.NOT_CANONICAL: "not canonical: the bits above the highest that tables know must repeat it",
    End.OFF: "paging is off: addresses are those of the guest's memory",
}


def who(subject: Subject) -> str:
    """Name a guest, and where its vCPU is."""
    name = f"{printable(subject.name)} " if subject.name else ""
    number = f"process {subject.domid}" if subject.type == "kvm" else f"domain {subject.domid}"
    mode = "user" if subject.vcpu.user else "kernel"
    paused = ", paused" if subject.paused else ""
    return (
        f"{name}({number}, {subject.type}{paused}), vCPU {subject.vcpu.number} in {mode} mode at {subject.vcpu.rip:#x}"
    )


def how(subject: Subject) -> str:
    """Say how its addresses are translated."""
    mode = subject.vcpu.paging.mode
    return f"{mode.title} tables, {_KINDS[subject.kind]}" if mode else "paging is off"


def not_told(subject: Subject) -> list[str]:
    """Say what nobody tells about such a guest."""
    if subject.frames == "gfn" and subject.type != "kvm":
        return ["Xen has no call that tells which machine frame a gfn is"]
    return []


def end(seen: Seen) -> str | None:
    """Say why a walk ends without a page; None where it ends at one."""
    if seen.walk.end is End.UNREADABLE and seen.subject.frames == "mfn" and seen.walk.va in XEN_RANGE:
        return "these are Xen's own addresses, the same in each PV guest, and so are their tables"
    return _ENDS.get(seen.walk.end)


def owner(subject: Subject, facts: Facts) -> str | None:
    """Say whose a machine frame is; None where nobody tells, or there is none."""
    if facts.mfn is None or subject.frames != "mfn":
        return None
    if facts.owner is None:
        return "of nobody that Xen tells"
    whose = {XEN: "of Xen itself", DEVICES: "of a device, not memory"}.get(facts.owner, f"of domain {facts.owner}")
    if facts.special:
        return f"{whose}, a page of Xen's that it shares"
    return whose if facts.owner in (subject.domid, XEN, DEVICES) else f"{whose}, which shares it by a grant"


def size(count: int) -> str:
    """Write a page's size, or a multiple of one."""
    for shift, unit in ((30, "GiB"), (20, "MiB")):
        if count and count % (1 << shift) == 0:
            return f"{count >> shift} {unit}"
    return f"{count >> 10} KiB"
