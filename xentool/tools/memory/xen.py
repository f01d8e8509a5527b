"""A domain of Xen as a guest whose memory can be looked at: a program that runs in dom0 meanwhile is asked."""

import errno
import struct
from collections.abc import Sequence

from xentool.errors import XentoolError
from xentool.tools import xl
from xentool.tools.memory import xen_structs as structs
from xentool.tools.memory.asking import FEW, Ask, Refused
from xentool.tools.memory.guest import DEVICES, XEN, Facts, Kind, Subject, Vcpu

#: The program in dom0.
PROGRAM = "xen_dom0.py"
#: Frames that are asked about at once.
_MANY = 512


def guest(ask: Ask, domain: xl.Domain, vcpu: int) -> "XenGuest":
    """Look at a domain, as its vCPU translates at this moment.

    :raises XentoolError: it has no such vCPU, that one does not run yet, or the domain is gone
    """
    all_domains = {each.domid: each for each in structs.domains(ask("domains"))}
    of = all_domains.get(domain.domid)
    if of is None or of.dying:
        raise XentoolError(f"domain {domain.name} ({domain.domid}) is gone")
    try:
        if of.hvm:
            seen = structs.hvm_vcpu(vcpu, ask("hvm", of.domid, vcpu))
        else:
            (width,) = struct.unpack("<I", ask("width", of.domid))
            seen = structs.pv_vcpu(vcpu, ask("context", of.domid, vcpu), width)
    except Refused as refused:
        raise XentoolError(_no_vcpu(domain, of, vcpu, refused)) from refused
    return XenGuest(ask, _subject(domain, of, seen), [each.domid for each in all_domains.values() if not each.hvm])


def _no_vcpu(domain: xl.Domain, of: structs.Domain, vcpu: int, refused: Refused) -> str:
    name = f"domain {domain.name} ({domain.domid})"
    if vcpu > of.max_vcpu:
        return f"{name} has no vCPU {vcpu}; its last is {of.max_vcpu}"
    if refused.number == errno.ENODATA:
        return f"vCPU {vcpu} of {name} was never started, so it has no tables"
    if of.domid == 0:
        return f"Xen does not tell the registers of the vCPU that asks; dom0 has others: --vcpu ({refused})"
    return f"{name}, vCPU {vcpu}: Xen refused: {refused}"


def _subject(domain: xl.Domain, of: structs.Domain, seen: Vcpu) -> Subject:
    # Xen makes no difference between PVH and HVM; what xl did not make, such as dom0, has no device model.
    kind = Kind.NESTED if of.hap else Kind.SHADOW if of.hvm else Kind.DIRECT
    type_ = ("hvm" if domain.type == "hvm" else "pvh") if of.hvm else "pv"
    return Subject(of.domid, domain.name, type_, kind, "gfn" if of.hvm else "mfn", seen, of.paused)


class XenGuest:
    """A domain.

    :param pv: the domids of all PV domains, whose memory is known by machine frames
    """

    def __init__(self, ask: Ask, subject: Subject, pv: Sequence[int]) -> None:
        self.subject = subject
        self._ask = ask
        self._others = [domid for domid in pv if domid != subject.domid]

    def read(self, frame: int) -> bytes | None:
        """Give a frame's bytes (see `Guest.read`)."""
        told = self._ask("frames", self.subject.domid, frame)
        return told[1:] if told[:1] == b"\1" else None

    def facts(self, frames: Sequence[int]) -> list[Facts]:
        """Tell about frames (see `Guest.facts`); of what is not PV Xen tells no machine frames."""
        if self.subject.frames == "gfn":
            return [Facts(gfn=frame) for frame in frames]
        own = self.subject.domid
        kinds = self._numbers("types", frames, own)
        owners = self._owners([frame for frame, kind in zip(frames, kinds, strict=True) if structs.foreign(kind)])
        pfns = map(structs.pfn, self._numbers("m2p", frames))
        found = []
        for frame, kind, pfn in zip(frames, kinds, pfns, strict=True):
            owner = owners.get(frame) if structs.foreign(kind) else own
            table, pinned = structs.table(kind)
            special = structs.foreign(kind) and owner == own
            found.append(Facts(frame, pfn if owner == own else None, owner, special, table, pinned))
        return found

    def _numbers(self, verb: str, frames: Sequence[int], *domid: int) -> list[int]:
        found: list[int] = []
        for at in range(0, len(frames), _MANY):
            some = frames[at : at + _MANY]
            found += struct.unpack(f"<{len(some)}Q", self._ask(verb, *domid, *some))
        return found

    def _owners(self, frames: Sequence[int]) -> dict[int, int]:
        """Find whose frames are that are not of a domain's own memory, as far as Xen tells."""
        found: dict[int, int] = {}
        left = list(dict.fromkeys(frames))

        def claim(domid: int, theirs: Sequence[bool]) -> None:
            found.update((frame, domid) for frame, is_so in zip(left, theirs, strict=True) if is_so)
            left[:] = [frame for frame in left if frame not in found]

        claim(self.subject.domid, self._mappable(self.subject.domid, left))
        for domid in self._others:
            claim(domid, [not structs.foreign(kind) for kind in self._numbers("types", left, domid)])
        for domid in (DEVICES, XEN):
            claim(domid, self._mappable(domid, left))
        return found

    def _mappable(self, domid: int, frames: Sequence[int]) -> list[bool]:
        told = b"".join(self._ask("maps", domid, *frames[at : at + FEW]) for at in range(0, len(frames), FEW))
        return [each == 1 for each in told]
