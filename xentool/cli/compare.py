"""`xentool compare`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from traces.analyses.phases.comparison import Comparison
from traces.exporters import compared
from xentool import extras, output
from xentool.cli.common import options
from xentool.cli.lab import options as lab_options
from xentool.cli.lab.progress import shown
from xentool.errors import XentoolError
from xentool.lab.comparison.run import REPEATS, compare, of_traces
from xentool.lab.comparison.techniques import BACKENDS, LEFT_OUT, TECHNIQUES, WORKS


class _Names(click.ParamType[tuple[str, ...]]):
    """Names of a table, separated by commas; none twice."""

    name = "names"

    def __init__(self, known: Iterable[str]) -> None:
        self._known = tuple(known)

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        found = tuple(dict.fromkeys(value.split(",")))
        for each in found:
            if each not in self._known:
                self.fail(f"{each!r} is none of {', '.join(self._known)}", param, ctx)
        return found


def _write(path: Path, found: Comparison) -> None:
    from traces.exporters.html import compared as pages  # noqa: PLC0415 - brings jinja2, which not everybody has

    try:
        path.write_bytes(pages.page(found))
    except OSError as error:
        raise XentoolError(f"cannot write {path}: {error.strerror}") from error


def _explained(meanings: Mapping[str, str]) -> str:
    return "\n".join(f"  {name:<13} {meaning}" for name, meaning in meanings.items())


_TABLES = (
    "\b\nTechniques:\n"
    + _explained({name: each.meaning for name, each in TECHNIQUES.items()})
    + "\n\n\b\nWorks, and what a request is:\n"
    + _explained({name: each.meaning for name, each in WORKS.items()})
)


@click.command("compare", epilog=_TABLES)
@click.argument("traces", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--on",
    "techniques",
    type=_Names([*TECHNIQUES, *LEFT_OUT]),
    default=",".join(TECHNIQUES),
    metavar="NAMES",
    help="Which techniques, separated by commas.  [default: all]",
)
@click.option(
    "--work",
    "works",
    type=_Names(WORKS),
    default=",".join(WORKS),
    metavar="NAMES",
    help="Which works, separated by commas.  [default: all]",
)
@click.option(
    "--backend",
    "backends",
    type=_Names(BACKENDS),
    default="kernel",
    show_default=True,
    metavar="NAMES",
    help=f"Who serves disks under Xen: {', '.join(BACKENDS)}; each makes a column.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    default=REPEATS,
    show_default=True,
    metavar="N",
    help="How often each work is done and counted.",
)
@click.option("--kinds", is_flag=True, help="Tell of what kinds doorbells, exits and the like are, too.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Keep the traces there, for `xentool report` and others.",
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a page with bars, too."
)
@lab_options.xen
@options.as_json
def command(
    traces: tuple[Path, ...],
    techniques: tuple[str, ...],
    works: tuple[str, ...],
    backends: tuple[str, ...],
    repeats: int,
    kinds: bool,
    keep: Path | None,
    html: Path | None,
    xen: str,
    as_json: bool,
) -> None:
    """Count what the same work takes under several techniques of virtualization.

    Boots what is needed in labs of their own, one after the other: the same kernel and programs do the same requests
    under each, and are traced while they do. Told is how often what happened for a request; where processors are
    emulated, times are told as shares alone.

    TRACES are some that --keep kept: these are compared then, and no lab is needed.
    """
    if html:
        extras.need("jinja2", "--html")
    if traces:
        found = of_traces(traces)
    else:
        with shown() as progress:
            found = compare(
                techniques, works, xen=xen, backends=backends, repeats=repeats, keep=keep, progress=progress
            )
    if html:
        _write(html, found)
    if as_json:
        output.write_json(compared.document(found))
    else:
        compared.write(found, output.stdout(), kinds=kinds)
