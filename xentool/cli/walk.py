"""``xentool walk``."""

from contextlib import closing
from pathlib import Path

import click

from xentool import output
from xentool.cli.common import addresses, completing, options
from xentool.cli.screens import walk as screen
from xentool.hosts import resolve
from xentool.tools import outputs
from xentool.tools.memory import document, sources
from xentool.tools.memory.look import look, runs


@click.command("walk")
@click.argument("domain", shell_complete=completing.domains)
@click.argument("va", callback=addresses.address, required=False)
@options.where
@click.option("--vcpu", type=click.IntRange(0, 65535), default=0, show_default=True, help="By whose tables.")
@click.option("--rip", is_flag=True, help="Walk where the vCPU is now, in place of VA.")
@click.option(
    "--pages",
    callback=addresses.pages,
    metavar="RANGE",
    help="Walk a range instead, page by page: START-END, or +N for N pages from VA on.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT",
    help="Write the picture as a page, in one file that needs no network; - is standard output.",
)
@options.as_json
def command(
    domain: str,
    va: int | None,
    where: str | None,
    vcpu: int,
    rip: bool,
    pages: tuple[int | None, int] | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Follow the virtual address VA of DOMAIN (a name or a number) through its page tables to the machine's memory.

    DOMAIN is Xen's or, on a host of KVM's, a QEMU by its name or process. VA is hexadecimal. Each table is shown with
    its entry and what that allows; then the page: of PV guests whose it is and how Xen's table of machine frames leads
    back to it, under KVM where it is in QEMU's memory and in the host's. Nothing is paused or written, so a guest may
    change its tables meanwhile: a walk is made again until two agree, and it is said if none do.
    """
    if rip and va is not None:
        raise click.UsageError("--rip is an address itself; leave out VA")
    if va is None and not rip and pages is None:
        raise click.UsageError("give VA, --rip or --pages START-END")
    if page is not None and (as_json or pages is not None):
        raise click.UsageError("--html draws one address; leave out --json and --pages")
    with closing(resolve(where)) as host, sources.opened(host, domain, vcpu) as guest:
        va = guest.subject.vcpu.rip if rip else va
        if pages is not None:
            start, end = addresses.bounds(va, pages)
            found, last = runs(guest, start, end)
            if as_json:
                output.write_json(document.many(guest.subject, found, last, end))
            else:
                screen.write_range(guest.subject, found, last, end)
            return
        seen = look(guest, va or 0)
    if as_json:
        output.write_json(document.one(seen, rip=rip))
    elif page is not None:
        with outputs.replaced(page) as file:
            file.write(screen.page(seen))
    else:
        screen.write(seen)
