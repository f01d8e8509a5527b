"""Instants of Perfetto's timeline: who maps whose pages, and what becomes of more pairs than any host has."""

import io
from collections import Counter

import pytest

from tests.traces.exporters.drawn import drawn
from tests.traces.handmade import record, window
from tests.traces.hostile import runs
from traces.analyses.report import report as report_of
from traces.exporters.perfetto import instants
from traces.exporters.perfetto import writer as perfetto
from traces.reader import Reader, read
from traces.scan import Scan
from traces.xen.formats import events as xentrace


def shown(data: bytes) -> Counter[tuple[str, int | None]]:
    """Give the instants by name, and their argument."""
    scan = Scan()
    scan.feed(data)
    scan.finish()
    output = io.BytesIO()
    perfetto.write(read(io.BytesIO(data), Reader()), report_of(scan, hz=1e9), output)
    return Counter(
        (one.name, next(iter(one.args.values()), None))
        for one in drawn(output.getvalue()).instants
        if one.name != "notified"
    )


def maps(mapper: int, *granters: int) -> bytes:
    return runs(mapper << 16, 1000 * mapper) + b"".join(record(xentrace.GRANT_MAP, None, one) for one in granters)


DATA = window(0, maps(1, 5, 6, 5) + record(xentrace.GRANT_UNMAP, None, 5) + maps(2, 5, 0xFFFF_FFFF))


def test_who_maps_whose_pages_is_the_name() -> None:
    assert shown(DATA) == {
        ("grant map d1→d5", None): 2,
        ("grant map d1→d6", None): 1,
        ("grant unmap d1→d5", None): 1,
        ("grant map d2→d5", None): 1,
        ("grant map d2→d4294967295", None): 1,
    }


def test_pairs_beyond_all_measure_have_one_name_and_the_granter_as_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instants, "_PAIRS_MAX", 2)
    assert shown(DATA) == {
        ("grant map d1→d5", None): 2,
        ("grant map d1→d6", None): 1,
        ("grant unmap d1→d5", None): 1,
        ("grant map", 5): 1,
        ("grant map", 0xFFFF_FFFF): 1,
    }


def test_more_kinds_of_an_event_than_anybody_names_are_told_by_what_was_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = b"".join(record(xentrace.PV_HYPERCALL_V2, 2000 + nr, nr) for nr in (1, 1, 1000, 1001))
    traps = b"".join(record(xentrace.PV_TRAP, 3000 + nr, 5, nr) for nr in (14, 14, 900))
    data = window(0, runs(1 << 16, 1000) + calls + traps)
    named = {("mmu_update", None): 2, ("hypercall_1000", None): 1, ("hypercall_1001", None): 1}
    trapped = {("trap page_fault", 5): 2, ("trap vector_900", 5): 1}
    assert shown(data) == named | trapped
    monkeypatch.setattr(instants, "_KINDS_MAX", 2)
    unnamed = {("pv_hypercall_v2", 1): 2, ("pv_hypercall_v2", 1000): 1, ("pv_hypercall_v2", 1001): 1}
    assert shown(data) == unnamed | trapped
    monkeypatch.setattr(instants, "_KINDS_MAX", 1)
    assert shown(data) == unnamed | {("pv_trap", 14): 2, ("pv_trap", 900): 1}
