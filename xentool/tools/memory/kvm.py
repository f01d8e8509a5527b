"""A machine of QEMU's under KVM as a guest whose memory can be looked at: a program on its host is asked meanwhile."""

import errno
import json
import re
import struct
from collections.abc import Sequence
from typing import NamedTuple

from xentool.errors import PeerError, Unavailable, XentoolError
from xentool.tools import xl
from xentool.tools.memory.asking import FEW, Ask, Refused
from xentool.tools.memory.guest import Facts, Kind, Subject, Vcpu
from xentool.tools.memory.paging import paging

#: The program on the host.
PROGRAM = "kvm_host.py"
_NONE = (1 << 64) - 1
_REGISTERS = ("CR0", "CR3", "CR4", "EFER")


class Machine(NamedTuple):
    """A QEMU.

    :param domid: its process
    """

    domid: int
    name: str | None


def guest(ask: Ask, text: str, vcpu: int) -> "KvmGuest":
    """Look at a machine, by its name or QEMU's process, as a vCPU translates at this moment.

    :raises XentoolError: there is no such machine or vCPU, or its monitor is another's
    """
    machines = [Machine(each["pid"], each["name"]) for each in json.loads(ask("machines"))]
    chosen = xl.choose(machines, text)
    name = f"{chosen.name} (process {chosen.domid})"
    try:
        seen = registers(vcpu, ask("registers", chosen.domid, vcpu).decode())
        paused = ask("state", chosen.domid) != b"running"
    except Refused as refused:
        reason = {
            errno.ENOENT: "it has no monitor at a socket of its own (-qmp unix:PATH); libvirt's is not asked",
            errno.EBUSY: "its monitor talks to somebody else",
            errno.EINVAL: f"it has no vCPU {vcpu}",
        }.get(refused.number, str(refused))
        raise Unavailable(f"{name}: {reason}") from refused
    kind = Kind.SHADOW if ask("paging") == b"shadow" else Kind.NESTED
    return KvmGuest(ask, Subject(chosen.domid, chosen.name, "kvm", kind, "gfn", seen, paused))


def registers(number: int, told: str) -> Vcpu:
    """Read what QEMU's monitor says by `info registers`.

    Ref: QEMU target/i386/cpu-dump.c

    :raises PeerError: that is something else
    """
    found = {name: int(value, 16) for name, value in re.findall(r"\b([A-Z][A-Z0-9]+)=([0-9a-f]+)", told)}
    code = re.search(r"^CS =\S+ ([0-9a-f]+) (.*)$", told, re.MULTILINE)
    ip = found.get("RIP", found.get("EIP"))
    if code is None or ip is None or "CPL" not in found or not found.keys() >= set(_REGISTERS):
        raise PeerError(f"QEMU's monitor tells no registers that this program can read: {told[:60]!r}")
    rip = ip if "CS64" in code[2] else int(code[1], 16) + ip & 0xFFFFFFFF
    how = paging(*(found[name] for name in _REGISTERS))
    return Vcpu(number, rip, found["CPL"] == 3, how, {name.lower(): found[name] for name in _REGISTERS})


class KvmGuest:
    """A machine."""

    def __init__(self, ask: Ask, subject: Subject) -> None:
        self.subject = subject
        self._ask = ask

    def read(self, frame: int) -> bytes | None:
        """Give a frame's bytes (see `Guest.read`)."""
        told = self._asked("frames", [frame])
        return told[1:] if told[:1] == b"\1" else None

    def facts(self, frames: Sequence[int]) -> list[Facts]:
        """Tell about frames (see `Guest.facts`): where they are in QEMU's memory, and in the host's."""
        found = []
        for at in range(0, len(frames), FEW):
            some = frames[at : at + FEW]
            words = struct.iter_unpack("<QQ", self._asked("places", some))
            for frame, (hva, host) in zip(some, words, strict=True):
                found.append(Facts(None if host == _NONE else host, frame, hva=None if hva == _NONE else hva))
        return found

    def _asked(self, verb: str, frames: Sequence[int]) -> bytes:
        try:
            return self._ask(verb, self.subject.domid, *frames)
        except Refused as refused:
            raise XentoolError(f"{self.subject.name}: its memory cannot be read: {refused}") from refused
