"""Who does the work: the options that all of these commands take, what is said of it, and how they end."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from traces.analyses.fleet.took import Took
from traces.plural import plural
from xentool import output
from xentool.cli.commands import INTERRUPTED
from xentool.cli.common.numbers import Number
from xentool.errors import XentoolError
from xentool.tools.fleet.engine import Engine
from xentool.tools.fleet.patient import LIMIT_S

_Command = TypeVar("_Command", bound=Callable[..., Any])
_WORKERS_MAX = 1024


def on_workers(command: _Command) -> _Command:
    """Add --scheduler, --workers and --timeout."""

    def check(context: click.Context, _parameter: click.Parameter, value: int | None) -> int | None:
        if value is not None and context.params.get("scheduler") is not None:
            raise click.UsageError("--workers are started here, and --scheduler has its own; give one of them")
        return value

    workers = click.option(
        "--workers",
        type=click.IntRange(1, _WORKERS_MAX),
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
    limit = click.option(
        "--timeout",
        "limit_s",
        type=Number(0.001),
        default=LIMIT_S,
        metavar="SECONDS",
        help=f"For how long a store may send nothing.  [default: {LIMIT_S:g}]",
    )
    return scheduler(workers(limit(command)))


def tell(engine: Engine) -> None:
    """Say where the work can be watched."""
    if engine.dashboard:
        output.say(f"watch it at {engine.dashboard}")


def end(took: Took, failed: int) -> None:
    """End a command that has told what it found.

    :raises XentoolError: so many captures failed
    """
    if took.interrupted:
        click.get_current_context().exit(INTERRUPTED)
    if failed:
        raise XentoolError(f"{plural(failed, 'capture')} failed, or damaged: they are listed above")
