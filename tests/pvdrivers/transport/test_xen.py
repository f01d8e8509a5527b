"""The Xen transport where there is no Xen; the contract runs on it in the lab (tests/xen/test_transport.py)."""

import pytest

from pvdrivers.errors import MachineError, NotGranted, NotOffered
from pvdrivers.transport.xen import Xen


def test_a_machine_without_xen_is_told_so() -> None:
    with pytest.raises(MachineError, match=r"^cannot open /dev/xen/gntdev: No such file or directory; this is no Xen"):
        Xen()


def test_errors_name_what_the_peer_named_in_a_line() -> None:
    assert str(NotGranted(5, [8])) == "domain 5 has not granted gref 8"
    assert str(NotGranted(5, range(8, 108))) == "domain 5 has not granted gref 8, gref 9, gref 10 or one of 97 more"
    assert str(NotOffered(5, 7)) == "domain 5 has no port 7 that could be bound"
