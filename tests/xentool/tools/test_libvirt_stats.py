"""libvirt's test driver, which needs no daemon, as virsh sees it too."""

import subprocess
from collections.abc import Iterator

import libvirt
import pytest

from xentool.errors import Unavailable
from xentool.tools.libvirt_stats import LibvirtToolstack
from xentool.tools.stats import Domain

URI = "test:///default"


@pytest.fixture
def toolstack() -> Iterator[LibvirtToolstack]:
    connected = LibvirtToolstack(URI)
    yield connected
    connected.close()


def virsh(*words: str) -> dict[str, str]:
    done = subprocess.run(["virsh", "-c", URI, *words], capture_output=True, text=True, check=True)
    pairs = (line.partition(":") if ":" in line else line.rpartition(" ") for line in done.stdout.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def domain(toolstack: LibvirtToolstack) -> Domain:
    (only,) = toolstack.sample().domains
    return only


def test_the_domain_is_virshs(toolstack: LibvirtToolstack) -> None:
    found, theirs = domain(toolstack), virsh("dominfo", "test")
    assert (str(found.domid), found.name, found.uuid) == (theirs["Id"], theirs["Name"], theirs["UUID"])
    assert (found.state, str(found.vcpus)) == (theirs["State"], theirs["CPU(s)"])
    assert found.max_memory_bytes == int(theirs["Max memory"].split()[0]) * 1024
    assert found.memory_bytes == int(theirs["Used memory"].split()[0]) * 1024
    assert found.type == "test"
    assert found.cpu_seconds is not None


def test_counters_are_where_virsh_has_them(toolstack: LibvirtToolstack) -> None:
    # They are synthetic and grow with the clock: this is of their order, and of which is which.
    found = domain(toolstack)
    theirs = {key.partition(" ")[2]: int(value) for key, value in virsh("domblkstat", "test", "vda").items() if key}
    (block,) = found.blocks
    assert block.device == "vda"
    assert (block.reads, block.read_bytes, block.writes, block.written_bytes) == pytest.approx(
        (theirs["rd_req"], theirs["rd_bytes"], theirs["wr_req"], theirs["wr_bytes"]), rel=1e-3
    )
    assert (block.flushes, block.out_of_requests) == (None, None)
    theirs = {key.partition(" ")[2]: int(value) for key, value in virsh("domifstat", "test", "testnet0").items() if key}
    (net,) = found.nets
    assert (net.received_bytes, net.received_packets, net.received_errors, net.received_dropped) == pytest.approx(
        tuple(theirs[f"rx_{what}"] for what in ("bytes", "packets", "errs", "drop")), rel=1e-3
    )
    assert (net.sent_bytes, net.sent_packets, net.sent_errors, net.sent_dropped) == pytest.approx(
        tuple(theirs[f"tx_{what}"] for what in ("bytes", "packets", "errs", "drop")), rel=1e-3
    )


def test_vcpus_and_no_details(toolstack: LibvirtToolstack) -> None:
    assert [(vcpu.vcpu, vcpu.state, vcpu.hard_affinity) for vcpu in domain(toolstack).each_vcpu] == [
        (0, "running", "all"),
        (1, "running", "all"),
    ]
    assert toolstack.sample(details=False).domains[0].each_vcpu == ()


def test_the_machine_is_virshs(toolstack: LibvirtToolstack) -> None:
    machine, theirs = toolstack.machine(), virsh("nodeinfo")
    assert (machine.hypervisor, machine.machine) == ("TEST", theirs["CPU model"])
    assert (str(machine.pcpus), str(machine.nodes)) == (theirs["CPU(s)"], theirs["NUMA cell(s)"])
    assert machine.hz == int(theirs["CPU frequency"].split()[0]) * 1e6
    assert machine.memory_bytes == int(theirs["Memory size"].split()[0]) * 1024
    assert machine.guests == ("hvm i686", "xen i686")
    assert (machine.scheduler, machine.kernel) == (None, None)


@pytest.mark.parametrize(
    ("change", "state", "domid"),
    [("suspend", "paused", 1), ("destroy", "off", None), ("shutdown", "off", None)],
)
def test_states(toolstack: LibvirtToolstack, change: str, state: str, domid: int | None) -> None:
    # The driver's domains belong to a connection; a change needs one that may write.
    toolstack._connection = libvirt.open(URI)
    getattr(toolstack._connection.lookupByName("test"), change)()
    found = domain(toolstack)
    assert (found.state, found.domid) == (state, domid)
    assert (found.cpu_seconds is None, found.memory_bytes is None) == (domid is None, domid is None)


def test_a_driver_without_a_daemon_is_said() -> None:
    with pytest.raises(Unavailable, match="cannot connect to libvirt at nosuch:///"):
        LibvirtToolstack("nosuch:///")
