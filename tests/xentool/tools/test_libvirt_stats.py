"""libvirt's test driver, which needs no daemon, as virsh sees it too; and the ways of Xen's driver, as it was seen."""

import subprocess
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import libvirt
import pytest

from xentool.errors import Unavailable
from xentool.tools.domains.libvirt_stats import LibvirtToolstack
from xentool.tools.domains.stats import Block, Domain, Net, Vcpu

URI = "test:///default"
#: What libvirt 9.0 gave in a dom0 of Xen 4.17, without what nobody reads.
XEN_XML = """
<domain type='xen' id='2'>
  <os><type arch='x86_64'>linux</type></os>
  <devices>
    <disk type='file' device='disk'><driver name='phy' type='raw'/><target dev='xvda' bus='xen'/></disk>
    <interface type='bridge'><source bridge='xentool0'/><target dev='vif2.0'/></interface>
  </devices>
</domain>
"""


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


def lacking(*_: object) -> None:
    raise libvirt.libvirtError("this function is not supported by the connection driver")


def on_xen(**functions: Callable[..., object]) -> SimpleNamespace:
    told: dict[str, object] = {
        "ID": 2,
        "name": "virtual",
        "UUIDString": "eeeba17a-b32d-458d-9809-933491f80e58",
        "XMLDesc": XEN_XML,
        "info": [1, 131072, 131072, 2, 10654893144],
        "maxVcpus": 2,
        "getCPUStats": [{"cpu_time": 8500000000}, {"cpu_time": 2154893144}],
        "interfaceStats": (806, 9, 0, 0, 592, 8, 0, 1),
    }
    # A default, since a lambda sees the loop's last value.
    answers = {name: lambda *_, value=value: value for name, value in told.items()}
    return SimpleNamespace(**{**answers, "vcpus": lacking, "blockStatsFlags": lacking, **functions})


def sampled(toolstack: LibvirtToolstack, made: SimpleNamespace) -> Domain:
    toolstack._connection = SimpleNamespace(listAllDomains=lambda: [made], close=toolstack._connection.close)
    return domain(toolstack)


def test_xens_driver_tells_vcpus_and_devices_in_its_own_way(toolstack: LibvirtToolstack) -> None:
    counters = {
        "wr_bytes": 2260992,
        "wr_operations": 552,
        "rd_bytes": 4534272,
        "rd_operations": 279,
        "flush_operations": 3,
        "errs": 1,
    }
    found = sampled(toolstack, on_xen(blockStatsFlags=lambda _: counters))
    assert (found.domid, found.type, found.state, found.vcpus) == (2, "pv", "running", 2)
    assert found.each_vcpu == (Vcpu(0, "unknown", cpu_seconds=8.5), Vcpu(1, "unknown", cpu_seconds=2.154893144))
    assert found.blocks == (Block("xvda", 279, 4534272, 552, 2260992, flushes=3, out_of_requests=1),)
    assert found.nets == (Net("vif0", 806, 9, 0, 0, 592, 8, 0, 1),)


def test_a_counter_that_xens_driver_lacks_is_none(toolstack: LibvirtToolstack) -> None:
    # As for a disk that QEMU serves.
    found = sampled(toolstack, on_xen(blockStats=lacking, interfaceStats=lacking, getCPUStats=lacking))
    assert (found.blocks, found.nets, found.each_vcpu) == ((Block("xvda"),), (Net("vif0"),), ())


def test_xens_version_is_told_as_far_as_its_driver_knows_it(toolstack: LibvirtToolstack) -> None:
    toolstack._connection = SimpleNamespace(
        getInfo=lambda: ["x86_64", 3071, 2, 2596, 1, 1, 2, 1],
        getType=lambda: "Xen",
        getVersion=lambda: 4017000,
        getCapabilities=lacking,
        getHostname=lambda: "dom0",
        getFreeMemory=lambda: 1898225664,
        close=toolstack._connection.close,
    )
    assert toolstack.machine().version == "4.17"


def test_a_driver_without_a_daemon_is_said() -> None:
    with pytest.raises(Unavailable, match="cannot connect to libvirt at nosuch:///"):
        LibvirtToolstack("nosuch:///")
