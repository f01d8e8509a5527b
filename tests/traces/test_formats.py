"""The declarations: against Xen's own header, and against real records."""

import io
import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.traces.captures import NAMES, capture
from tests.traces.handmade import record, window
from traces import account
from traces import scan as scans
from traces.analyses.report import report as report_of
from traces.answers import RUNSTATE_NAMES, UNKNOWN
from traces.exporters import dump, jsonl
from traces.exporters.details import Naming
from traces.reader import Reader, read
from traces.xen.decode import reference
from traces.xen.formats import events as xentrace
from traces.xen.formats import exits, names
from traces.xen.formats.event import release
from traces.xen.formats.record import Optional

# libxen-dev, Debian 12 (Xen 4.17)
HEADER = Path("/usr/include/xen/trace.h")
DEFINE = re.compile(r"#define (TRC_\w+)\s+(.+?)(?:\s*/\*.*)?$", re.MULTILINE)
TRACES = Path(__file__).parent.parent.parent / "traces"
COMPILED = (TRACES / "xen" / "formats" / "ids.pxd", TRACES / "counting" / "states.pxd")


def header_events() -> dict[int, str]:
    """Give the ids of trace.h by evaluating its additions; without classes and flags, whose low bits are zero."""
    values: dict[str, int] = {}
    for name, expression in DEFINE.findall(HEADER.read_text()):
        terms = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)U?L?\b", r"\1", expression)
        terms = re.sub(r"TRC_\w+", lambda found: str(values.get(found[0], "None")), terms)
        if re.fullmatch(r"[()\s0-9a-fA-FxX+]+", terms):
            values[name] = sum(int(term, 0) for term in re.findall(r"0x[0-9a-fA-F]+|\d+", terms))
    return {
        value: name
        for name, value in values.items()
        if 0x0001F000 < value <= 0x0FFFFFFF and value & 0xFFF and "EVT" not in name
    }


def test_every_event_of_xens_header_is_declared_under_its_name() -> None:
    events = header_events()
    assert len(events) > 110
    for event, name in events.items():
        if not name.startswith(("TRC_HVM_", "TRC_PV_", "TRC_SCHED_", "TRC_MEM_", "TRC_HW_", "TRC_PM_", "TRC_SHADOW_")):
            continue
        plain = name.removeprefix("TRC_").removesuffix("64").lower()
        # 4.17 has AMD's exits as another name of Intel's.
        if name.startswith("TRC_HVM_VMEXIT"):
            plain = "hvm_vmx_exit"
        assert xentrace.event_name(event) == plain, f"{event:#x}"


#: What trace.h has had since, up to c447b7308b (after 4.22.0): nothing else but AMD's exits, by 320e644 in 4.19.
LATER = {0x0008_1003: "hvm_svm_exit", 0x0008_1103: "hvm_svm_exit"}


def test_every_id_of_every_release_is_known() -> None:
    # The schedulers' own are not in trace.h; scheduler ids and subclasses there are no events.
    ids = {event for event, name in header_events().items() if not name.startswith("TRC_SCHED_ID")} | LATER.keys()
    assert not {f"{event:#x}" for event in ids if xentrace.base_id(event) not in xentrace.BY_ID}
    assert {event: xentrace.event_name(event) for event in LATER} == LATER


#: Events that Xen records without any argument, read at the calls in 4.14.5 and c447b7308b; of these sched_ctl, the
#: *_timer_fn, hvm_dr_read and hvm_smi are recorded by no call at all.
WITHOUT_FIELDS = """
    wrap_buffer sched_ctl sched_s_timer_fn sched_t_timer_fn sched_dom_timer_fn csched_sched_tasklet csched2_tick
    csched2_sched_tasklet csched2_update_load rtds_sched_tasklet snull_tasklet pv_math_state_restore hvm_vmentry
    hvm_dr_read hvm_dr_write hvm_nmi hvm_smi hvm_mce hvm_clts hvm_realmode_emulate hvm_vlapic hvm_emul_pit_stop_timer
    hvm_emul_rtc_stop_timer hvm_emul_lapic_stop_timer hvm_emul_pit_timer_cb hvm_emul_lapic_timer_cb
"""


def test_every_event_that_carries_something_has_named_fields() -> None:
    without = {event.name for event in xentrace.EVENTS if not event.payload.subcons}
    assert without == set(WITHOUT_FIELDS.split())


