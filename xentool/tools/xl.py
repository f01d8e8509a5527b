"""What xl knows: the domains and the machine. Running and parsing are apart; parsing is pure.

Ref: tools/xl/xl_info.c, and tools/libxl/xl_cmdimpl.c before 4.10; 4.2 to 4.21
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from traces.meant import meant
from traces.xen.formats.exits import Vendor
from xentool.errors import PeerError, XentoolError
from xentool.hosts import Host

# "%-40s %5d %5lu %5d     %c%c%c%c%c%c  %8.1f": name (which may hold blanks), domid, MiB, vcpus, state, seconds
ROW = re.compile(
    r"(?P<name>.*?) +(?P<domid>\d+) +(?P<mib>\d+) +(?P<vcpus>\d+) +(?P<flags>[a-zA-Z?-]{6}) +(?P<seconds>[\d.]+)"
)
# "libxl: error: libxl_create.c:1640:domcreate_rebuild_done: " before the message
SOURCE = re.compile(r"\w+: error: (?:panic: )?(?:\w+\.c:\d+:(?:\w+:)? *)?")
# hw_caps are words of Xen's feature set (xen/lib/x86/cpu-policy.h): of CPUID's leaf 1 ecx, of leaf 0x80000001 ecx.
_FEATURE_WORDS = (4, 7)
_VMX_WORD, _VMX_BIT = 1, 1 << 5
_SVM_WORD, _SVM_BIT = 3, 1 << 2


@dataclass(frozen=True)
class Domain:
    """A domain.

    :param name: None when XenStore has none (a domain that is being made or is dying)
    :param type: pv, pvh or hvm; None when xl cannot tell (the domain was not made by libxl)
    :param vcpus: how many are online
    """

    domid: int
    name: str | None
    type: str | None
    vcpus: int


@dataclass(frozen=True)
class Row:
    """A line of `xl list`.

    :param flags: running, blocked, paused, shutdown, the shutdown's reason, dying; ``-`` for what is not so
    :param seconds: of CPU time, to a tenth
    """

    domid: int
    name: str | None
    mib: int
    vcpus: int
    flags: str
    seconds: float


@dataclass(frozen=True)
class HostInfo:
    """A machine under Xen.

    :param xen_version: such as 4.17.5
    :param pcpus: physical CPUs that Xen uses
    :param hz: clock rate of the time stamp counter as Xen measured it when it booted
    :param vendor: of the processors, as far as their features tell
    """

    xen_version: str
    pcpus: int
    hz: float
    vendor: Vendor | None = None


def parse_domains(table: str, configurations: str) -> list[Domain]:
    """Merge what `xl list` and `xl list --long` print; the latter leaves out domains that libxl did not make.

    :raises PeerError: that is not what xl prints
    """
    types = {domid: domain_type(config) for domid, config in parse_configurations(configurations).items()}
    return [Domain(row.domid, row.name, types.get(row.domid), row.vcpus) for row in parse_table(table)]


def parse_configurations(text: str) -> dict[int, dict[str, Any]]:
    """Read what `xl list --long` prints: configurations by domid, of the domains that libxl made.

    There are none where xl.conf has ``output_format="sxp"``, an older form.

    :raises PeerError: that is something else
    """
    if text.lstrip().startswith("("):
        return {}
    try:
        found = {entry["domid"]: entry["config"] for entry in json.loads(text or "[]")}
        for config in found.values():
            config["c_info"].get, config["b_info"].get
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PeerError(f"xl list --long printed what this program cannot read: {error}") from error
    return found


def domain_type(config: Mapping[str, Any]) -> str | None:
    """Give the type in a configuration: pv, pvh, hvm; None where it tells none."""
    creation = config["c_info"]
    # Before 4.10 PVH was a kind of PV, now called PVHv1.
    return "pvh" if creation.get("pvh") in (True, "True") else creation.get("type")


def parse_table(table: str) -> list[Row]:
    """Read what `xl list` prints.

    :raises PeerError: that is something else
    """
    rows = []
    # Only at line feeds: a name may hold what else `splitlines` takes for an end of line.
    heading, *lines = table.rstrip("\n").split("\n")
    if not heading.startswith("Name"):
        raise PeerError(f"xl list printed a heading that this program cannot read: {heading!r:.100}")
    for line in lines:
        match = ROW.fullmatch(line.rstrip())
        if match is None:
            raise PeerError(f"xl list printed a line that this program cannot read: {line!r}")
        name = match["name"].strip()
        numbers = (int(match["mib"]), int(match["vcpus"]))
        named = None if name == "(null)" else name
        rows.append(Row(int(match["domid"]), named, *numbers, match["flags"], float(match["seconds"])))
    return rows


def parse_info(text: str) -> HostInfo:
    """Read what `xl info` prints.

    :raises PeerError: a value that is needed is missing
    """
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    try:
        version, hz = xen_version(values), float(values["cpu_mhz"]) * 1e6
        return HostInfo(version, int(values["nr_cpus"]), hz, _vendor(values.get("hw_caps", ""), version))
    except (KeyError, ValueError) as error:
        raise PeerError(f"xl info printed what this program cannot read: {error}") from error


def xen_version(values: Mapping[str, str]) -> str:
    """Give Xen's version from what `xl info` told; before 4.4 that is in parts only.

    :raises KeyError: it is not there
    """
    if {"xen_major", "xen_minor"} <= values.keys() and "xen_version" not in values:
        return f"{values['xen_major']}.{values['xen_minor']}{values.get('xen_extra', '')}"
    return values["xen_version"]


def _vendor(hw_caps: str, version: str) -> Vendor | None:
    # Who virtualizes by VMX is Intel, by SVM AMD. Before 4.7 the words were others.
    from traces.xen.formats.event import release  # noqa: PLC0415 - layouts, which take long to load

    words = hw_caps.split(":")
    if (release(version) or (0, 0)) < _FEATURE_WORDS or len(words) < _SVM_WORD + 1:
        return None
    try:
        vmx, svm = int(words[_VMX_WORD], 16) & _VMX_BIT, int(words[_SVM_WORD], 16) & _SVM_BIT
    except ValueError:
        return None
    return None if bool(vmx) == bool(svm) else "intel" if vmx else "amd"


class Named(Protocol):
    """Whatever has a domain's id and name."""

    @property
    def domid(self) -> int | None: ...  # noqa: D102
    @property
    def name(self) -> str | None: ...  # noqa: D102


