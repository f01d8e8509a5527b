"""Functions by address, from what nm, System.map and /proc/kallsyms look like."""

import pytest

from traces.errors import SymbolError
from traces.symbols import Symbols

MAP = """\
0000000000000000 D __per_cpu_start
000000000001a000 A fixed_percpu_data
ffffffff81000000 t early
ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81000040 W weak
ffffffff82000000 D _data
ffffffff82000100 t __init_begin
ffffffffc0001000 t xenvif_poll\t[xen_netback]
                 U printk
"""


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (0xFFFFFFFF80FFFFFF, None),
        (0xFFFFFFFF81000000, "_text+0x0"),
        (0xFFFFFFFF8100003F, "_text+0x3f"),
        (0xFFFFFFFF81000041, "weak+0x1"),
        (0xFFFFFFFF82000010, None),  # data ends the function before it, and is none
        (0xFFFFFFFF82000101, "__init_begin+0x1"),
        (0xFFFFFFFFC0001FFF, "xenvif_poll+0xfff [xen_netback]"),
        (0xFFFFFFFFC0002000, None),  # nothing says how long the last one is
        (0x1A010, None),
        (0, None),
        (2**64 - 1, None),
    ],
)
def test_what_an_address_is_in(address: int, name: str | None) -> None:
    lines = MAP.splitlines()
    assert Symbols(lines).name(address) == name


def test_the_order_of_lines_does_not_matter() -> None:
    lines = [line for line in MAP.splitlines() if "startup_64" not in line]
    forwards, backwards = Symbols(lines), Symbols(reversed(lines))
    for address in range(0xFFFFFFFF80FFFFF0, 0xFFFFFFFF81000100, 7):
        assert forwards.name(address) == backwards.name(address)


def test_what_is_no_symbol_is_counted() -> None:
    assert Symbols(MAP.splitlines()).unread == 1
    # What would be printed to a terminal holds nothing that a terminal obeys.
    evil = [
        "ffffffff81000000 T \x1b[2Jevil",
        "ffffffff81000000 T " + "x" * 501,
        "1" * 17 + " T long",
        "ffffffff81000001 T ok",
    ]
    found = Symbols([*evil, "", "  "])
    assert found.unread == 3
    assert found.name(0xFFFFFFFF81000000) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no line is"),
        ("# Title\n\nwords and words\n", "no line is"),
        ("0000000000000000 T _text\n0000000000000000 T start\n", "only root sees"),
    ],
)
def test_what_names_nothing(text: str, why: str) -> None:
    with pytest.raises(SymbolError, match=why):
        Symbols(text.splitlines())