@pytest.mark.parametrize(
    ("event", "words", "fields"),
    [
        # Guests with two, three (PAE) and four levels of page tables.
        (0x40F001, (1, 2, 3), {"pte": 1, "address": 2, "flags": 3}),
        (0x40F101, (1, 2, 3, 4), {"pte": 1 | 2 << 32, "address": 3, "flags": 4}),
        (
            0x40F208,
            (1, 2, 3, 4, 5, 6, 7),
            {"pte": 1 | 2 << 32, "written": 3 | 4 << 32, "address": 5 | 6 << 32, "flags": 7},
        ),
        # 4.14 has no flags here.
        (0x40F20A, (1, 0, 3, 4), {"gfn": 1, "address": 3 | 4 << 32}),
        (0x40F10E, (1, 2), {"gfn": 1 | 2 << 32}),
        (0x84001, (2, 8, 1000, 0, 5, 1), {"timer": 2, "irq": 8, "delta_ns": 1000, "period_ns": 5 | 1 << 32}),
        (0x8400B, (0, 1, 0xFFFFFFFF), {"int_output": 0, "is_master": 1, "irq": None}),
        (0x802003, (9 | 0x30 << 16, 3, 0, 7, 7, 7, 7), {"irq": 9, "vector": 0x30, "pcpus_0_63": 3}),
        # No guest has so many levels.
        (0x40F301, (1, 2, 3, 4, 5), {}),
    ],
)
def test_fields_of_shadows_and_devices(event: int, words: tuple[int, ...], fields: dict[str, int | None]) -> None:
    assert reference.fields(event, struct.pack(f"<{len(words)}I", *words)) == fields


# docs/xen-versions.md, claim by claim. Stale memory is 0xEE.
@pytest.mark.parametrize(
    ("event", "before", "after", "fields"),
    [
        # 83af664 (4.18): domain and order from 16 to 32 bits in the same length.
        (0x10F005, "<QHH4s", "<QII", {"gfn": 7, "domid": 3}),
        (0x10F010, "<QQHH4s", "<QQII", {"gfn": 7, "mfn": 9, "domid": 3}),
        (0x10F011, "<QQHH4s", "<QQII", {"gfn": 7, "mfn": 9, "domid": 3}),
        (0x10F012, "<QHH4s", "<QII", {"gfn": 7, "domid": 3}),
    ],
)
def test_what_4_18_moved_is_named_where_the_release_is_known(
    event: int, before: str, after: str, fields: dict[str, int]
) -> None:
    head = [value for name, value in fields.items() if name != "domid"]
    old = struct.pack(before, *head, fields["domid"], 5, b"\xee" * 4)
    new = struct.pack(after, *head, fields["domid"], 5)
    assert len(old) == len(new)
    assert reference.fields(event, old) == reference.fields(event, new) == fields
    assert reference.fields(event, old, (4, 17)) == reference.fields(event, new, (4, 18)) == fields | {"order": 5}
    assert reference.fields(event, new, (4, 22)) == fields | {"order": 5}


@pytest.mark.parametrize(
    ("version", "told"),
    [("4.17.6-pre", "target_domid=3 order=9 +0xeeeeeeee"), (None, "target_domid=3 +0xeeeeeeee")],
)
def test_lines_name_what_the_release_tells(version: str | None, told: str) -> None:
    data = window(0, record(0x10F005, 100, 0x1234, 0, 3 | 9 << 16, 0xEEEEEEEE))
    report = report_of(scans.read(io.BytesIO(data)), hz=1e9, xen_version=version)
    target = io.BytesIO()
    dump.write(read(io.BytesIO(data), Reader()), report, target)
    assert target.getvalue().decode().endswith(f"mem_decrease_reservation gfn=0x1234 {told}\n")


@pytest.mark.parametrize(
    ("text", "found"),
    [("4.17.6-pre", (4, 17)), ("4.20-unstable", (4, 20)), ("4.9", (4, 9)), ("5.0.1", (5, 0)), ("unstable", None)],
)
def test_releases_in_versions(text: str, found: tuple[int, int] | None) -> None:
    assert release(text) == found


def test_a_burnt_budgets_flag_is_read_without_the_stale_bytes_of_before_4_18() -> None:
    burn = next(event for event in xentrace.EVENTS if event.name == "rtds_budget_burn")
    size = burn.payload.sizeof()
    for rest in (b"\x01\0\0\0", b"\x01\xee\xee\xee"):
        (*_, last), *_ = [list(reference.fields(burn.id, bytes(size - 1) + rest).items())]
        assert last == ("has_extratime", 1)


