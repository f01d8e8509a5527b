"""Event channel ports, from what Xen prints of them.

Ref: xen/common/event_channel.c, domain_dump_evtchn_info(), 4.2 to 4.21; xen/include/xen/sched.h, ECS_*;
xen/include/public/xen.h
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_DOMAIN = re.compile(r"Event channel information for domain (\d{1,5}):")
# The third in brackets, since 4.4, is the FIFO's link, of no use here. Z= is a label of XSM.
_PORT = re.compile(
    r" *(?P<port>\d{1,6}) \[(?P<pending>[01])/(?P<masked>[01])(?:/[^\]]*)?\]:"
    r" s=(?P<state>\d) n=(?P<vcpu>\d{1,5}) x=(?P<xen>\d)"
    r"(?: d=(?P<domid>-?\d{1,5}))?(?: p=(?P<peer>-?\d{1,6}))?(?: i=-?\d{1,6})?(?: v=(?P<virq>\d{1,3}))?(?: Z=.*)?"
)
_KNOWN = re.compile(r"(Polling vCPUs: \{.*\}| +port \[p/m(?:/s)?\]|)")
#: What can only be part of a dump: without it there is no telling how many ports there are.
_OURS = re.compile(r" *\d.*|.* s=\d n=\d.*|Event channel.*")

_STATES = {1: "reserved", 2: "unbound", 3: "interdomain", 4: "pirq", 5: "virq", 6: "ipi"}
_VIRQS = (
    *("TIMER", "DEBUG", "CONSOLE", "DOM_EXC", "TBUF", "5", "DEBUGGER", "XENOPROF", "CON_RING", "PCPU_STATE"),
    *("MEM_EVENT", "ARGO", "ENOMEM", "XENPMU", "14", "15", "ARCH_0", "ARCH_1", "ARCH_2", "ARCH_3"),
)


@dataclass(frozen=True)
class Port:
    """One end of an event channel.

    :param kind: unbound, interdomain, pirq, virq, ipi, or reserved
    :param vcpu: which is told
    :param for_xen: whether Xen itself listens (a device model's port)
    :param remote_domid: interdomain: the other end's domain; unbound: whose it may become
    :param remote_port: interdomain only
    :param source: name of a virq, number of a pirq
    """

    domid: int
    port: int
    kind: str
    pending: bool
    masked: bool
    vcpu: int
    for_xen: bool
    remote_domid: int | None = None
    remote_port: int | None = None
    source: str | None = None


def parse(lines: Iterable[str]) -> tuple[dict[int, list[Port]], list[str]]:
    """Read what Xen printed.

    :returns: ports by domid, in order, and the lines that could not be read
    """
    found: dict[int, list[Port]] = {}
    unread = []
    domid: int | None = None
    for line in lines:
        if match := _DOMAIN.fullmatch(line):
            domid = int(match[1])
            found.setdefault(domid, [])
        elif domid is not None and (match := _PORT.fullmatch(line)):
            found[domid].append(_port(domid, match))
        elif not _KNOWN.fullmatch(line):
            unread.append(line)
    return found, unread


def missing(unread: Iterable[str]) -> list[str]:
    """Choose of the lines that could not be read those that are a dump's own, and not what others printed meanwhile."""
    return [line for line in unread if _OURS.fullmatch(line)]


def _port(domid: int, match: re.Match[str]) -> Port:
    kind = _STATES.get(int(match["state"]), "reserved")
    source = None
    if kind == "virq" and match["virq"]:
        virq = int(match["virq"])
        source = _VIRQS[virq] if virq < len(_VIRQS) else str(virq)
    elif kind == "pirq":
        source = match["peer"]
    return Port(
        domid=domid,
        port=int(match["port"]),
        kind=kind,
        pending=match["pending"] == "1",
        masked=match["masked"] == "1",
        vcpu=int(match["vcpu"]),
        for_xen=match["xen"] != "0",
        remote_domid=int(match["domid"]) if match["domid"] else None,
        remote_port=int(match["peer"]) if kind == "interdomain" and match["peer"] else None,
        source=source,
    )
