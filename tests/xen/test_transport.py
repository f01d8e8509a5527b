"""The Xen transport in a real dom0: the contract of all transports, and nothing left behind."""

import re
from pathlib import Path

import pytest

from tests.pvdrivers.transport import contract
from tests.xen.labs import Lab
from xentool.hosts import resolve

pytestmark = pytest.mark.lab


def channels(lab: Lab) -> list[str]:
    """List dom0's channels to itself, bound or not; guests that come and go have others."""
    said = lab.run("sh", "-c", "/usr/lib/xen-*/bin/lsevtchn 0")
    return [line for line in said.splitlines() if re.search(r"[Dd]omain 0\b", line)]


def mapped(lab: Lab) -> str:
    """Give what the hypervisor's debug key "g" says of dom0's grants in use."""
    lab.run("xl", "debug-keys", "g")
    said = lab.run("xl", "dmesg").rpartition("gnttab_usage_print_all [ key")[2]
    (own,) = re.findall(
        r"grant-table for remote d0 .*?(?=grant-table for remote|gnttab_usage_print_all)", said, re.DOTALL
    )
    return "\n".join(line for line in own.splitlines() if "no active" in line or "[0x" in line)


def test_the_contract_of_all_transports(lab: Lab) -> None:
    before = channels(lab), mapped(lab)
    assert "no active grant table entries" in before[1]
    host = resolve(lab.host)
    done = host.run(["python3", "-"], input=Path(contract.__file__).read_bytes(), check=False, timeout=200)
    report = done.stdout.decode()
    assert re.findall(r"^ok \d+ - (\w+)", report, re.MULTILINE) == [case.__name__ for case in contract.CASES], report
    assert done.returncode == 0
    assert (channels(lab), mapped(lab)) == before
    complaints = re.findall(r"g\.e\. still in use|WARNING|BUG|Oops|deferring", lab.run("dmesg"))
    assert complaints == []
    host.close()
