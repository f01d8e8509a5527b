"""`xentool lab logs`."""

import codecs
import re
import sys

import click

from traces.foreign import printable_lines
from xentool.cli.lab import options
from xentool.lab import api

_TAB = 8
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@click.command("logs")
@click.argument("console", metavar="[GUEST]", required=False)
@options.name
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added.")
@click.option("--guest", metavar="GUEST", help="The same as GUEST.")
def command(console: str | None, name: str | None, follow: bool, guest: str | None) -> None:
    """Show the console of Xen and dom0, or of a KVM host, also of a lab that died; or that of GUEST.

    Without its colours, and with what else a terminal would act on escaped: a guest writes there what it likes.
    """
    guest = guest or console
    chunks = api.console(name, follow=follow) if guest is None else api.guest_console(guest, name, follow=follow)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in chunks:
        text = _COLOURS.sub("", decoder.decode(chunk)).replace("\r", "").replace("\t", " " * _TAB)
        sys.stdout.write(printable_lines(text))
        sys.stdout.flush()
