"""Whose numbering VM exits have, Intel's or AMD's: by the weight of all evidence that a trace holds.

Law: a number that the found vendor does not have changes no other exit's name; it is counted, and told as stray.

Exits under AMD's own event id (Xen 4.19, 320e644) are AMD's without question; this is about those under Intel's. A
reason that only one vendor has, or causes under Xen, speaks for it, each record as much as any other. Only where there
is none such, those decide that both have, by which of both sees them the more often. Who says more than the trace goes
first: the user, then the capturing host.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from traces.account import SEVERITIES, Diagnostic
from traces.analyses.counts import exits
from traces.answers import UNKNOWN, Numbering
from traces.plain import replace
from traces.xen.formats.event import Release, release
from traces.xen.formats.exits import AMDS_ID, NESTED, SVM_EXITS, Vendor, reason_of, vmx_reason

if TYPE_CHECKING:
    from traces.counting.counted import Counted

#: Since then AMD's exits have an event id of their own.
_OWN_ID: Release = (4, 19)
#: The first letters of "GenuineIntel", "AuthenticAMD" and "HygonGenuine", as ebx of CPUID's leaf 0 has them.
_CPUID: Mapping[int, Vendor] = {0x756E_6547: "intel", 0x6874_7541: "amd", 0x6F67_7948: "amd"}
#: Records that only vmx.c or svm.c make, in all releases.
_EVENTS: Mapping[int, Vendor] = {
    0x0008_2011: "amd",  # smi
    0x0008_2018: "intel",  # clts
    0x0008_2019: "intel",  # lmsw
    0x0008_2119: "intel",
    0x0008_2022: "intel",  # realmode_emulate
    0x0008_2024: "intel",  # trap_debug
    0x0008_2025: "intel",  # vlapic
}
#: SVM's codes that Xen's guests don't cause: of registers that do not exist, or that Xen does not watch (svm/vmcb.c).
_NOT_SVMS = frozenset(
    {0x01, 0x02, *range(0x05, 0x08), *range(0x09, 0x10), 0x11, 0x12, *range(0x15, 0x18), *range(0x19, 0x20)}
    | set(range(0x28, 0x30))
    | set(range(0x38, 0x40))
)
#: Of the reasons that both have a use for, those that are an exception on AMD and on Intel what Xen does not ask for.
_RATHER_SVMS = frozenset({0x40, *range(0x42, 0x4A), *range(0x4E, 0x56)})
#: There must be so many times as much evidence for as against, or it is in doubt.
_CLEAR = 10


class _Seen(NamedTuple):
    times: int
    first_offset: int


def numbering(
    scan: "Counted", *, option: Vendor | None = None, host: Vendor | None = None, version: str | None = None
) -> Numbering:
    """Weigh what a scan holds.

    :param option: what the user says
    :param host: what the capturing host said
    :param version: of the Xen that made the trace
    """
    kinds = _kinds(scan)
    found = _decide(scan, kinds, host, release(version)) if option is None else Numbering(option, "option", by_id=False)
    return replace(found, diagnostics=tuple(_diagnostics(found, kinds)))


def _decide(scan: "Counted", kinds: Mapping[int, _Seen], host: Vendor | None, made_by: Release | None) -> Numbering:
    asked = {key: seen.times for key, seen in kinds.items() if not key & AMDS_ID}
    if not asked:
        return Numbering("amd", "trace") if kinds else UNKNOWN
    sure = Counter(_told_beside(scan))
    likely: Counter[Vendor] = Counter()
    for key, count in asked.items():
        vendor, is_sure = _speaks_for(key)
        if vendor is not None:
            (sure if is_sure else likely)[vendor] += count
    under_both = len(asked) < len(kinds)
    if host is not None:
        found = Numbering(host, "host")
    elif made_by is not None and made_by >= _OWN_ID:
        found = Numbering("intel", "trace")
    elif sure:
        found = Numbering(_most(sure), "trace")
    elif under_both:
        found = Numbering("intel", "trace")
    else:
        found = Numbering(_most(likely), "trace" if likely else "default", in_doubt=True)
    return replace(found, in_doubt=found.in_doubt or sure[_other(found.vendor)] * _CLEAR > sure[found.vendor])


def _kinds(scan: "Counted") -> dict[int, _Seen]:
    found: dict[int, _Seen] = {}
    settled = (
        (key, count, first) for _, key, count, _, _, first in exits(lambda table: scan.items(table, everything=True))
    )
    others = ((key, one.count, one.first) for vcpu in scan.vcpus.values() for key, one in vcpu.exits.items())
    for key, count, first in chain(settled, others):
        seen = found.get(key, _Seen(0, first))
        found[key] = _Seen(seen.times + count, min(seen.first_offset, first))
    return found


def _told_beside(scan: "Counted") -> dict[Vendor, int]:
    # Other records than exits.
    found: Counter[Vendor] = Counter()
    for _, letters, count, *_ in scan.items("vendors", everything=True):
        if letters in _CPUID:
            found[_CPUID[letters]] += count
    for _, event, count, *_ in scan.items("events", everything=True):
        if event in _EVENTS:
            found[_EVENTS[event]] += count
    return found


def _speaks_for(key: int) -> tuple[Vendor | None, bool]:
    # Which vendor has such exits under Intel's event id, and whether that is sure.
    reason = reason_of(key)
    if key & NESTED:
        return "amd", True
    amds = reason in SVM_EXITS and reason not in _NOT_SVMS
    if vmx_reason(reason) is None:
        return ("amd" if amds else None), True
    return "amd" if reason in _RATHER_SVMS else "intel", not amds


def _diagnostics(found: Numbering, kinds: Mapping[int, _Seen]) -> Iterator[Diagnostic]:
    stray = [seen for key, seen in kinds.items() if _is_stray(key, found)]
    asked = [seen for key, seen in kinds.items() if not key & AMDS_ID]
    for code, of in (("stray_exit_reason", stray), ("exit_vendor_in_doubt", asked if found.in_doubt else [])):
        if of:
            count, first = sum(one.times for one in of), min(one.first_offset for one in of)
            yield Diagnostic(code, SEVERITIES[code], count, first)


def _is_stray(key: int, found: Numbering) -> bool:
    vendor = found.of(key)
    if vendor == "amd" and key & AMDS_ID:
        return reason_of(key) not in SVM_EXITS
    speaks, is_sure = _speaks_for(key)
    return speaks is None or (is_sure and speaks != vendor)


def _most(of: Counter[Vendor]) -> Vendor:
    return "amd" if of["amd"] > of["intel"] else "intel"


def _other(vendor: Vendor) -> Vendor:
    return "amd" if vendor == "intel" else "intel"
