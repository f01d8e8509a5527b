"""``xentool doctor``."""

from contextlib import closing
from itertools import groupby

import click
from rich.text import Text

from xentool import output
from xentool.cli.common import options
from xentool.hosts import Host, resolve
from xentool.hosts.labs import cache_directory
from xentool.hosts.local import LocalHost
from xentool.tools.doctor import checks, facts

_STYLES = {"works": "green", "missing": "bold red", "elsewhere": "dim"}
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
            output.line(f"{'':<10}{missing.why}: {missing.mend}")
    if slow := checks.busy(found):
        output.line(slow)


def _show(verdict: checks.Verdict) -> None:
    line = Text(f"{_WORDS[verdict.state]:<10}", _STYLES[verdict.state])
    line.append(f"{verdict.check.name:<18}", "bold").append(", ".join(verdict.check.commands), "dim")
    output.stdout().print(line, soft_wrap=True)


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
