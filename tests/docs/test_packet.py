"""docs/packet.md shows slots and flags as the drivers have them."""

import pytest

from tests.docs import packet


def test_the_page_is_what_the_drivers_do() -> None:
    page = packet.PAGE.read_text()
    assert packet.written(page) == page, "python -m tests.docs.packet writes it"
    assert all(page.count(text) == 1 for text in packet.parts().values())


def test_a_part_without_its_place_is_told() -> None:
    with pytest.raises(ValueError, match=r"^no place for tx-plain$"):
        packet.written("# How a packet crosses\n")


def test_what_people_ask_is_answered_there() -> None:
    """The cells that others were wrong about, by hand."""
    parts = packet.parts()
    assert "| `csum_blank` | 1 | 2 |" in parts["bits"]
    assert "| `data_validated` | 2 | 1 |" in parts["bits"]
    # To be cut, and nothing said of its sum.
    (forgotten,) = (row for row in parts["sent"].splitlines() if "| none | GSO" in row)
    assert "it is blank | NEEDS_CSUM" in forgotten
    (vlan,) = (row for row in parts["received"].splitlines() if "VLAN" in row)
    assert vlan.endswith("| none |  | yes |")
    gso = [row for row in parts["received"].splitlines() if "GSO" in row]
    assert len(gso) == 2
    assert all("`data_validated`, `csum_blank`" in row for row in gso)
