"""How the commands that change a store do it, or only tell what they would do."""

from collections.abc import Sequence

import click

from xentool.tools.store import opened
from xentool.tools.store.document import changes_document
from xentool.tools.store.edit import Edit, rehearse


def change(where: str | None, paths: Sequence[str], edit: Edit, *, dry_run: bool, as_json: bool) -> None:
    """Do an edit in a transaction; or print what it would change at, above and under some nodes."""
    if as_json and not dry_run:
        raise click.UsageError("--json is for what --dry-run prints")
    with opened(where) as client:
        if not dry_run:
            client.transact(edit)
            return
        changes = rehearse(client, paths, edit)
    from xentool import output  # noqa: PLC0415 - brings rich, which a change needs not
    from xentool.cli.store import text  # noqa: PLC0415 - brings rich

    if as_json:
        output.write_json(changes_document(changes))
    else:
        text.show(map(text.change_line, changes), wide=True)
