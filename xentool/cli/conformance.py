"""``xentool conformance``."""

import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from pvdrivers.conformance import registry
from pvdrivers.conformance.level import FULL, QUICK, USUAL
from pvdrivers.conformance.run import Plan
from xentool import extras, output
from xentool.cli.common import options
from xentool.cli.screens import conformance as screen
from xentool.tools.conformance import document, session, subjects
from xentool.tools.conformance.evidence import keep
from xentool.tools.conformance.files import Forms, write

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("names", nargs=-1, metavar="SUBJECT...")
@click.option(
    "--case", "patterns", multiple=True, metavar="GLOB", help="Only such cases, as in 'BB1*'; may be repeated."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Another order, other data."
)
@click.option(
    "--safe/--lab", "safe", default=True, show_default=True, help="Leave out, or run, what may crash a kernel."
)
@click.option("--quick", is_flag=True, help="Every case as briefly as it says anything: for emulated machines.")
@click.option("--full", is_flag=True, help="Every case as long and as often as can be: an hour, not a minute.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Judge so many drivers at once; answers and their order are the same.",
)
@click.option("--junit", type=_FILE, metavar="FILE", help="Write JUnit's XML too, as Jenkins and GitLab read it.")
@click.option("--tap", type=_FILE, metavar="FILE", help="Write TAP too.")
@click.option("--html", type=_FILE, metavar="FILE", help="Write a page too: cases by drivers, where they differ first.")
@click.option(
    "--evidence",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep there what cases that fail leave to look at: rings, nodes, frames, and the command that repeats them.",
)
@click.option("--list", "listing", is_flag=True, help="Name subjects and cases, and test nothing.")
@click.option("--explain", metavar="CASE", help="Say what a case does, why, what may be seen, and which XSAs it is of.")
@options.as_json
def command(
    names: tuple[str, ...], patterns: tuple[str, ...], seed: int, safe: bool, quick: bool, full: bool, jobs: int,
    junit: Path | None, tap: Path | None, html: Path | None, evidence: Path | None, listing: bool, explain: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Judge PV drivers by what the headers say, with hostile peers among the cases.

    A SUBJECT is a driver: `--list` names them. The other end of each device is the kit's own, which does what no driver
    would. What the headers leave open is no failure; what a driver is known to do otherwise is a quirk.

    Exits with 5 where a driver failed, was wedged, crashed or leaked, and with 3 where nothing could be tested.
    """
    if listing:
        screen.listed(registry.every(), subjects.listed())
        return
    if explain:
        cases = [case for case in registry.every() if case.ident.upper() == explain.upper()]
        if not cases:
            raise click.UsageError(f"there is no case {explain}; --list names all")
        screen.explained(cases[0])
        return
    if not names:
        raise click.UsageError("give a SUBJECT to test, as in block-backend; --list names all")
    if quick and full:
        raise click.UsageError("--quick and --full are each other's contrary")
    if html:
        extras.need("jinja2", "--html")
    chosen = [subjects.subject(name) for name in dict.fromkeys(names)]
    level = FULL if full else QUICK if quick else USUAL
    plan = Plan(level, seed, risky=not safe, keep=evidence is not None)
    began = datetime.now(UTC)
    with screen.progress() as told:
        found = session.judged(chosen, patterns, plan, told, jobs)
    write(found, Forms(junit, tap, html), began, platform.node())
    for place in keep(found, evidence, began) if evidence else ():
        output.say(f"to look at: {place}")
    if as_json:
        output.write_json(document.documents(found))
    else:
        screen.shown(found)
    sys.stdout.flush()
    raise click.exceptions.Exit(session.exit_code(found))
