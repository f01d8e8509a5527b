"""``xentool detect``."""

import shutil
import sys
from pathlib import Path

import click

from xentool import output
from xentool.cli.common import options
from xentool.detect import detect
from xentool.detect.document import document
from xentool.detect.text import lines


@click.command()
@options.as_json
@click.option("--why", is_flag=True, help="Tell the evidence for each statement too; --json always does.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="/",
    metavar="PREFIX",
    help="Read the machine whose /proc, /sys and so on are below PREFIX.  [default: this one]",
)
def command(as_json: bool, why: bool, root: Path) -> None:
    """Tell what virtualizes this machine and how; with --why, by which evidence.

    Hypervisors by type, containers, Xen's modes, layers in each other; and the techniques for CPU, memory and devices:
    whether this machine is run by them ("implied": its hypervisor knows no other way), and whether it has them for
    guests of its own. Needs no root; as root it may see more, and says what it could not read.

    Out of scope is what runs programs and not machines: Wine, Java's and other languages' machines; and User-Mode Linux
    beyond its name.
    """
    answer = detect(root)
    if as_json:
        output.write_json(document(answer))
    else:
        for line in lines(answer, shutil.get_terminal_size().columns if sys.stdout.isatty() else None, why=why):
            output.line(line)