def amds_exit(event: int, reason: int) -> bytes:
    exit_ = record(event, 100, reason, 0, 0)
    return window(0, record(xentrace.RUNSTATE_CHANGE | 1 << 8, 50, 1 << 16) + exit_ + record(0x81001, 200))


@pytest.mark.parametrize(
    ("event", "reason", "name"),
    [
        (0x81103, 0x78, "HLT"),  # 4.19 and later
        (0x81102, 0x78, "HLT"),  # before: a reason that Intel does not have
        (0x81102, 12, "HLT"),  # Intel's
    ],
)
def test_amds_exits_are_recognised_without_a_flag(event: int, reason: int, name: str) -> None:
    data = amds_exit(event, reason)
    report = report_of(scans.read(io.BytesIO(data)), hz=1e9)
    (exit_,) = (one for domain in report.domains for vcpu in domain.vcpus for one in vcpu.exits)
    assert (exit_.name, exit_.reason) == (name, reason)


def test_negative_credit_is_told_as_such() -> None:
    burn = next(event for event in xentrace.EVENTS if event.name == "csched2_credit_burn")
    words = struct.pack("<HHiii", 1, 3, -5, -(1 << 31), 7)
    header = struct.pack("<II", burn.id | 4 << xentrace.EXTRA_SHIFT | xentrace.CYCLES_FLAG, 99)
    window = struct.pack("<III", xentrace.CPU_CHANGE | 2 << xentrace.EXTRA_SHIFT, 0, len(header) + 4 + len(words))
    (table,) = read(io.BytesIO(window + header + bytes(4) + words), Reader())
    (line,) = dump.lines(table, np.zeros(1, np.int64), Naming(UNKNOWN))
    assert line.split("  ", 3)[-1].strip().endswith("credit=-5 budget=none delta=7")
    decoded = reference.fields(burn.id, words)
    assert (decoded["credit"], decoded["budget"]) == (-5, None)


#: Of events, the fields that may say "none", and the bytes that do.
ABSENT = {
    (event.id, field.name): field.subcon.none.to_bytes(field.sizeof(), "little", signed=field.subcon.none < 0)
    for event in xentrace.EVENTS
    for field in event.payload.subcons
    if isinstance(field.subcon, Optional)
}


