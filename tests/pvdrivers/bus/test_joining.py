"""A frontend that a program runs, and whose device goes away while it is joined."""

from pathlib import Path

import pytest

from pvdrivers.bus import joining, toolstack
from pvdrivers.errors import MachineError
from pvdrivers.transport.loopback import Loopback, machine
from pvdrivers.xenbus import FRONT
from tests.pvdrivers.bus.joined import BACK, GUEST, SPOT, Noting


def test_a_device_that_is_plugged_out_meanwhile_is_not_waited_for(tmp_path: Path) -> None:
    device = Noting()
    with machine(tmp_path, [BACK, GUEST]), Loopback(tmp_path, BACK) as dom0, Loopback(tmp_path, GUEST) as guest:
        toolstack.plug(dom0.store, SPOT, {}, {})

        def make(there: str, domid: int) -> Noting:
            assert (there, domid) == (SPOT.back, BACK)
            toolstack.remove(dom0.store, SPOT)
            return device

        gone = rf"^the device at {SPOT.back} is gone$"
        with pytest.raises(MachineError, match=gone), joining.joined(guest, SPOT.front, make, FRONT):
            pass
    assert device.actions == ["close"]
