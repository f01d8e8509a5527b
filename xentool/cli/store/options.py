"""What several of XenStore's commands take."""

import click

from xentool.cli.common import completing
from xentool.cli.common.options import Command, patience

where_alone = click.option(
    "-H",
    "--host",
    "where",
    metavar="HOST",
    shell_complete=completing.hosts,
    help="Whose store: local, ssh://[user@]host[:port], lab, lab:NAME, or a name of `xentool host list`.  "
    "[default: $XENSTORED_PATH, $XENTOOL_HOST, that of the host in use, this machine's, a running lab's]",
)


def where(command: Command) -> Command:
    """Add --host, and --timeout for what is asked there."""
    return where_alone(patience(command))


as_json = click.option("--json", "as_json", is_flag=True, help="Print data as JSON.")
paths = click.argument("paths", metavar="PATH...", nargs=-1, required=True, shell_complete=completing.paths)
dry_run = click.option("-n", "--dry-run", is_flag=True, help="Change nothing; tell what would change.")
wide = click.option("-w", "--wide", is_flag=True, help="Shorten nothing to the terminal's width.")
levels = click.option(
    "-d", "--depth", "levels", type=click.IntRange(min=0), metavar="N", help="No deeper than N levels below PATH."
)
