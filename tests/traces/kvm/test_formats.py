"""Formats of events as no kernel, or not every kernel, writes them: what can be read of them is, the rest is told."""

import pytest

from tests.traces.kvm.traces import LIFE, counted, page, sixth
from traces.analyses.kvm import report
from traces.errors import TraceError
from traces.kvm.formats.fields import layout

MANY = "9" * 5000


def _format(number: str = "7", offset: str = "8", size: str = "4", print_format: str = '""') -> str:
    field = f"field:int what;\toffset:{offset};\tsize:{size};\tsigned:1;"
    return f"name: one\nID: {number}\nformat:\n\t{field}\n\nprint fmt: {print_format}\n"


@pytest.mark.parametrize("told", [{"number": MANY}, {"offset": MANY}, {"size": MANY}, {"number": "65536"}])
def test_numbers_that_no_event_has(told: dict[str, str]) -> None:
    with pytest.raises(TraceError):
        layout(_format(**told), "kvm")


@pytest.mark.parametrize(
    ("constant", "value"),
    # As C reads them: a leading zero is base eight; where its digits are none of that base, somebody padded.
    # Exits of AMD's for exceptions are sums.
    [
        *(("0x78", 120), ("0X78", 120), ("120", 120), ("00000170", 120), ("00078", 78), ("0", 0), ("120UL", 120)),
        *(("0x040 + 14", 78), ("0x40UL+016u", 78)),
    ],
)
def test_constants_of_print_formats(constant: str, value: int) -> None:
    none = f'{{ {MANY}, "none" }}, {{ 1 + {MANY}, "none" }}'
    of = f'"%s", __print_symbolic(REC->what, {{ {constant}, "it" }}, {{ 1, "other" }}, {none})'
    (table,) = layout(_format(print_format=of), "kvm").symbols("what")
    assert table == {value: "it", 1: "other"}


def test_fields_that_lie_over_one_another() -> None:
    both = "field:u32 one;\toffset:8;\tsize:4;\n\tfield:u32 other;\toffset:{};\tsize:4;\n"
    text = "name: e\nID: 9\nformat:\n\tfield:u64 common;\toffset:0;\tsize:8;\n\t" + both
    assert list(layout(text.format(12), "kvm").fields) == ["common", "one", "other"]
    with pytest.raises(TraceError, match="fields of e lie over one another"):
        layout(text.format(10), "kvm")


def test_a_format_that_says_nonsense_hides_no_other() -> None:
    data = sixth([[page(LIFE)]], f"{MANY} x\n500 CPU 0/KVM\n", formats=[_format(offset=MANY)])
    trace, counts, _ = counted(data)
    found = report(counts, trace)
    assert (trace.comms, found.account.records) == ({500: "CPU 0/KVM"}, len(LIFE))
    assert [(one.code, one.count) for one in found.account.diagnostics] == [("bad_format", 1)]
