"""The stats model from xl and dom0's sysfs. Reading is one script in dom0; parsing is pure.

Ref: tools/xl/xl_info.c, tools/xl/xl_vcpu.c, and tools/libxl/xl_cmdimpl.c before 4.10; 4.2 to 4.21; Linux
drivers/block/xen-blkback/xenbus.c and drivers/net/xen-netback (counters)
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from typing import Any

from xentool.errors import PeerError
from xentool.hosts import Host
from xentool.tools import vdev, xl
from xentool.tools.inspect import Inspected, inspect
from xentool.tools.stats import Block, Domain, Machine, Net, Sample, State, Vcpu, VcpuState

# "%-32s %5u %5u" and "%5u %3c%c- " or "%5c %3c%cp ", "%9.1f  ", affinities: name, domid, vcpu, pcpu, state, seconds.
# Before 4.5 there is one affinity; all pCPUs were called "any cpu" until 4.3.
_VCPU = re.compile(
    r".*? +(?P<domid>\d+) +(?P<vcpu>\d+) +(?P<pcpu>\d+|-) +(?P<state>[rb-][b-][p-]) +(?P<seconds>[\d.]+) +"
    r"(?P<hard>any cpu|\S+)(?: / (?P<soft>\S+))?"
)
_BACKEND = re.compile(r"(?P<kind>vbd|qdisk|tap|vif)-(?P<domid>\d+)-(?P<devid>\d+)")
_COUNTER = re.compile(r"(?P<backend>[^/]+)/(?:net/[^/]+/)?statistics/(?P<counter>\w+):(?P<value>\d+)")
# shutdown_reason_letters in xl_info.c; "-" is a poweroff.
_REASONS: dict[str, State] = {"r": "rebooting", "s": "suspended", "c": "crashed", "w": "crashed", "S": "rebooting"}
# Without a limit a domain may have 2^32 - 1 pages of 4 KiB.
_NO_LIMIT_KIB = 0xFFFFFFFF * 4
_SECTOR = 512
_BUILD = ("xen_changeset", "build_id", "cc_compiler", "cc_compile_by", "cc_compile_domain", "cc_compile_date")

# The binding that comes with Xen's tools knows nanoseconds. Until here a busy dom0 may have taken seconds, another time
# others: what is measured in nanoseconds has a time of its own.
_EXACT = """
import glob, sys
sys.path += glob.glob("/usr/lib*/xen*/lib/python")
from xen.lowlevel.xc import xc
domains = xc().domain_getinfo()
print("at", open("/proc/uptime").read().split()[0])
for domain in domains:
    print(domain["domid"], domain["cpu_time"])
