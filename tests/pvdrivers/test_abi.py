"""The constants against Xen's own headers (libxen-dev)."""

import re
from pathlib import Path

from pvdrivers.abi.xenbus import XenbusState

HEADERS = Path("/usr/include/xen")


def test_xenbus_states_are_those_of_the_header() -> None:
    text = (HEADERS / "io/xenbus.h").read_text()
    states = {name: int(value) for name, value in re.findall(r"XenbusState(\w+)\s*=\s*(\d+)", text)}
    # XenbusStateInitWait becomes INIT_WAIT.
    assert {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper(): value for name, value in states.items()} == {
        state.name: state.value for state in XenbusState
    }
    assert len(states) == 9
