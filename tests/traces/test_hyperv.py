"""Hyper-V's calls of viridian guests: under their own names, and nowhere taken for Xen's."""

import io

import pytest

from tests.traces.captures import stranger
from tests.traces.handmade import change, record, vcpu, window
from traces import scan as scans
from traces.analyses import calls, select
from traces.analyses.report import report as report_of
from traces.choice.where import Where, kinds
from traces.reader import Reader, read
from traces.xen.formats.events import HVM_VMMCALL
from traces.xen.formats.names import HYPERCALLS, HYPERV_CALLS, hypercall_name, hypercall_nr

HZ = 2.4e9
SPIN_WAIT, POST_MESSAGE, ENABLE_VTL = 0x8000_0008, 0x8000_005C, 0x8000_000D


def test_what_is_not_recorded_of_hypervs_calls_is_told_where_there_are_any() -> None:
    found = (
        report_of(scans.read(io.BytesIO(stranger("viridian")))),
        report_of(scans.read(io.BytesIO(stranger("intel-plain")))),
    )
    assert [any(one.startswith("Hyper-V calls: ") for one in of.not_recorded) for of in found] == [True, False]


def test_calls_of_both_kinds_have_their_own_names() -> None:
    report = report_of(scans.read(io.BytesIO(stranger("viridian"))), hz=HZ)
    assert [(one.nr, one.name, one.count) for one in vcpu(report, 5, 0).hypercalls] == [
        (32, "event_channel_op", 40),
        (SPIN_WAIT, "HvCallNotifyLongSpinWait", 40),
        (ENABLE_VTL, "HvCallEnablePartitionVtl", 40),  # recorded with the bit that says "fast"
        (POST_MESSAGE, "HvCallPostMessage", 40),
    ]
    timed = calls.read(read(io.BytesIO(stranger("viridian")), Reader()), report)
    assert {one.name: (one.bound, one.latency.count) for one in timed} == {
        hypercall_name(nr): ("exact", 40) for nr in (32, SPIN_WAIT, ENABLE_VTL, POST_MESSAGE)
    }


@pytest.mark.parametrize(
    ("eax", "nr", "name"),
    [
        (0x8000_0002, 0x8000_0002, "HvCallFlushVirtualAddressSpace"),
        (0x8001_005D, 0x8000_005D, "HvCallSignalEvent"),  # fast
        (0x8000_8001, 0x8000_8001, "HvExtCallQueryCapabilities"),
        (0x8000_7777, 0x8000_7777, "hyperv_0x80007777"),
        # The low half of an address: no call, but what a 64-bit guest had there.
        (0xF3A8_1000, 0xF3A8_1000, "hyperv_0xf3a81000"),
        (0xFFFF_FFFF, 0xFFFF_FFFF, "hyperv_0xffffffff"),
        (0x0010_0020, 0x0010_0020, "hypercall_1048608"),
        (32, 32, "event_channel_op"),
    ],
)
def test_a_call_is_what_eax_says(eax: int, nr: int, name: str) -> None:
    assert (hypercall_nr(eax), hypercall_name(nr)) == (nr, name)
    data = window(0, change(100, 1, 0, 1, 0) + record(HVM_VMMCALL, None, eax))
    report = report_of(scans.read(io.BytesIO(data)), hz=HZ)
    assert [(one.nr, one.name) for one in vcpu(report, 1, 0).hypercalls] == [(nr, name)]


def test_no_call_of_hyperv_is_chosen_as_xens_of_the_same_low_bits() -> None:
    # Flushes of a list of addresses have the number of grant_table_op, 20, below the bit that tells.
    flush, post = 0x8000_0014, POST_MESSAGE
    body = b"".join(record(HVM_VMMCALL, None, eax) for eax in (flush, 20, post, flush, 32))
    data = window(0, change(100, 1, 0, 1, 0) + body)
    for given, wanted in (("grant", [20]), ("evtchn", [32]), ("HvCallFlushVirtualAddressListEx", [flush, flush])):
        where = Where(kinds=kinds(given))
        (table,) = read(io.BytesIO(data), Reader())
        rows = where.rows(table, table.tsc.astype("int64"), HZ)
        assert table.word(rows, 0).tolist() == wanted
        found = select.of(report_of(scans.read(io.BytesIO(data)), hz=HZ), where)
        assert {one.nr: one.count for one in vcpu(found, 1, 0).hypercalls} == {nr: wanted.count(nr) for nr in wanted}
        assert [eax for eax in (flush, 20, post, 32) if where.keeps(HVM_VMMCALL, 1, eax.to_bytes(4, "little"))] == [
            *dict.fromkeys(wanted)
        ]
    assert not set(HYPERCALLS.values()) & set(HYPERV_CALLS.values())