AnyDomain = TypeVar("AnyDomain", bound=Named)


def called(domain: Named) -> str:
    """Say what a domain is called; one that is dying may have lost its name."""
    return domain.name or f"domain {domain.domid}"


def choose(domains: Sequence[AnyDomain], text: str) -> AnyDomain:
    """Find a domain by id or, if none has that id, by name.

    :raises XentoolError: there is none; the message lists those that there are
    """
    for domain in domains:
        if text == str(domain.domid):
            return domain
    for domain in domains:
        if text == domain.name:
            return domain
    existing = ", ".join(f"{domain.name or 'unnamed'} ({domain.domid})" for domain in domains)
    near = meant(text, [domain.name for domain in domains if domain.name])
    raise XentoolError(f"there is no domain {text!r}; there are {existing or 'none at all'}{near}")


def list_domains(host: Host) -> list[Domain]:
    """Return the domains of a host, by rising domid."""
    configurations = _xl(host, "list", "--long")
    # The table second: it names a domain that came in between; the other order would type one that is gone.
    return parse_domains(_xl(host, "list"), configurations)


def rows(host: Host) -> list[Row]:
    """Return what `xl list` tells about each domain, by rising domid."""
    return parse_table(_xl(host, "list"))


def host_info(host: Host) -> HostInfo:
    """Return what Xen says about the machine."""
    return parse_info(_xl(host, "info"))


def find_domain(host: Host, text: str) -> Domain:
    """Find a domain on a host by id or name (see `choose`)."""
    return choose(list_domains(host), text)


def change(host: Host, words: Sequence[str], *, input: bytes | None = None) -> None:
    """Run a command that changes something: xl itself, or a script that runs it.

    :raises XentoolError: it failed; the message is xl's first complaint
    """
    done = host.run(words, input=input, check=False)
    if done.returncode != 0:
        raise XentoolError(f"xl refused on {host.name}: {complaint(done.stderr)}")


def complaint(stderr: bytes) -> str:
    """Pick the cause from what xl printed: libxl's first line is that, and those after it the clearing up."""
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return SOURCE.sub("", (errors or lines or ["no reason given"])[0])


def _xl(host: Host, *words: str) -> str:
    return host.run(["xl", *words]).stdout.decode(errors="replace")
