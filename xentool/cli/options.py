"""Options that several commands share, so that they are spelled and explained one way."""

from typing import TYPE_CHECKING

import click

from traces import filters

if TYPE_CHECKING:
    from xentool.tools.toolstack import Toolstack


def _selection(_context: click.Context, _parameter: click.Parameter, value: str) -> filters.Selection:
    try:
        return filters.select(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


#: Goes behind a command's help: what ``-e`` takes.
CLASSES = "\b\nClasses of events for -e:\n" + "\n".join(
    f"  {name:<10} {kind.meaning}" for name, kind in filters.CLASSES.items()
)

events = click.option(
    "-e",
    "--events",
    default="all",
    callback=_selection,
    metavar="CLASSES",
    help="Only these classes of events: hypercall,grant. `!` takes one away: '!sched'.",
)
duration = click.option(
    "-d",
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop after so long.  [default: at Ctrl-C]",
)
where = click.option(
    "-H",
    "--host",
    "where",
    metavar="HOST",
    help="Where dom0 is: local, ssh://[user@]host[:port], lab or lab:NAME.  "
    "[default: $XENTOOL_HOST, this dom0, a running lab]",
)
connect = click.option(
    "-c",
    "--connect",
    "uri",
    metavar="URI",
    help="Ask libvirt instead of xl: xen:///system, qemu:///system, lxc:///, test:///default, ...",
)


def toolstack(where: str | None, uri: str | None) -> "Toolstack":
    """Connect to what --host or --connect names."""
    from xentool.tools.toolstack import connect  # noqa: PLC0415 - most commands that have options need it not

    if where and uri:
        raise click.UsageError("a libvirt URI names its own host: give --connect or --host")
    return connect(where, uri)


dry_run = click.option("--dry-run", is_flag=True, help="Print xl's command, change nothing.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print data as JSON.")