"""


class XlToolstack:
    """What xl says on a host."""

    def __init__(self, host: Host) -> None:
        self.name = host.name
        self._host = host

    def sample(self, *, details: bool = True) -> Sample:
        """Return all domains, by rising domid.

        :param details: also what changes rarely and takes longer to ask for: types, limits, and each vCPU
        :raises XentoolError: xl failed
        :raises PeerError: it printed what this program can't read
        """
        script = files(__package__).joinpath("xl_stats.sh").read_text()
        words = ["sh", "-c", script, "sh", _EXACT, "all" if details else ""]
        return parse(self._host.run(words, timeout=xl.TIMEOUT).stdout.decode(errors="replace"))

    def devices(self, domid: int) -> tuple[Inspected, ...]:
        """Return the PV devices of which a domain has an end (see `inspect`)."""
        return inspect(self._host, domid).devices

    def machine(self) -> Machine:
        """Return what Xen says about the machine."""
        return parse_machine(self._host.run(["xl", "info"], timeout=xl.TIMEOUT).stdout.decode(errors="replace"))

    def close(self) -> None:
        """End the connection to the host."""
        self._host.close()


def parse(text: str) -> Sample:
    """Read what ``xl_stats.sh`` prints.

    :raises PeerError: that is something else
    """
    parts = text.split("\f")
    if len(parts) != 7:
        raise PeerError(f"the domains' statistics have {len(parts)} parts instead of 7")
    uptime, table, exact, configurations, vcpus, backends, counters = parts
    try:
        exact_values = dict(line.split() for line in exact.splitlines())
        seconds = float(exact_values.pop("at", "") or uptime.split()[0])
        exact_ns = {int(domid): int(ns) for domid, ns in exact_values.items()}
        details = xl.parse_configurations(configurations)
        blocks, nets = _devices(backends, counters)
        each_vcpu = _vcpus(vcpus)
        domains = tuple(
            replace(
                _domain(row, details.get(row.domid)),
                cpu_seconds=exact_ns[row.domid] / 1e9 if row.domid in exact_ns else row.seconds,
                each_vcpu=tuple(each_vcpu[row.domid]),
                blocks=tuple(blocks[row.domid]),
                nets=tuple(nets[row.domid]),
            )
            for row in xl.parse_table(table)
        )
        return Sample(seconds, domains)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise PeerError(f"xl printed what this program cannot read: {error}") from error


def _domain(row: xl.Row, config: dict[str, Any] | None) -> Domain:
    creation, build = (config["c_info"], config["b_info"]) if config else ({}, {})
    limit = build.get("max_memkb")
    return Domain(
        domid=row.domid,
        name=row.name,
        state=_state(row.flags),
        uuid=creation.get("uuid"),
        type=xl.domain_type(config) if config else None,
        vcpus=row.vcpus,
        max_vcpus=build.get("max_vcpus"),
        memory_bytes=row.mib << 20,
        max_memory_bytes=None if limit is None or limit >= _NO_LIMIT_KIB else limit << 10,
    )


def _state(flags: str) -> State:
    running, blocked, paused, shutdown, reason, dying = (flag != "-" for flag in flags)
    if dying:
        return "dying"
    if shutdown:
        return _REASONS.get(flags[4], "unknown") if reason else "shutdown"
    if paused:
        return "paused"
    return "running" if running else "blocked" if blocked else "runnable"


def _vcpus(listing: str) -> dict[int, list[Vcpu]]:
    found = defaultdict(list)
    heading, *lines = listing.splitlines() or [""]
    if lines and not heading.startswith("Name"):
        raise ValueError(f"{heading!r:.100} heads xl vcpu-list")
    for line in lines:
        row = _VCPU.fullmatch(line.rstrip())
        if row is None:
            raise ValueError(f"{line!r} in xl vcpu-list")
        pcpu = None if row["pcpu"] == "-" else int(row["pcpu"])
        hard = "all" if row["hard"] == "any cpu" else row["hard"]
        vcpu = Vcpu(int(row["vcpu"]), _vcpu_state(row["state"]), pcpu, float(row["seconds"]), hard, row["soft"])
        found[int(row["domid"])].append(vcpu)
    return found


def _vcpu_state(flags: str) -> VcpuState:
    if flags[2] == "p":
        return "offline"
    return "running" if flags[0] == "r" else "blocked" if flags[1] == "b" else "runnable"


def _devices(backends: str, counters: str) -> tuple[dict[int, list[Block]], dict[int, list[Net]]]:
    values: dict[str, dict[str, int]] = defaultdict(dict)
    for match in filter(None, map(_COUNTER.fullmatch, counters.splitlines())):
        values[match["backend"]][match["counter"]] = int(match["value"])
    blocks, nets = defaultdict(list), defaultdict(list)
    for match in filter(None, map(_BACKEND.fullmatch, backends.splitlines())):
        domid, devid, of = int(match["domid"]), int(match["devid"]), values[match[0]].get
        if match["kind"] == "vif":
            nets[domid].append(_net(f"vif{devid}", of))
        else:
            blocks[domid].append(_block(vdev.name(devid), of))
    return blocks, nets


def _block(name: str, of: Callable[[str], int | None]) -> Block:
    sectors_read, sectors_written = of("rd_sect"), of("wr_sect")
    return Block(
        device=name,
        reads=of("rd_req"),
        read_bytes=None if sectors_read is None else sectors_read * _SECTOR,
        writes=of("wr_req"),
        written_bytes=None if sectors_written is None else sectors_written * _SECTOR,
        flushes=of("f_req"),
        out_of_requests=of("oo_req"),
    )


def _net(name: str, of: Callable[[str], int | None]) -> Net:
    # What dom0's end of the wire receives is what the guest sent.
    return Net(
        device=name,
        received_bytes=of("tx_bytes"),
        received_packets=of("tx_packets"),
        received_errors=of("tx_errors"),
        received_dropped=of("tx_dropped"),
        sent_bytes=of("rx_bytes"),
        sent_packets=of("rx_packets"),
        sent_errors=of("rx_errors"),
        sent_dropped=of("rx_dropped"),
    )


def parse_machine(text: str) -> Machine:
    """Read what ``xl info`` prints; without privilege it leaves out much.

    :raises PeerError: it says no version, or a number is none
    """
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}

    def number(key: str, unit: int = 1) -> int | None:
        return int(values[key]) * unit if key in values else None

    try:
        return Machine(
            name=values["host"],
            hypervisor="Xen",
            version=xl.xen_version(values),
            kernel=values.get("release"),
            machine=values.get("machine"),
            pcpus=number("nr_cpus"),
            nodes=number("nr_nodes"),
            cores_per_socket=number("cores_per_socket"),
            threads_per_core=number("threads_per_core"),
            hz=float(values["cpu_mhz"]) * 1e6 if "cpu_mhz" in values else None,
            memory_bytes=number("total_memory", 1 << 20),
            free_bytes=number("free_memory", 1 << 20),
            scheduler=values.get("xen_scheduler"),
            guests=tuple(values.get("xen_caps", "").split()),
            virtualization=tuple(values.get("virt_caps", "").split()),
            command_line=values.get("xen_commandline"),
            build={key: values[key] for key in _BUILD if values.get(key)},
        )
    except (KeyError, ValueError) as error:
        raise PeerError(f"xl info printed what this program cannot read: {error}") from error
