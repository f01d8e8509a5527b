"""``xentool doctor``."""

import sys
from contextlib import closing
from itertools import groupby
from textwrap import wrap

import click
from rich.text import Text

from xentool import output
from xentool.cli.common import options
from xentool.hosts import Host, resolve
from xentool.hosts.labs import cache_directory
from xentool.hosts.local import LocalHost
from xentool.tools.doctor import checks, facts

_STYLES = {"works": "green", "missing": "bold red", "elsewhere": "dim"}
#: Columns of a state and of a capability's name, and the least that a line leaves beside them.
_STATE, _NAME, _LEAST = 10, 18, 12
_WORDS = {"works": "works", "missing": "missing", "elsewhere": "not here"}


@click.command()
@options.where
@options.as_json
def command(where: str | None, as_json: bool) -> None:
    """Tell what works on a host and what is missing for each capability, with the command that mends it.

    Of this machine, or with -H of another host or a lab. Nothing is changed there. "not here" is what this kind of
    machine has no use for: a machine without Xen can read traces and boot a lab, and everything else by -H.
    """
    host: Host = LocalHost() if where is None else resolve(where)
    here = isinstance(host, LocalHost)
    with closing(host):
        found = facts.gather(host, cache_directory())
    verdicts = checks.judged(found, here=here)
    if as_json:
        output.write_json(_document(host.name, found, verdicts))
        return
    for missing, group in groupby(verdicts, lambda one: one.missing):
        for one in group:
            _show(one)
        if missing is not None:
            for line in _folded(f"{missing.why}: {missing.mend}", _STATE, _STATE):
                output.line(line)
    if slow := checks.busy(found):
        for line in _folded(slow, 0, 0):
            output.line(line)


def _show(verdict: checks.Verdict) -> None:
    line = Text(f"{_WORDS[verdict.state]:<{_STATE}}", _STYLES[verdict.state])
    line.append(f"{verdict.check.name:<{_NAME}}", "bold")
    first, *more = _folded(", ".join(verdict.check.commands), _STATE + _NAME, _STATE)
    line.append(first[_STATE + _NAME :], "dim")
    for one in more:
        line.append(f"\n{one}", "dim")
    output.stdout().print(line, soft_wrap=True)


def _folded(text: str, first: int, others: int) -> list[str]:
    # Indented by so many columns; in a pipe as long as it is.
    if not sys.stdout.isatty():
        return [" " * first + text]
    width = max(output.stdout().width, first + _LEAST)
    return wrap(
        text,
        width,
        initial_indent=" " * first,
        subsequent_indent=" " * others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _document(name: str, found: facts.Facts, verdicts: list[checks.Verdict]) -> dict[str, object]:
    return {
        "schema": "xentool.doctor/1",
        "host": name,
        "xen": facts.first(found, "xen"),
        "kernel": facts.first(found, "kernel"),
        "load": facts.number(found, "load"),
        "checks": [
            {
                "name": one.check.name,
                "commands": list(one.check.commands),
                "state": one.state,
                "why": one.missing.why if one.missing else None,
                "mend": one.missing.mend if one.missing else None,
            }
            for one in verdicts
        ],
    }
