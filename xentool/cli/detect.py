"""``xentool detect``."""

import shutil
import sys
from contextlib import closing
from pathlib import Path

import click

from xentool import output
from xentool.cli.common import options
from xentool.detect import detect
from xentool.detect.answer import answer
from xentool.detect.document import document
from xentool.detect.text import lines


@click.command()
@options.as_json
@click.option("--why", is_flag=True, help="Tell the evidence for each statement too; --json always does.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="PREFIX",
    help="Read the machine whose /proc, /sys and so on are below PREFIX.  [default: this one]",
)
@options.elsewhere
def command(as_json: bool, why: bool, root: Path | None, where: str | None) -> None:
    """Tell what virtualizes this machine and how; with --why, by which evidence. With --host, another machine.

    Hypervisors by type, containers, Xen's modes, layers in each other; and the techniques for CPU, memory and devices:
    whether this machine is run by them ("implied": its hypervisor knows no other way), and whether it has them for
    guests of its own. Needs no root; as root it may see more, and says what it could not read.

    Out of scope is what runs programs and not machines: Wine, Java's and other languages' machines; and User-Mode Linux
    beyond its name.
    """
    if where is None:
        found = detect(root or Path("/"))
    elif root is None:
        from xentool.hosts import resolve  # noqa: PLC0415 - this machine is asked without
        from xentool.tools.machine import elsewhere  # noqa: PLC0415 - as above

        with closing(resolve(where)) as host:
            found = answer(elsewhere.facts(host))
    else:
        raise click.UsageError("a machine is below a PREFIX or on a host: give --root or --host")
    if as_json:
        output.write_json(document(found))
    else:
        for line in lines(found, shutil.get_terminal_size().columns if sys.stdout.isatty() else None, why=why):
            output.line(line)
