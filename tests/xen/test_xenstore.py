"""Our XenStore held against the real one, oxenstored in the lab's dom0."""

import pytest

from tests.pvdrivers.xenstore.test_programs import DATA
from tests.xen.labs import Lab, one_xen

pytestmark = pytest.mark.lab


@one_xen
@pytest.mark.parametrize(("name", "recorded"), [("commands", "commands"), ("differing", "differing-oxenstored")])
def test_the_recordings_are_what_oxenstored_says(lab: Lab, name: str, recorded: str) -> None:
    assert "oxenstored" in lab.run("ps", "ax")
    printed = lab.run("sh", "-c", (DATA / "run.sh").read_text(), input=(DATA / f"{name}.txt").read_bytes())
    assert printed.split("\n$ ") == (DATA / f"{recorded}.out").read_text().strip().split("\n$ ")
