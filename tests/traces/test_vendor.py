"""Whose numbering VM exits have: on others' traces, and on ones made by hand of any mixture."""

import io
from itertools import chain

import numpy as np
import pytest

from tests.traces.captures import NAMES, capture, stranger
from tests.traces.handmade import record, vcpu
from tests.traces.vendors import AMDS_ID, INTELS_ID, made
from traces import scan as scans
from traces.analyses.report import report as report_of
from traces.answers import Report
from traces.exporters import dump
from traces.exporters.details import naming
from traces.reader import Reader, read
from traces.xen.formats.events import FLAG_NESTED
from traces.xen.formats.exits import SVM_EXITS, VMX_EXITS, VMX_FLAGS, Vendor, exit_name

#: What an Intel host's guests do, by reason.
INTEL = {1: 40, 10: 40, 12: 40, 28: 40, 30: 40, 32: 40, 48: 40}
INTELS_NAMES = {
    "EXTERNAL_INTERRUPT": 40,
    "CPUID": 40,
    "HLT": 40,
    "CR_ACCESS": 40,
    "IO_INSTRUCTION": 40,
    "MSR_WRITE": 40,
    "EPT_VIOLATION": 40,
}


def report(data: bytes, **told: str | None) -> Report:
    return report_of(scans.read(io.BytesIO(data)), hz=1e9, **told)  # type: ignore[arg-type] # vendors and versions


def names(found: Report) -> dict[str, int]:
    return {one.name: one.count for domain in found.domains for of in domain.vcpus for one in of.exits}


def diagnostics(found: Report) -> dict[str, tuple[str, int]]:
    return {one.code: (one.severity, one.count) for one in found.account.diagnostics if "exit" in one.code}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("intel-plain", {}),
        ("intel-failed-entry", {"INVALID_GUEST_STATE (failed VM entry)": (1, 0x8000_0021)}),
        ("intel-bus-lock-bit", {"EPT_VIOLATION (bus lock)": (1, 0x0400_0030)}),
    ],
)
def test_an_odd_reason_renames_no_other(name: str, more: dict[str, tuple[int, int]]) -> None:
    found = report(stranger(name))
    assert names(found) == INTELS_NAMES | {one: count for one, (count, _) in more.items()}
    exits = {one.name: one for one in vcpu(found, 5, 0).exits}
    # As it was recorded; and its time is its own, not that of the reason that it has below its flags.
    assert {one: (exits[one].count, exits[one].reason) for one in more} == more
    assert {one.count - one.latency.count for one in exits.values()} == {0}
    assert (found.exits.vendor, found.exits.source, diagnostics(found)) == ("intel", "trace", {})


@pytest.mark.parametrize("name", [*(f"xen-4.{release}-pvh" for release in (17, 20)), "real-4.20-exits-only"])
def test_amds_are_amds_whatever_else_was_recorded(name: str) -> None:
    found = report(capture(name) if name in NAMES else stranger(name))
    assert {"RDTSC", "INTR", "MSR", "VMMCALL"} <= set(names(found)) <= set(SVM_EXITS.values())
    assert (found.exits.vendor, found.exits.source, diagnostics(found)) == ("amd", "trace", {})


def test_a_dump_names_exits_of_whom_nobody_knows() -> None:
    data = stranger("real-4.20-exits-only")
    named = naming(report(data))
    lines = chain.from_iterable(
        dump.lines(one, np.zeros(len(one), np.int64), named) for one in read(io.BytesIO(data), Reader())
    )
    exits = [line.split("exit ")[1].split()[0] for line in lines if " exit " in line]
    assert (len(exits), exits.count("RDTSC"), exits.count("EXCEPTION_NM")) == (9820, 7519, 183)


@pytest.mark.parametrize(
    ("exits", "vendor", "doubtful"),
    [
        # Odd ones are most of the kinds, and few of the records.
        (
            [(INTELS_ID, INTEL | dict.fromkeys((0x4D, 0x60, 0x6E, 0x72, 0x78, 0x7B, 0x7C, 0x81, 0x400), 2))],
            "intel",
            False,
        ),
        ([(INTELS_ID, {0x60: 300, 0x78: 200, 0x400: 90} | dict.fromkeys((1, 7, 9, 10, 12, 30, 31), 2))], "amd", False),
        # What both have says nothing where one of them is sure: writes of CR0 on AMD, RDTSC on Intel.
        ([(INTELS_ID, {16: 5000, 0x60: 3, 0x7B: 1})], "amd", False),
        ([(INTELS_ID, {16: 5000, 12: 1})], "intel", False),
        # Shadow page tables on AMD.
        ([(INTELS_ID, {0x4E: 900, 0x13: 500, 0x60: 20})], "amd", False),
        # One or two records.
        ([(INTELS_ID, {0x8000_0021: 1})], "intel", False),
        ([(INTELS_ID, {0x78: 1})], "amd", False),
        ([(INTELS_ID, {12: 1})], "intel", False),
        ([(INTELS_ID, {0xFFFF_FFFF: 1})], "amd", False),
        ([(AMDS_ID, {30: 1})], "amd", False),
        ([(INTELS_ID, {48: 1})], "intel", True),
        ([(INTELS_ID, {0x46: 1})], "amd", True),
        ([(INTELS_ID, {12: 1, 0x78: 1})], "intel", True),
        ([(INTELS_ID, {0x1234: 2})], "intel", True),
        # As many for the one as for the other.
        ([(INTELS_ID, {12: 50, 0x78: 51})], "amd", True),
        # Only svm.c says that a guest is nested.
        ([(INTELS_ID | FLAG_NESTED, {0x20: 3})], "amd", False),
    ],
)
def test_vendor_by_weight(exits: list[tuple[int, dict[int, int]]], vendor: Vendor, doubtful: bool) -> None:
    found = report(made(*exits))
    assert found.exits.vendor == vendor
    assert ("exit_vendor_in_doubt" in diagnostics(found)) is doubtful
    assert {one.reason: one.count for one in vcpu(found, 1, 0).exits} == exits[0][1]


