"""``xentool store watch``."""

import json
import sys
import time
from itertools import islice

import click

from xentool import output
from xentool.cli.common import completing
from xentool.cli.common.numbers import Number
from xentool.cli.store import conditions, options, text
from xentool.tools.store import opened
from xentool.tools.store.document import change_object
from xentool.tools.store.follow import Condition, follow
from xentool.tools.store.nodes import Unlisted


@click.command()
@options.where_alone
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@options.wide
@options.levels
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="End after N changes.")
@conditions.until
@click.option(
    "--timeout",
    type=Number(0),
    metavar="SECONDS",
    help="End after so long; with status 1, if --until's were not met.",
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=completing.paths)
def command(
    where: str | None,
    as_json: bool,
    wide: bool,
    levels: int | None,
    number: int | None,
    until: list[Condition],
    timeout: float | None,
    paths: tuple[str, ...],
) -> None:
    """Tell what changes at and under each PATH, from now on until Ctrl-C.

    A line has the time when it was seen, + for a node that is new, - for one gone, ~ for another value or permissions,
    = for a write that changed nothing; then the old and new value. @introduceDomain and @releaseDomain tell of domains
    that come and go.

    --until, --until-exists and --until-gone wait: it ends once all of them hold at the same time.
    """
    if not (paths or until):
        raise click.UsageError("give a PATH, or something to wait for")
    unlisted = _Told()
    with opened(where) as client:
        if sys.stderr.isatty():
            output.say(
                f"watching {' '.join(paths) or 'what is waited for'}: changes are told as they come; Ctrl-C ends"
            )
        seen = islice(follow(client, paths, until=until, timeout=timeout, levels=levels, unlisted=unlisted), number)
        if as_json:
            for change in seen:
                click.echo(json.dumps({"time": time.time(), **change_object(change)}))
        else:
            text.show(text.stamped(seen), wide=wide)
    if unlisted:
        click.get_current_context().exit(1)


class _Told(list[Unlisted]):
    # Told as soon as it is known, since the end may be far.

    def append(self, each: Unlisted) -> None:
        if each not in self:
            output.say(f"cannot list {each.path}: {each.why}; only what changes under it is told")
            super().append(each)
