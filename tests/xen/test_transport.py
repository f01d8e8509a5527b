"""The Xen transport in a real dom0: the contract of all transports, and nothing left behind."""

import re
from pathlib import Path

import pytest

from tests.pvdrivers.transport import contract
from tests.xen.labs import HUNG, Lab, eventually
from xentool.hosts import resolve

pytestmark = pytest.mark.lab


def channels(lab: Lab) -> list[str]:
    """List dom0's channels to itself, bound or not; guests that come and go have others."""
    said = lab.run("sh", "-c", "/usr/lib/xen-*/bin/lsevtchn 0")
    return [line for line in said.splitlines() if re.search(r"[Dd]omain 0\b", line)]


def granted(lab: Lab) -> list[int]:
    """Give dom0's own grants that are in use."""
    return [grant.gref for grant in lab.survey().tables[0].grants]


def test_the_contract_of_all_transports(lab: Lab) -> None:
    before = channels(lab)
    assert granted(lab) == []
    host = resolve(lab.host)
    done = host.run(["python3", "-"], input=Path(contract.__file__).read_bytes(), check=False, timeout=HUNG)
    report = done.stdout.decode()
    assert re.findall(r"^ok \d+ - (\w+)", report, re.MULTILINE) == [case.__name__ for case in contract.CASES], report
    assert done.returncode == 0
    assert eventually(lambda: (channels(lab), granted(lab)) == (before, []))
    complaints = re.findall(r"g\.e\. still in use|WARNING|BUG|Oops|deferring", lab.run("dmesg"))
    assert complaints == []
    host.close()
