"""Options that several of the lab's commands take."""

import functools
from collections.abc import Callable

import click

from xentool.cli.common import completing
from xentool.lab.releases import DEFAULT_XEN, RELEASES

name = click.option(
    "--name",
    metavar="LAB",
    shell_complete=completing.labs,
    help="Which lab; by default the only one there is, or `default`.",
)


def which(function: Callable[..., None]) -> Callable[..., None]:
    """Say which lab as its ``name``: by the option, or by its name alone, as people type it."""

    @click.argument("lab", metavar="[LAB]", required=False, shell_complete=completing.labs)
    @name
    @functools.wraps(function)
    def named(*args: object, lab: str | None, name: str | None, **words: object) -> None:
        if None not in (lab, name) and lab != name:
            raise click.UsageError(f"one lab, please: {lab} or {name}")
        function(*args, name=lab or name, **words)

    return named


new_name = click.option("--name", metavar="LAB", default="default", show_default=True, help="How to call the lab.")
where = click.option(
    "-H",
    "--host",
    "where",
    metavar="HOST",
    shell_complete=completing.hosts,
    help="A host in a lab's stead that was made ready as one, as the Vagrantfile's is.  "
    "[default: one that was adopted, if it is in use]",
)
xen = click.option(
    "--xen",
    type=click.Choice(list(RELEASES)),
    default=DEFAULT_XEN,
    show_default=True,
    help="Which version of Xen, and with it which Debian.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
