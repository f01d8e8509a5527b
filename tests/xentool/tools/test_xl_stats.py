"""The stats model from what xl and sysfs said on real Xen."""

import pytest

from tests.xentool.tools.recorded import INFO, STATS
from xentool.errors import PeerError
from xentool.tools.domains.stats import Block, Domain, Net, Vcpu
from xentool.tools.domains.xl_stats import parse, parse_machine

MIB = 1 << 20


def changed(part: int, text: str) -> str:
    """Give the recording with one of its parts replaced."""
    parts = STATS.split("\f")
    parts[part] = text
    return "\f".join(parts)


def test_the_time_is_that_of_the_exact_cpu_times() -> None:
    sample = parse(changed(2, "at 2261.07\n1 54367168338\n"))
    assert (sample.seconds, sample.domains[1].cpu_seconds) == (2261.07, 54.367168338)
    assert parse(changed(2, "")).seconds == 2258.53


def test_a_pv_and_a_pvh_guest() -> None:
    sample = parse(STATS)
    dom0, pv, pvh = sample.domains
    assert sample.seconds == 2258.53
    assert pv == Domain(
        domid=1,
        name="domU",
        state="blocked",
        uuid="eaa2a868-b1a1-44a6-bc2c-145da30c84e9",
        type="pv",
        vcpus=2,
        max_vcpus=2,
        memory_bytes=192 * MIB,
        max_memory_bytes=192 * MIB,
        cpu_seconds=54.367168338,
        each_vcpu=(Vcpu(0, "blocked", 1, 28.9, "all", "all"), Vcpu(1, "blocked", 0, 25.5, "all", "all")),
        blocks=(Block("xvda", 3, 24 * 512, 0, 0, 0, 0),),
        # The guest received what dom0's end of the wire sent.
        nets=(Net("vif0", 2582, 33, 0, 0, 880, 14, 0, 0),),
    )
    assert (pvh.type, pvh.vcpus, pvh.cpu_seconds) == ("pvh", 1, 51.457935419)
    assert (dom0.type, dom0.state, dom0.uuid, dom0.blocks) == ("pv", "running", None, ())
    assert dom0.max_memory_bytes is None  # no limit


def test_without_details_and_without_the_binding() -> None:
    parts = STATS.split("\f")
    parts[2] = parts[3] = parts[4] = ""
    dom0, pv, _ = parse("\f".join(parts)).domains
    assert (pv.type, pv.max_vcpus, pv.each_vcpu) == (None, None, ())
    assert (dom0.cpu_seconds, pv.cpu_seconds) == (765.2, 54.4)
    assert pv.nets[0].sent_packets == 14


def test_a_backend_without_counters_has_none() -> None:
    # QEMU serves qdisk, and nothing of it is in sysfs.
    pv = parse(changed(5, "qdisk-1-51728\nvif-1-0\nconsole-1-0\n")).domains[1]
    assert pv.blocks == (Block("xvdb"),)
    assert pv.blocks[0].reads is None
    assert pv.nets[0].received_bytes == 2582


@pytest.mark.parametrize(
    ("flags", "state"),
    [
        ("r-----", "running"),
        ("-b----", "blocked"),
        ("------", "runnable"),
        ("--p---", "paused"),
        ("---s--", "shutdown"),
        ("---sr-", "rebooting"),
        ("---sc-", "crashed"),
        ("---sw-", "crashed"),
        ("---ss-", "suspended"),
        ("---s?-", "unknown"),
        ("--ps-d", "dying"),
    ],
)
def test_states(flags: str, state: str) -> None:
    row = f"Name\nn                                            3   192     1     {flags}       3.2\n"
    assert parse(changed(1, row)).domains[0].state == state


def test_offline_and_pinned_vcpus() -> None:
    rows = (
        "Name\n"
        "a name 1                             1     0    1   r--      61.2  0-1,3 / 1\n"
        "(null)                               1     1    -   --p       0.0  none / all\n"
    )
    assert parse(changed(4, rows)).domains[1].each_vcpu == (
        Vcpu(0, "running", 1, 61.2, "0-1,3", "1"),
        Vcpu(1, "offline", None, 0.0, "none", "all"),
    )


@pytest.mark.parametrize(
    ("part", "text"),
    [(0, ""), (0, "x"), (1, "Name\n???\n"), (2, "1"), (3, "{"), (3, '[{"domid": 1}]'), (4, "Name\n???\n"), (6, "\f")],
)
def test_what_is_not_xls_is_said(part: int, text: str) -> None:
    with pytest.raises(PeerError):
        parse(changed(part, text))


