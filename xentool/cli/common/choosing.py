"""Options that choose what of a trace is wanted: the same for every command that has them."""

import math
from collections.abc import Callable
from functools import wraps
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

import click

from traces.choice import classes
from traces.choice import where as wheres
from traces.choice.where import Kinds, Where
from xentool import output
from xentool.cli.common import completing, options, pager
from xentool.cli.common.numbers import TRACE_SECONDS_MAX, Number
from xentool.tools.tracing.reports import Chosen


def _kinds(context: click.Context, _parameter: click.Parameter, value: str) -> Kinds:
    if value == "list" and not context.resilient_parsing:
        with pager.paging():
            _list()
        context.exit()
    try:
        return wheres.kinds(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _list() -> None:
    for name, names in wheres.catalogue().items():
        output.line(f"{name}: {classes.CLASSES[name].meaning}" if name else "in no class:")
        for line in wrap(" ".join(names), max(get_terminal_size().columns - 3, 20)):
            output.line(f"  {line}")


def _complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    taken = "!" * last.startswith("!")
    names = {"all", "list", *(one for name, of in wheres.catalogue().items() for one in (name, *of) if one)}
    return [f"{before}{comma}{taken}{name}" for name in sorted(names) if name.startswith(last[len(taken) :])]


#: Goes behind a command's help: what ``-e`` takes, the same everywhere.
CLASSES = "\b\nClasses of events for -e, which also takes names that `xentool dump` shows:\n" + "\n".join(
    f"  {name:<10} {kind.meaning}" for name, kind in classes.CLASSES.items()
)

events = click.option(
    "-e",
    "--events",
    "kinds",
    default="all",
    callback=_kinds,
    metavar="NAMES",
    shell_complete=_complete,
    help="Only these: classes, events or hypercalls, as in grant,sched_switch,iret; `list` names all. `!` takes away: "
    "'!sched'.",
)
#: Of vCPUs and pCPUs: records have 16 bits for either.
_NUMBER_MAX = 0xFFFF
_domain = click.option(
    "--domain",
    "only",
    shell_complete=completing.traced,
    help="Only this domain: its number, or its name where the capture tells names.",
)
_vcpus = click.option(
    "--vcpu", "vcpus", type=click.IntRange(0, _NUMBER_MAX), multiple=True, help="Only this vCPU; may be repeated."
)
_pcpus = click.option(
    "--pcpu", "pcpus", type=click.IntRange(0, _NUMBER_MAX), multiple=True, help="Only on this pCPU; may be repeated."
)
_begin = click.option(
    "--from", "begin", type=Number(0, TRACE_SECONDS_MAX), default=0.0, metavar="SECONDS", help="Only from then on."
)
_slower = click.option(
    "--slower-than",
    "slower",
    callback=options.seconds,
    metavar="DURATION",
    help="Only records that end a wait for a pCPU or a VM exit that took so long, as in 250us or 1.5ms.",
)
_end = click.option("--to", "end", type=Number(0, TRACE_SECONDS_MAX), metavar="SECONDS", help="Only before then.")


def choice(domain: bool = True, slower: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options that choose what of a trace is wanted; the command gets them as one, ``chosen``.

    :param domain: whether there is one for the domain
    :param slower: whether there is one for how long something took
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def chosen(
            *args: Any,  # noqa: ANN401 - the command's own
            vcpus: tuple[int, ...],
            pcpus: tuple[int, ...],
            kinds: Kinds,
            begin: float,
            end: float | None,
            only: str | None = None,
            names: tuple[tuple[int, str], ...] = (),
            slower: float | None = None,
            **others: Any,  # noqa: ANN401 - the command's own
        ) -> None:
            if end is not None and end <= begin:
                raise click.UsageError("--to must lie after --from")
            until = math.inf if end is None else end
            where = Where(None, frozenset(vcpus), frozenset(pcpus), kinds, begin, until, slower or 0.0)
            command(*args, chosen=Chosen(only, where, names), **others)

        wanted = [
            *([_domain, options.names] if domain else []),
            _vcpus,
            _pcpus,
            events,
            _begin,
            _end,
            *([_slower] if slower else []),
        ]
        for option in reversed(wanted):
            chosen = option(chosen)
        return chosen

    return decorate