def told(event: int, payload: bytes) -> tuple[str, dict[str, object]]:
    body = struct.pack("<IQ", event | len(payload) // 4 << xentrace.EXTRA_SHIFT | xentrace.CYCLES_FLAG, 99) + payload
    window = struct.pack("<III", xentrace.CPU_CHANGE | 2 << xentrace.EXTRA_SHIFT, 0, len(body))
    (table,) = read(io.BytesIO(window + body), Reader())
    shown = [of(table, np.zeros(1, np.int64), Naming(UNKNOWN))[0].rstrip() for of in (dump.lines, jsonl.lines)]
    return shown[0], json.loads(shown[1])


@pytest.mark.parametrize(("event", "name"), ABSENT)
def test_what_xen_records_for_none_is_told_as_none(event: int, name: str) -> None:
    layout = xentrace.layout(event)
    order = [field.name for field in layout.subcons]
    offset = sum(field.sizeof() for field in layout.subcons[: order.index(name)])
    none = ABSENT[event, name]
    payload = bytearray(b"\x07" * (layout.sizeof() + -layout.sizeof() % 4))
    line, fields = told(event, bytes(payload))
    there = int.from_bytes(b"\x07" * len(none), "little")
    assert fields[name] == there
    assert "none" not in line
    payload[offset : offset + len(none)] = none
    line, fields = told(event, bytes(payload))
    assert f" {name}=none" in f" {line} "
    assert fields[name] is None
    assert reference.fields(event, bytes(payload))[name] is None


def test_words_of_idle_states_and_of_the_null_scheduler_are_where_xen_has_them() -> None:
    line, _ = told(0x00801002, struct.pack("<IIII", 2, 0x1234, (1 << 32) - 2000, 150))
    assert line.endswith("pm_idle_entry cstate=2 timer=4660 expected_us=none predicted_us=150")
    line, _ = told(0x00801003, struct.pack("<IIIIII", 2, 0x1234, 0xF0, 0, 0, 0))
    assert line.endswith("pm_idle_exit cstate=2 timer=4660 pending1=240 pending2=none pending3=none pending4=none")
    line, _ = told(0x00022A05, struct.pack("<HHhh", 0, 3, -1, -1))
    assert line.endswith("snull_schedule tasklet=0 target_pcpu=3 assigned_unit=none assigned_domid=none")
    line, _ = told(0x00022213, struct.pack("<QHHHH", (1 << 63) - 1, 1, 5, 0xFFFF, 2))
    assert line.endswith("csched2_picked_cpu load=none unit=1 target_domid=5 runq=none target_pcpu=2")


def test_no_id_and_no_name_twice() -> None:
    assert len(xentrace.BY_ID) == len(xentrace.EVENTS)
    assert len({event.name for event in xentrace.EVENTS}) == len(xentrace.EVENTS)


def test_the_compiled_constants_are_the_declared_ones() -> None:
    declared = {name: value for name, value in (vars(xentrace) | vars(account)).items() if isinstance(value, int)}
    declared |= {name.upper(): number for number, name in enumerate(RUNSTATE_NAMES)}
    compared = 0
    text = "".join(path.read_text() for path in COMPILED)
    for name, value in re.findall(r"^    ([A-Z_0-9]+) = (0x[0-9A-F]+|\d+)$", text, re.MULTILINE):
        if name in declared:
            assert int(value, 0) == declared[name], name
            compared += 1
    assert compared >= 26


@pytest.mark.parametrize(
    ("event", "base"),
    [
        (0x21121, xentrace.RUNSTATE_CHANGE),
        (0x21311, xentrace.RUNSTATE_CHANGE),
        (0x21002, xentrace.CONTINUE_RUNNING),
        (0x81102, xentrace.HVM_VMX_EXIT),
        (0x81503, xentrace.HVM_SVM_EXIT),
        (0x201103, xentrace.PV_TRAP),
        (0x82216, 0x82216),
        (0x82317, 0x82217),
        (0x22215, 0x22215),
        (0x8001234, 0x8001234),
    ],
)
def test_flags_do_not_make_another_event(event: int, base: int) -> None:
    assert xentrace.base_id(event) == base


@pytest.mark.parametrize(
    ("event", "words", "fields"),
    [
        (0x21121, (5 | 3 << 16,), {"vcpu": 5, "domid": 3}),
        (xentrace.LOST_RECORDS, (9, 3 | 5 << 16, 7, 1), {"count": 9, "domid": 3, "vcpu": 5, "first_tsc": 7 | 1 << 32}),
        (0x201103, (0x1000, 1, 14 | 6 << 16), {"rip": 0x100001000, "trapnr": 14, "error_code": 6}),
        (0x201003, (0x1000, 14 | 6 << 16), {"eip": 0x1000, "trapnr": 14, "error_code": 6}),
        (0x81103, (0x78, 0x1000, 1), {"reason": 0x78, "rip": 0x100001000}),
        (0x8201E, (1, 2), {}),
    ],
)
def test_fields(event: int, words: tuple[int, ...], fields: dict[str, int | None]) -> None:
    assert reference.fields(event, struct.pack(f"<{len(words)}I", *words)) == fields


@pytest.mark.parametrize("name", NAMES)
def test_real_records_are_as_long_as_declared(name: str) -> None:
    # A layout that is longer than what Xen writes is wrong; Xen pads to words, so it may be up to 3 bytes shorter.
    data = capture(name)
    sizes: dict[int, set[int]] = {}
    end = 0
    while end < min(len(data), 400_000):
        end += 12 + struct.unpack_from("<I", data, end + 8)[0]
    for one in reference.decode(data[:end]):
        sizes.setdefault(one.event, set()).add(4 * len(one.words))
    for event, found in sizes.items():
        layout = xentrace.layout(event)
        # Stale memory; and on AMD an interrupt's vector is not known when it is recorded.
        if xentrace.event_name(event) not in ("wrap_buffer", "hvm_intr"):
            assert layout.sizeof() <= min(found), xentrace.event_name(event)
    assert len(sizes) > 20


def test_orderare_unique_and_complete() -> None:
    assert len(set(names.HYPERCALLS.values())) == len(names.HYPERCALLS)
    assert names.hypercall_name(11) == "hypercall_11"
    assert names.subop_name(20, 5) == "copy"
    assert names.subop_name(20, 99) == "op_99"
    assert exits.exit_name(0x78, "amd") == "HLT"
    assert exits.exit_name(12, "intel") == "HLT"
    assert exits.exit_name(0x4E, "amd") == "EXCEPTION_PF"
    assert names.trap_name(14) == "page_fault"