def test_a_stray_reason_is_told_as_what_it_is_and_where() -> None:
    data = made((INTELS_ID, INTEL | {0x4D: 2, 0x60: 1}))
    found = report(data)
    assert names(found) == INTELS_NAMES | {"exit_0x4d": 2, "exit_0x60": 1}
    (stray,) = (one for one in found.account.diagnostics if one.code == "stray_exit_reason")
    assert (stray.severity, stray.count) == ("info", 3)
    assert data[stray.first_offset + 12 :][:4] == b"\x4d\0\0\0"


def test_a_file_of_two_hosts_names_each_by_its_own_id() -> None:
    found = report(made((INTELS_ID, {30: 5, 12: 5, 16: 2}), (AMDS_ID, {30: 7, 0x78: 3})))
    assert names(found) == {"IO_INSTRUCTION": 5, "HLT": 3, "RDTSC": 2, "CR14_WRITE": 7}
    both = [(one.name, one.count) for one in vcpu(found, 1, 0).exits if one.name == "HLT"]
    assert sorted(both) == [("HLT", 3), ("HLT", 5)]
    assert diagnostics(found) == {}


@pytest.mark.parametrize(
    ("told", "source", "name"),
    [
        ({"vendor": "amd"}, "option", "DR0_WRITE"),
        ({"vendor": "intel", "host_vendor": "amd"}, "option", "EPT_VIOLATION"),
        ({"host_vendor": "amd"}, "host", "DR0_WRITE"),
        ({"host_vendor": "intel", "xen_version": "4.17.5"}, "host", "EPT_VIOLATION"),
        ({"xen_version": "4.20.0"}, "trace", "EPT_VIOLATION"),  # AMD's have their own id
    ],
)
def test_who_knows_better_than_the_trace(told: dict[str, str], source: str, name: str) -> None:
    found = report(made((INTELS_ID, {0x30: 3})), **told)
    assert (names(found), found.exits.source, diagnostics(found)) == ({name: 3}, source, {})


def test_a_host_that_the_trace_belies_is_in_doubt() -> None:
    found = report(made((INTELS_ID, {0x78: 5, 0x60: 5})), host_vendor="intel")
    assert names(found) == {"exit_0x78": 5, "exit_0x60": 5}
    assert diagnostics(found) == {"stray_exit_reason": ("info", 10), "exit_vendor_in_doubt": ("error", 10)}


def test_the_users_word_goes_for_amds_id_as_well() -> None:
    assert names(report(made((AMDS_ID, {30: 1})), vendor="intel")) == {"IO_INSTRUCTION": 1}


@pytest.mark.parametrize(
    ("beside", "name"),
    [
        (record(0x8200E, None, 0, 0, 0x16, 0x6874_7541, 0x444D_4163, 0x6974_6E65), "DR0_WRITE"),  # AuthenticAMD
        (record(0x8200E, None, 0, 0, 0x10, 0x6F67_7948, 0x656E_6975, 0x6E65_476E), "DR0_WRITE"),  # HygonGenuine
        (record(0x8200E, None, 0, 0, 0x16, 0x756E_6547, 0x6C65_746E, 0x4965_6E69), "EPT_VIOLATION"),
        (record(0x82011, None), "DR0_WRITE"),  # only svm.c tells of SMIs
        (record(0x82025, None), "EPT_VIOLATION"),  # only vmx.c of this
    ],
)
def test_other_records_tell_the_vendor(beside: bytes, name: str) -> None:
    found = report(made((INTELS_ID, {0x30: 3}), before=beside))
    assert (names(found), diagnostics(found)) == ({name: 3}, {})


def test_a_nested_guests_exits_are_told_apart_from_its_hosts() -> None:
    found = report(made((AMDS_ID, {0x78: 4}), (AMDS_ID | FLAG_NESTED, {0x78: 2, 0x8000_0021: 1})))
    assert [(one.name, one.count, one.nested, one.latency.count) for one in vcpu(found, 1, 0).exits] == [
        ("HLT", 4, False, 4),
        ("HLT (nested guest)", 2, True, 2),
        ("exit_0x80000021 (nested guest)", 1, True, 1),
    ]


def test_every_flag_of_vmx_has_a_name_and_no_undefined_one_is_passed_over() -> None:
    assert [exit_name(0x30 | bit, "intel") for bit in VMX_FLAGS] == [
        f"EPT_VIOLATION ({name})" for name in VMX_FLAGS.values()
    ]
    assert exit_name(0x2C00_0030, "intel") == "EPT_VIOLATION (in VMX root operation, in enclave mode, bus lock)"
    for undefined in (1 << 16, 1 << 24, 1 << 30):
        assert exit_name(0x30 | undefined, "intel") == f"exit_{0x30 | undefined:#x}"
    assert [exit_name(reason, "amd") for reason in (0xFFFF_FFFF, 0xFFFF_FFFE, 0x403, 0x401)] == [
        *("INVALID", "BUSY", "VMGEXIT", "AVIC_INCOMPLETE_IPI")
    ]
    assert len(set(VMX_EXITS.values())) == len(VMX_EXITS)
    assert len(set(SVM_EXITS.values())) == len(SVM_EXITS)
