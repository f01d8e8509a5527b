"""`xentool lab clean`."""

import click

from traces.foreign import printable
from xentool import output
from xentool.errors import XentoolError
from xentool.lab import api


@click.command("clean")
@click.option("--all", "everything", is_flag=True, help="Images and snapshots too that the next lab would go on from.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be removed, and how large it is; remove nothing.")
def command(everything: bool, dry_run: bool) -> None:
    """Remove what labs have left in the cache and nobody needs: former images, snapshots, wheels, consoles.

    What a lab needs that was started and not ended stays in any case, and so does what the next one would take; with
    --all that goes, too, and the next `xentool lab up` builds its image anew.
    """
    freed = 0
    for left in api.cached(everything=everything):
        name = f"{left.kind} {printable(left.path.name)}, {_megabytes(left.size)}"
        if left.needed:
            output.line(f"{name}: stays ({printable(left.needed)})")
            continue
        if not dry_run:
            try:
                api.discard(left)
            except XentoolError as error:
                output.line(f"{name}: stays ({printable(str(error))})")
                continue
        freed += left.size
        output.line(f"{name}: {'would be removed' if dry_run else 'removed'}")
    folder, size = api.cache()
    what = "would be freed" if dry_run else "freed"
    output.line(f"{printable(str(folder))}: {_megabytes(size)}; {_megabytes(freed)} {what}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
