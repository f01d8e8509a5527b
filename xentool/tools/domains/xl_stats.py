"""The stats model from xl and dom0's sysfs. Reading is one script in dom0; parsing is pure.

Ref: tools/xl/xl_info.c, tools/xl/xl_vcpu.c, and tools/libxl/xl_cmdimpl.c before 4.10; 4.2 to 4.21; Linux
drivers/block/xen-blkback/xenbus.c and drivers/net/xen-netback (counters)
"""

import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.resources import files
from typing import Any

from pvdrivers.xenstore.client import Client, XenStoreError
from xentool.errors import PeerError, Unavailable, XentoolError
from xentool.hosts import Host
from xentool.tools import store, xl
from xentool.tools.devices import kinds, pci, vdev
from xentool.tools.devices.backends import Backend, counted, listed, merged
from xentool.tools.devices.inspect import Inspected, inspect
from xentool.tools.domains.stats import Block, Domain, Machine, Net, Sample, State, Vcpu, VcpuState
from xentool.tools.store.nodes import Unlisted

# "%-32s %5u %5u" and "%5u %3c%c- " or "%5c %3c%cp ", "%9.1f  ", affinities: name, domid, vcpu, pcpu, state, seconds.
# Before 4.5 there is one affinity; all pCPUs were called "any cpu" until 4.3.
_VCPU = re.compile(
    r".*? +(?P<domid>\d+) +(?P<vcpu>\d+) +(?P<pcpu>\d+|-) +(?P<state>[rb-][b-][p-]) +(?P<seconds>[\d.]+) +"
    r"(?P<hard>any cpu|\S+)(?: / (?P<soft>\S+))?"
)
# Linux makes a device on this bus for each directory of backend/, whatever its kind.
_BACKEND = re.compile(r"(?P<kind>[\w-]+)-(?P<domid>\d+)-(?P<devid>\d+)", re.ASCII)
#: What tapback counts. Ref: tools/libs/stat/xenstat_priv.h, struct vbd3_stats, as eight-byte words
_VBD3 = re.compile(r"vbd-(?P<domid>\d+)-(?P<devid>\d+)(?P<words>(?: \d+){10,12})", re.ASCII)
_VBD3_VERSION = 1
_VBD3_WORDS = {"oo_req": 1, "rd_req": 2, "rd_sect": 4, "wr_req": 6, "wr_sect": 8}
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
xen = xc()
domains = xen.domain_getinfo()
at = open("/proc/uptime").read().split()[0]
vcpus = {}
for domain in domains if sys.argv[1] else ():
    for vcpu in range(domain["max_vcpu_id"] + 1):
        try:
            vcpus[domain["domid"], vcpu] = xen.vcpu_getinfo(domain["domid"], vcpu)
        except Exception:  # xc's own error, or a domain that has gone: it is told without this vCPU
            pass
print("at", at)
for domain in domains:
    print(domain["domid"], domain["cpu_time"])
for (domid, vcpu), told in vcpus.items():
    print("vcpu", domid, vcpu, *(told[key] for key in ("online", "running", "blocked", "cpu", "cpu_time")))
