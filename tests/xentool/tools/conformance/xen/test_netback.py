"""What Linux's network backend shows of a vif that it has given up."""

from pathlib import Path

from xentool.tools.conformance.xen.netback import cut_off


def test_a_vif_without_a_carrier_is_given_up(tmp_path: Path) -> None:
    assert not cut_off(tmp_path / "vanished")
    carrier = tmp_path / "vif0.7/carrier"
    carrier.parent.mkdir()
    assert not cut_off(tmp_path)
    for content, given_up in (("1\n", False), ("0\n", True)):
        carrier.write_text(content)
        assert cut_off(tmp_path) is given_up


def test_an_interface_that_is_down_tells_of_no_carrier(tmp_path: Path) -> None:
    # Linux has the file, and refuses to have it read (EINVAL).
    (tmp_path / "vif0.7/carrier").mkdir(parents=True)
    assert not cut_off(tmp_path)
