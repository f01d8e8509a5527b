"""Who does the work: the options that all of these commands take, and what is said of it."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from xentool import output
from xentool.tools.fleet.engine import Engine

_Command = TypeVar("_Command", bound=Callable[..., Any])
WORKERS_MAX = 1024


def on_workers(command: _Command) -> _Command:
    """Add --scheduler and --workers."""

    def check(_context: click.Context, _parameter: click.Parameter, value: int | None) -> int | None:
        if value is not None and _context.params.get("scheduler") is not None:
            raise click.UsageError("--workers are started here, and --scheduler has its own; give one of them")
        return value

    workers = click.option(
        "--workers",
        type=click.IntRange(1, WORKERS_MAX),
        metavar="N",
        callback=check,
        help="Workers to start on this machine.  [default: one a core]",
    )
    scheduler = click.option(
        "--scheduler",
        is_eager=True,
        metavar="ADDRESS",
        help="Dask's scheduler to ask instead: tcp://HOST:PORT or tls://HOST:PORT.",
    )
    return scheduler(workers(command))


def tell(engine: Engine) -> None:
    """Say where the work can be watched."""
    if engine.dashboard:
        output.say(f"watch it at {engine.dashboard}")
