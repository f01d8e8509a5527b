"""Options that several commands share, so that they are spelled and explained one way."""

import click

duration = click.option(
    "-d",
    "--duration",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop after so long.  [default: at Ctrl-C]",
)
hz = click.option(
    "--hz", type=click.FloatRange(min=1), help="The clock's rate, cycles per second.  [default: found in the trace]"
)
where = click.option(
    "-H",
    "--host",
    "where",
    metavar="HOST",
    help="Where dom0 is: local, ssh://[user@]host[:port], lab or lab:NAME.  "
    "[default: $XENTOOL_HOST, this dom0, a running lab]",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print data as JSON.")
