"""``xentool explain``."""

import click

from traces.explained import every, explain, words
from traces.meant import meant
from xentool import output
from xentool.cli.common import options
from xentool.cli.screens import explained as screen


def _complete(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    return [word for word in words() if word.lower().startswith(incomplete.lower())]


@click.command()
@click.argument("asked", nargs=-1, metavar="[WORD...]", shell_complete=_complete)
@options.as_json
def command(asked: tuple[str, ...], as_json: bool) -> None:
    """Explain words of traces and of Xen: why it exists, what makes it happen, where to look further.

    A WORD is a hypercall, a sub-operation (block, or sched_op.block), an event, a VM exit of Intel's or AMD's, a trap,
    a model-specific register, a run state, a finding, or a term (gref, ptwr, p2m, "root mode"). What it is in several
    ways is explained in each. Without one, all words are listed by kind; with --json all are explained.
    """
    # A term of several words need not be quoted.
    phrase = " ".join(asked)
    wanted = [phrase] if explain(phrase) else list(dict.fromkeys(asked))
    found = {word: explain(word) for word in wanted}
    if unknown := [word for word, of in found.items() if not of]:
        raise click.UsageError(f"nothing explains {unknown[0]!r}{meant(unknown[0], words())}")
    if as_json:
        output.write_json(screen.document([one for of in found.values() for one in of] if asked else every()))
    elif asked:
        screen.shown([one for of in found.values() for one in of])
    else:
        screen.listed(every())
