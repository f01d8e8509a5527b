"""What was seen, as JSON: addresses as text, for they have more bits than a double."""

from collections.abc import Sequence
from typing import Any

from xentool.tools.memory.guest import Facts, Subject
from xentool.tools.memory.look import Run, Seen
from xentool.tools.memory.words import FRAMES, not_told


def one(seen: Seen, *, rip: bool) -> dict[str, Any]:
    """Tell of an address.

    :param rip: whether it is where the vCPU is
    """
    return {
        "schema": "xentool.walk/1",
        **_subject(seen.subject),
        "va": hex(seen.walk.va),
        "is_rip": rip,
        "settled": seen.settled,
        "levels": [
            {
                "level": step.level.number,
                "index": step.index,
                "table": {"address": hex(step.table), "frame": _facts(facts)},
                "entry": None
                if (entry := step.entry) is None
                else {
                    "value": hex(entry.raw),
                    "leads_to": entry.leads.value,
                    "address": _hex(entry.address),
                    "flags": entry.flags,
                    "software_bits": entry.software,
                    "reserved_bits": entry.reserved,
                },
            }
            for step, facts in zip(seen.walk.steps, seen.tables, strict=True)
        ],
        "end": seen.walk.end.value,
        "address": _hex(seen.walk.address),
        "page_bytes": seen.walk.page_bytes or None,
        "allows": seen.walk.allows(),
        "page": None if seen.page is None else _facts(seen.page),
    }


def many(subject: Subject, found: Sequence[Run], end: int, asked: int) -> dict[str, Any]:
    """Tell of a range.

    :param end: where what was found ends
    :param asked: where it was to end
    """
    return {
        "schema": "xentool.walk.pages/1",
        **_subject(subject),
        "ranges": [
            {
                "va": hex(run.va),
                "bytes": run.bytes,
                "end": run.end.value,
                "pages": run.pages,
                "page_bytes": run.page_bytes or None,
                "address": _hex(run.address),
                "allows": run.allows,
                "flags": run.flags,
                "page": None if run.facts is None else _facts(run.facts),
            }
            for run in found
        ],
        "cut_at": hex(end) if end < asked else None,
    }


def _subject(subject: Subject) -> dict[str, Any]:
    vcpu = subject.vcpu
    return {
        "domid": subject.domid,
        "name": subject.name,
        "type": subject.type,
        "paused": subject.paused,
        "paging": {
            "kind": subject.kind.value,
            "mode": vcpu.paging.mode.title if vcpu.paging.mode else None,
            "root": hex(vcpu.paging.root),
            "tables_hold": FRAMES[subject.frames],
        },
        "vcpu": {
            "vcpu": vcpu.number,
            "rip": hex(vcpu.rip),
            "user_mode": vcpu.user,
            "registers": {name: hex(value) for name, value in vcpu.registers.items()},
        },
        "not_told": not_told(subject),
    }


def _facts(facts: Facts) -> dict[str, Any]:
    return {
        "mfn": _hex(facts.mfn),
        "gfn": _hex(facts.gfn),
        "owner": facts.owner,
        "special": facts.special,
        "table_level": facts.table,
        "pinned": facts.pinned,
        "hva": _hex(facts.hva),
    }


def _hex(number: int | None) -> str | None:
    return None if number is None else hex(number)
