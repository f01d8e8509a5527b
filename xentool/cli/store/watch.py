"""``xentool store watch``."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import click
from rich.text import Text

from xentool import output
from xentool.cli.store import options, text
from xentool.tools.store import opened
from xentool.tools.store.changes import Change
from xentool.tools.store.document import change_object
from xentool.tools.store.follow import Condition, follow
from xentool.tools.store.nodes import Unlisted
from xentool.tools.store.values import unescaped


@click.command()
@options.where_alone
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@options.wide
@options.levels
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="End after N changes.")
@click.option("--until", "values", multiple=True, metavar="PATH=VALUE", help="End once PATH has this value.")
@click.option("--until-exists", "there", multiple=True, metavar="PATH", help="End once PATH is there.")
@click.option("--until-gone", "gone", multiple=True, metavar="PATH", help="End once PATH is not there.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="End after so long; with status 1, if --until's were not met.",
)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
def command(
    where: str | None,
    as_json: bool,
    wide: bool,
    levels: int | None,
    number: int | None,
    values: tuple[str, ...],
    there: tuple[str, ...],
    gone: tuple[str, ...],
    timeout: float | None,
    paths: tuple[str, ...],
) -> None:
    """Tell what changes at and under each PATH, from now on until Ctrl-C.

    A line has the time when it was seen, + for a node that is new, - for one gone, ~ for another value or permissions,
    = for a write that changed nothing; then the old and new value. @introduceDomain and @releaseDomain tell of domains
    that come and go.

    --until, --until-exists and --until-gone wait: it ends once all of them hold at the same time.
    """
    until = [
        *map(_condition, values),
        *(Condition(path, True) for path in there),
        *(Condition(path, False) for path in gone),
    ]
    if not (paths or until):
        raise click.UsageError("give a PATH, or something to wait for")
    unlisted = _Told()
    with opened(where) as client:
        seen = islice(follow(client, paths, until=until, timeout=timeout, levels=levels, unlisted=unlisted), number)
        if as_json:
            for change in seen:
                click.echo(json.dumps({"time": time.time(), **change_object(change)}))
        else:
            text.show(_stamped(seen), wide=wide)
    if unlisted:
        click.get_current_context().exit(1)


class _Told(list[Unlisted]):
    # Told as soon as it is known, since the end may be far.

    def append(self, each: Unlisted) -> None:
        if each not in self:
            output.say(f"cannot list {each.path}: {each.why}; only what changes under it is told")
            super().append(each)


def _condition(word: str) -> Condition:
    path, equals, value = word.partition("=")
    if not equals:
        raise click.BadParameter(f"{word!r} is no PATH=VALUE; --until-exists waits for a node", param_hint="--until")
    return Condition(path, True, unescaped(value.encode("utf-8", "surrogateescape")))


def _stamped(changes: Iterator[Change]) -> Iterator[Text]:
    for change in changes:
        now = datetime.now().astimezone()
        yield Text.assemble((f"{now:%H:%M:%S.%f} ", "dim"), text.change_line(change))
