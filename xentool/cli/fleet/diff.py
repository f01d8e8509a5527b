"""``xentool fleet diff``: what differs between two groups of captures."""

import click

from traces.exporters import fleet_diff as texts
from xentool import output
from xentool.cli.common import options
from xentool.cli.fleet.workers import end, on_workers, tell
from xentool.tools.fleet.diff import differences
from xentool.tools.fleet.run import Way
from xentool.tools.outputs import orderly_end

#: No word of a command line can be this.
_BETWEEN = "\0"


class _TwoGroups(click.Command):
    """Options may stand on both sides of ``--``, which parts the groups."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words."""
        return super().parse_args(ctx, [_BETWEEN if word == "--" else word for word in args])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Say how it is used."""
        return [*super().collect_usage_pieces(ctx)[:1], "A... -- B..."]


@click.command(cls=_TwoGroups)
@click.argument("captures", nargs=-1, required=True, metavar="A... -- B...")
@on_workers
@options.as_json
def command(
    captures: tuple[str, ...], scheduler: str | None, workers: int | None, limit_s: float, as_json: bool
) -> None:
    """Tell what captures B show otherwise than captures A: before and after, this host and that.

    A and B are files, folders, patterns and URLs, as for `xentool fleet report`, with -- between them. Domains are
    matched by name. A difference is told where captures of one group do not differ as much among themselves: each
    capture counts once, and at least three are needed on either side.
    """
    if captures.count(_BETWEEN) != 1:
        raise click.UsageError("give two groups of captures, with -- between them")
    at = captures.index(_BETWEEN)
    before, after = captures[:at], captures[at + 1 :]
    if not (before and after):
        raise click.UsageError("give captures on both sides of --")
    with orderly_end(), output.progress("reading captures") as progress:
        found = differences(before, after, Way(scheduler, workers, limit_s, progress, tell))
    if as_json:
        output.write_json(texts.document(found))
    else:
        texts.write(found, output.stdout())
    end(found.took, len(found.failed))
