"""``xentool fleet report``: many captures as one, and which of them stand out."""

from pathlib import Path

import click

from traces.analyses.fleet.groups import DOMAIN, FIELDS
from traces.exporters import fleet as texts
from traces.exporters.fleet import Fleet
from xentool import extras, output
from xentool.cli.common import options
from xentool.cli.fleet.workers import end, on_workers, tell
from xentool.tools.fleet.report import report
from xentool.tools.fleet.run import Way
from xentool.tools.outputs import orderly_end, replaced


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="PATH|GLOB|URL...")
@click.option(
    "--by",
    type=click.Choice(["host", DOMAIN, *(name for name in FIELDS if name != "host")]),
    default="host",
    help="What captures are added up by.  [default: host]",
)
@on_workers
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="Write a page with tables instead, in one file that needs no network.",
)
@options.as_json
def command(
    captures: tuple[str, ...],
    by: str,
    scheduler: str | None,
    workers: int | None,
    limit_s: float,
    page: Path | None,
    as_json: bool,
) -> None:
    """Report on many captures: what each group of them did, which stand out and why, and the slowest waits of all.

    A folder means all captures below it. URLs are read where they are: s3://, gs://, http://, ssh://, with the
    credentials that their own tools take; each kind needs fsspec's driver. Hosts, domains and days are those that
    `xentool record` noted beside a capture. A domain is compared with those of its name in other captures.

    What cannot be read, or is damaged, is listed, and the exit code is then 1; all else is told nevertheless. Answers
    are kept: another run reads what has changed, or failed. Ctrl-C tells what was read until then.

    Whoever reaches a scheduler can have any code run by its workers, and they read this machine's files under the
    names given here. Those that are started here listen on 127.0.0.1 alone; tls:// addresses take Dask's own settings.
    """
    if page is not None and as_json:
        raise click.UsageError("--html and --json are two forms of one report; give one of them")
    if page is not None:
        extras.need("jinja2", "--html")
    with orderly_end(), output.progress("reading captures") as progress:
        found = report(captures, by, Way(scheduler, workers, limit_s, progress, tell))
    if as_json:
        output.write_json(texts.document(found))
    elif page is not None:
        _write(page, found)
    else:
        texts.write(found, output.tables())
    end(found.took, len(found.failed))


def _write(page: Path, found: Fleet) -> None:
    from traces.exporters.html import fleet as pages  # noqa: PLC0415 - an extra

    with replaced(page) as file:
        file.write(pages.page(found))
