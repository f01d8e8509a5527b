"""What ``xentool store watch`` waits for."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from xentool.tools.store.follow import Condition
from xentool.tools.store.values import unescaped

_values = click.option("--until", "values", multiple=True, metavar="PATH=VALUE", help="End once PATH has this value.")
_there = click.option("--until-exists", "there", multiple=True, metavar="PATH", help="End once PATH is there.")
_gone = click.option("--until-gone", "gone", multiple=True, metavar="PATH", help="End once PATH is not there.")


def until(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that end a watch; the command gets them as one list, ``until``."""

    @_values
    @_there
    @_gone
    @wraps(command)
    def waiting(*, values: tuple[str, ...], there: tuple[str, ...], gone: tuple[str, ...], **others: Any) -> None:  # noqa: ANN401 - the command's own
        wanted = [
            *map(_condition, values),
            *(Condition(path, True) for path in there),
            *(Condition(path, False) for path in gone),
        ]
        command(until=wanted, **others)

    return waiting


def _condition(word: str) -> Condition:
    path, equals, value = word.partition("=")
    if not equals:
        raise click.BadParameter(f"{word!r} is no PATH=VALUE; --until-exists waits for a node", param_hint="--until")
    return Condition(path, True, unescaped(value.encode("utf-8", "surrogateescape")))