"""


class XlToolstack:
    """What xl says on a host."""

    def __init__(self, host: Host) -> None:
        self.name = host.name
        #: What of XenStore could not be read by now.
        self.unlisted: list[Unlisted] = []
        self._host = host
        self._store: Client | None = None
        self._asked = False
        self._backends: list[Backend] = []
        self._of: object = None

    def sample(self, *, details: bool = True) -> Sample:
        """Return all domains, by rising domid.

        :param details: also what changes rarely and takes longer to ask for: types, limits, and each vCPU
        :raises XentoolError: xl failed
        :raises PeerError: it printed what this program can't read
        """
        script = files(__package__).joinpath("xl_stats.sh").read_text()
        words = ["sh", "-c", script, "sh", _EXACT, "all" if details else ""]
        sample = parse(self._host.run(words).stdout.decode(errors="replace"))
        try:
            return self._with_backends(sample)
        except XenStoreError as error:
            raise XentoolError(f"{self.name}: {error}") from error

    def _with_backends(self, sample: Sample) -> Sample:
        if not self._asked:
            self._asked = True
            # xl has another way to the store: what it and sysfs tell is told in any case.
            with suppress(Unavailable):
                self._store = store.connect(self._host)
        if self._store is None:
            return sample
        # Listed again when a domain or a backend in dom0 has come or gone.
        of = [
            (domain.domid, domain.name, [block.device for block in domain.blocks], [net.device for net in domain.nets])
            for domain in sample.domains
        ]
        if of != self._of:
            self._backends = listed(self._store, [domid for domid, *_ in of if domid is not None], self.unlisted)
            self._of = of
        return merged(sample, self._backends, counted(self._store, self._backends))

    def devices(self, domid: int) -> tuple[Inspected, ...]:
        """Return the PV devices of which a domain has an end (see `inspect`)."""
        found = inspect(self._host, domid)
        self.unlisted += found.unlisted
        return found.devices

    def functions(self, domid: int) -> list[pci.Function]:
        """Return the PCI functions that a domain has (see `Toolstack.functions`)."""
        return pci.of(pci.read(self._host), domid)

    def machine(self) -> Machine:
        """Return what Xen says about the machine."""
        return parse_machine(self._host.run(["xl", "info"]).stdout.decode(errors="replace"))

    def close(self) -> None:
        """End the connection to the host."""
        if self._store is not None:
            self._store.close()
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
        seconds, exact_ns, exact_vcpus = _exact(exact)
        seconds = float(uptime.split()[0]) if seconds is None else seconds
        details = xl.parse_configurations(configurations)
        blocks, nets = _devices(backends, counters)
        each_vcpu = _vcpus(vcpus)
        domains = tuple(
            replace(
                _at_once(_domain(row, details.get(row.domid)), each_vcpu[row.domid], exact_vcpus[row.domid]),
                cpu_seconds=exact_ns[row.domid] / 1e9 if row.domid in exact_ns else row.seconds,
                blocks=tuple(blocks[row.domid]),
                nets=tuple(nets[row.domid]),
            )
            for row in xl.parse_table(table)
        )
        return Sample(seconds, domains)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise PeerError(f"xl printed what this program cannot read: {error}") from error


def _exact(told: str) -> tuple[float | None, dict[int, int], dict[int, dict[int, Vcpu]]]:
    # When it was told, the CPU time of each domain in ns, and its vCPUs at the same moment.
    at, ns = None, {}
    vcpus: dict[int, dict[int, Vcpu]] = defaultdict(dict)
    for words in map(str.split, told.splitlines()):
        if words[0] == "at":
            at = float(words[1])
        elif words[0] == "vcpu":
            domid, vcpu, online, running, blocked, pcpu, spent = map(int, words[1:])
            state: VcpuState = "running" if running else "blocked" if blocked else "runnable"
            vcpus[domid][vcpu] = Vcpu(vcpu, state if online else "offline", pcpu if online else None, spent / 1e9)
        else:
            ns[int(words[0])] = int(words[1])
    return at, ns, vcpus


def _at_once(domain: Domain, listed: list[Vcpu], exact: dict[int, Vcpu]) -> Domain:
    """Give a domain its vCPUs; its own state as they have it, by Xen's rule, where both can be of one moment.

    Ref: xen/common/domctl.c, getdomaininfo()
    """
    vcpus = tuple(
        each
        if each.vcpu not in exact
        else replace(exact[each.vcpu], hard_affinity=each.hard_affinity, soft_affinity=each.soft_affinity)
        for each in listed
    )
    states = {each.state for each in vcpus} - {"offline"}
    if not exact or not states or domain.state not in ("running", "runnable", "blocked"):
        return replace(domain, each_vcpu=vcpus)
    state: State = "running" if "running" in states else "blocked" if states == {"blocked"} else "runnable"
    return replace(domain, state=state, each_vcpu=vcpus)


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
    # As of `xl list`: a name may hold what else ends a line.
    heading, *lines = listing.rstrip("\n").split("\n")
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
    for line in counters.splitlines():
        if match := _COUNTER.fullmatch(line):
            values[match["backend"]][match["counter"]] = int(match["value"])
        elif match := _VBD3.fullmatch(line):
            words = [int(word) for word in match["words"].split()]
            if words[0] & 0xFFFFFFFF == _VBD3_VERSION:
                of = values[f"vbd3-{match['domid']}-{match['devid']}"]
                of |= {name: words[at] for name, at in _VBD3_WORDS.items()}
    blocks, nets = defaultdict(list), defaultdict(list)
    for match in filter(None, map(_BACKEND.fullmatch, backends.splitlines())):
        domid, devid, get = int(match["domid"]), int(match["devid"]), values[match[0]].get
        kind = kinds.SERVES.get(match["kind"], match["kind"])
        if kind in kinds.NETS:
            nets[domid].append(_net(f"{kind}{devid}", get))
        elif kind in kinds.DISKS:
            blocks[domid].append(_block(vdev.name(devid), get))
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
