"""Options that several commands share, so that they are spelled and explained one way."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from xentool.cli.common import completing
from xentool.cli.common.numbers import HZ_MAX, TRACE_SECONDS_MAX, Number

if TYPE_CHECKING:
    from xentool.hosts import Host
    from xentool.tools.domains.toolstack import Toolstack

Command = TypeVar("Command", bound=Callable[..., object])

_DOMID_DIGITS = 5
_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def seconds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Read a duration with its unit, as in 1.5ms or 250us, for an option; seconds where it has none."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+) ?([a-zµ]*)", value)
    if match is None or match[2] not in _UNITS:
        raise click.BadParameter(f"{value!r} is no duration; give one as in 250us, 1.5ms or 2s")
    found = float(match[1]) * _UNITS[match[2]]
    if found > TRACE_SECONDS_MAX:
        raise click.BadParameter(f"{value[:40]!r} is longer than anything takes, {TRACE_SECONDS_MAX:.0f} s")
    return found


def _version(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    from traces.xen.formats.event import release  # noqa: PLC0415 - most commands that have options need it not

    if value is not None and release(value) is None:
        raise click.BadParameter(f"{value!r} is no version of Xen; give one as in 4.17")
    return value


def _named(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[int, str], ...]:
    return named(values)


def named(values: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Read what --name was given: numbers of domains, and what they are called.

    :raises click.BadParameter: it is no DOMID=NAME
    """
    found = []
    for value in values:
        domid, _, name = value.partition("=")
        if not (domid.isascii() and domid.isdigit() and len(domid) <= _DOMID_DIGITS and name):
            raise click.BadParameter(f"{value!r} is no DOMID=NAME, as in 1=web")
        # Of arguments that are no text, Python keeps the bytes as halves of characters, which no document may hold.
        if any("\ud800" <= each <= "\udfff" for each in name):
            raise click.BadParameter(f"{value!r} is not written in this terminal's character set")
        found.append((int(domid), name))
    return tuple(found)


names = click.option(
    "--name",
    "names",
    multiple=True,
    callback=_named,
    metavar="DOMID=NAME",
    help="What a domain is called, as in 1=web, where the trace does not tell; may be repeated.",
)
duration = click.option(
    "-d",
    "--duration",
    type=Number(0, least_open=True),
    metavar="SECONDS",
    help="Stop after so long.  [default: at Ctrl-C]",
)
buffer_pages = click.option(
    "--buffer-pages",
    type=click.IntRange(1, 65535),
    default=1024,
    show_default=True,
    help="4 KiB pages of buffer per CPU; Xen keeps the first size set since it booted.",
)
hz = click.option(
    "--hz", type=Number(1, HZ_MAX), help="The clock's rate, cycles per second.  [default: found in the trace]"
)
xen_version = click.option(
    "--xen-version",
    metavar="VERSION",
    callback=_version,
    help="The Xen that made the trace, as in 4.17: releases differ in what they record.  [default: what `xentool "
    "record` noted]",
)
vendor = click.option(
    "--vendor",
    type=click.Choice(["intel", "amd"]),
    help="Whose processors made the trace, by which VM exits have their names.  [default: found in the trace]",
)
where_alone = click.option(
    "-H",
    "--host",
    "where",
    metavar="HOST",
    shell_complete=completing.hosts,
    help="Where dom0 is: local, ssh://[user@]host[:port], lab, lab:NAME, or a name of `xentool host list`.  "
    "[default: $XENTOOL_HOST, the host in use, this dom0, a running lab]",
)


def _patience(_context: click.Context, _parameter: click.Parameter, value: float | None) -> None:
    from xentool.hosts import waiting  # noqa: PLC0415 - most commands that have options need it not

    waiting.choose(value)


patience = click.option(
    "--timeout",
    type=Number(0, least_open=True),
    metavar="SECONDS",
    expose_value=False,
    callback=_patience,
    help="How long dom0 may take for each thing asked of it.  [default: $XENTOOL_TIMEOUT, without end on a terminal, "
    "300 elsewhere]",
)


def where(command: Command) -> Command:
    """Add --host, and --timeout for what is asked there."""
    return where_alone(patience(command))


def elsewhere(command: Command) -> Command:
    """Add --host for what is about this machine, a dom0 or not, unless it is given; and --timeout."""
    return _elsewhere(patience(command))


_elsewhere = click.option(
    "-H",
    "--host",
    "where",
    metavar="HOST",
    shell_complete=completing.hosts,
    help="Another machine: ssh://[user@]host[:port], lab, lab:NAME, or a name of `xentool host list`.  "
    "[default: this one]",
)


connect = click.option(
    "-c",
    "--connect",
    "uri",
    metavar="URI",
    help="Ask libvirt instead of xl: xen:///system, qemu:///system, lxc:///, test:///default, ...",
)


_TWO_HOSTS = "a libvirt URI names its own host: give --connect or --host"


def toolstack(where: str | None, uri: str | None, *, traced: bool = False) -> "Toolstack":
    """Connect to what --host or --connect names; traced, it counts hypercalls too."""
    from xentool.tools.domains.toolstack import connect  # noqa: PLC0415 - most commands that have options need it not

    if where and uri:
        raise click.UsageError(_TWO_HOSTS)
    if uri and traced:
        raise click.UsageError("libvirt does not trace: --hypercalls needs xl")
    return connect(where, uri, traced=traced)


def tracing(where: str | None, uri: str | None) -> "Host":
    """Find the host to trace, a dom0 or a KVM host.

    :raises click.UsageError: both --host and --connect are given
    :raises XentoolError: there is none
    """
    from xentool.hosts.resolve import of_uri, resolve  # noqa: PLC0415 - most commands that have options need it not

    if where and uri:
        raise click.UsageError(_TWO_HOSTS)
    return of_uri(uri) if uri else resolve(where, kvm=True)


def called(uri: str | None, domain: str) -> str:
    """Give the name by which a host knows a domain, which libvirt, where it is asked, knows by its own number, too.

    :raises XentoolError: libvirt has no such domain
    """
    if uri is None:
        return domain
    from contextlib import closing  # noqa: PLC0415 - most commands that have options need it not

    from xentool.tools import xl  # noqa: PLC0415 - see above

    with closing(toolstack(None, uri)) as asked:
        return xl.choose(asked.sample(details=False).domains, domain).name or domain


dry_run = click.option("--dry-run", is_flag=True, help="Print xl's command, change nothing.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print data as JSON.")
