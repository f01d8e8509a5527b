"""Grants that are in use, from what Xen prints of them.

Ref: xen/common/grant_table.c, gnttab_usage_print(), 4.2 to 4.21; xen/include/public/grant_table.h
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

# Since 4.10; until then a table that has grants in use, and one that has none.
_TABLE = re.compile(r"grant-table for remote (?:d|domain: *)(\d{1,5}) \(v(\d)\)")
_NOTHING = re.compile(r"grant-table for remote domain: *(\d{1,5}) \.\.\. no active grant table entries")
_FRAMES = re.compile(r" *(\d{1,9}) frames \((\d{1,9}) max\), (\d{1,9}) maptrack frames \((\d{1,9}) max\)")
# Until 4.8 the reference is a decimal number, and since 4.9 a hexadecimal one.
_ENTRY = re.compile(
    r"\[(?:0x(?P<hexadecimal>[0-9a-f]{1,8})| *(?P<decimal>\d{1,10}))\] +(?P<mapper>\d{1,5})"
    r" 0x(?P<mfn>[0-9a-f]{1,16}) 0x(?P<pin>[0-9a-f]{8})"
    r" +(?P<shared>\d{1,5}) 0x(?P<gfn>[0-9a-f]{1,16}) 0x(?P<flags>[0-9a-f]{1,4})"
)
#: Headings, and what a domain without grants has.
_KNOWN = re.compile(r"( *-+ active -+ +-+ shared -+|\[ref\] localdom .*|no active grant table entries|)")
#: What can only be part of a dump: without it there is no telling how many grants there are.
_OURS = re.compile(r" *[\[\d].*|grant-table.*")

_GTF_TYPE = 3
_TYPES = {1: "access", 2: "transfer", 3: "transitive"}
_GTF_READONLY = 1 << 2


@dataclass(frozen=True)
class Grant:
    """One grant that is in use.

    :param gref: its reference, in the granter's table
    :param mapper: domid of who uses it
    :param mfn: the page in the machine; ``gfn`` is the granter's own number for it
    :param read_only: whether the granter allows no more
    :param writable_maps: how often it is mapped for writing, or copied at this moment
    :param read_only_maps: how often for reading
    :param device_maps: how often for devices (IOMMU) among them
    """

    gref: int
    mapper: int
    mfn: int
    gfn: int
    kind: str
    read_only: bool
    writable_maps: int
    read_only_maps: int
    device_maps: int


@dataclass
class GrantTable:
    """A domain's grants that are in use.

    :param version: of the table's format, 1 or 2; None where Xen does not tell (before 4.10, of one without grants)
    :param frames: pages of the table, and how many it may have
    """

    domid: int
    version: int | None
    frames: int | None = None
    frames_max: int | None = None
    grants: list[Grant] = field(default_factory=list)


def parse(lines: Iterable[str]) -> tuple[dict[int, GrantTable], list[str]]:
    """Read what Xen printed.

    :returns: tables by domid, and the lines that could not be read
    """
    tables: dict[int, GrantTable] = {}
    unread = []
    table: GrantTable | None = None
    for line in lines:
        if match := _TABLE.fullmatch(line) or _NOTHING.fullmatch(line):
            version = int(match[2]) if match.re is _TABLE else None
            table = tables.setdefault(int(match[1]), GrantTable(int(match[1]), version))
        elif table and (match := _FRAMES.fullmatch(line)):
            table.frames, table.frames_max = int(match[1]), int(match[2])
        elif table and (match := _ENTRY.fullmatch(line)):
            table.grants.append(_grant(match))
        elif not _KNOWN.fullmatch(line):
            unread.append(line)
    return tables, unread


def missing(unread: Iterable[str]) -> list[str]:
    """Choose of the lines that could not be read those that are a dump's own, and not what others printed meanwhile."""
    return [line for line in unread if _OURS.fullmatch(line)]


def _grant(match: re.Match[str]) -> Grant:
    # GNTPIN_*: four counters of a byte, the host's for writing and reading, then devices' likewise.
    hostw, hostr, devw, devr = int(match["pin"], 16).to_bytes(4, "little")
    flags = int(match["flags"], 16)
    return Grant(
        gref=int(match["hexadecimal"], 16) if match["hexadecimal"] else int(match["decimal"]),
        mapper=int(match["mapper"]),
        mfn=int(match["mfn"], 16),
        gfn=int(match["gfn"], 16),
        kind=_TYPES.get(flags & _GTF_TYPE, "invalid"),
        read_only=bool(flags & _GTF_READONLY),
        writable_maps=hostw + devw,
        read_only_maps=hostr + devr,
        device_maps=devw + devr,
    )