def test_sysfs_lines_that_are_none_are_left_out() -> None:
    odd = "vbd-1-51712/statistics/rd_req:x\nvbd-1-51712/mode:w\n\nvbd-1-51712/statistics/wr_req:7\n"
    block = parse(changed(6, odd)).domains[1].blocks[0]
    assert (block.reads, block.writes) == (None, 7)


def test_the_machine() -> None:
    machine = parse_machine(INFO)
    assert (machine.name, machine.hypervisor, machine.version) == ("shared", "Xen", "4.17.7")
    assert (machine.pcpus, machine.nodes, machine.cores_per_socket, machine.threads_per_core) == (2, 1, 2, 1)
    assert (machine.memory_bytes, machine.scheduler) == (3071 * MIB, "credit2")
    assert machine.virtualization == ("pv", "hvm", "hap", "gnttab-v1", "gnttab-v2")
    assert machine.guests[0] == "xen-3.0-x86_64"
    assert machine.build
    assert "xen_changeset" not in machine.build  # Debian's has none


def test_a_machine_seen_without_privilege() -> None:
    machine = parse_machine("host : h\nrelease : 6.1\nxen_version : 4.17.7\n")
    assert (machine.kernel, machine.pcpus, machine.hz, machine.free_bytes) == ("6.1", None, None, None)
    with pytest.raises(PeerError, match="xen_version"):
        parse_machine("host : h\n")
    with pytest.raises(PeerError, match="x"):
        parse_machine("host : h\nxen_version : 4\nnr_cpus : x\n")


def test_vcpus_of_each_release() -> None:
    row = "{:<32} {:5} {:5}{:>5} {} {:9.1f}  {}\n".format
    old = "Name                                ID  VCPU   CPU State   Time(s) CPU Affinity\n"
    old += row("a 1 2", 1, 0, 3, " r--", 94.4, "any cpu") + row("a 1 2", 1, 1, 0, " -b-", 1, "0-3,8")
    old += row("a 1 2", 1, 2, "-", " --p", 0, "all") + row("(null)", 2, 0, 1, " ---", 0, "none")
    found = parse(changed(4, old)).domains
    assert found[1].each_vcpu == (
        Vcpu(0, "running", 3, 94.4, "all", None),
        Vcpu(1, "blocked", 0, 1.0, "0-3,8", None),
        Vcpu(2, "offline", None, 0.0, "all", None),
    )
    assert found[2].each_vcpu == (Vcpu(0, "runnable", 1, 0.0, "none", None),)
    with pytest.raises(PeerError, match="heads xl vcpu-list"):
        parse(changed(4, "libxl: error\n" + row("a", 1, 0, 3, " r--", 94.4, "all")))


def test_heading_and_vcpus_are_of_one_moment() -> None:
    # xl said "blocked" of both, some seconds earlier; the binding tells the domain and its vCPUs at once.
    exact = "at 2261.07\n1 60000000000\nvcpu 1 0 1 1 0 1 31000000000\nvcpu 1 1 1 0 1 0 29000000000\n"
    pv = parse(changed(2, exact)).domains[1]
    assert (pv.state, pv.cpu_seconds) == ("running", 60.0)
    assert pv.each_vcpu == (Vcpu(0, "running", 1, 31.0, "all", "all"), Vcpu(1, "blocked", 0, 29.0, "all", "all"))
    assert parse(changed(2, exact.replace(" 1 1 0 1 ", " 1 0 0 1 "))).domains[1].state == "runnable"
    assert parse(changed(2, exact.replace(" 1 1 0 1 ", " 0 0 0 1 "))).domains[1].state == "blocked"
    table = STATS.split("\f")[1].replace("-b----", "--p---")
    both = changed(1, table).split("\f")
    both[2] = exact
    assert parse("\f".join(both)).domains[1].state == "paused"


def test_tapbacks_counters() -> None:
    parts = STATS.split("\f")
    parts[5] += "vbd3-1-768\nvbd3-1-832\nudisk-1-51728\nvkbd-1-0\n"
    parts[6] += "vbd-1-768 8589934593 5 10 10 80 1 20 20 160 1 0 0\nvbd-1-832 2 5 10 10 80 1 20 20 160 1 0 0\n"
    _, pv, _ = parse("\f".join(parts)).domains
    assert pv.blocks[1:] == (
        Block("hda", 10, 80 * 512, 20, 160 * 512, None, 5),
        Block("hdb"),  # another version of them
        Block("xvdb"),
    )
