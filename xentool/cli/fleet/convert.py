"""``xentool fleet convert``: captures as a dataset of Parquet files."""

import click

from traces.exporters import fleet_convert as texts
from xentool import output
from xentool.cli.common import options
from xentool.cli.fleet.workers import end, on_workers, tell
from xentool.tools.fleet.dataset.convert import convert
from xentool.tools.fleet.run import Way
from xentool.tools.outputs import orderly_end


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="PATH|GLOB|URL...")
@click.option("--to", required=True, metavar="DIR|URL", help="The dataset: a folder, or s3://BUCKET/NAME.")
@on_workers
@options.as_json
def command(
    captures: tuple[str, ...], to: str, scheduler: str | None, workers: int | None, limit_s: float, as_json: bool
) -> None:
    """Convert captures into one dataset of Parquet files, partitioned by host, day and capture.

    Every file has the same columns with the same types, whatever captured it: what a capture has nothing for is null.
    `xentool sql DIR` asks the dataset, as do DuckDB, Polars, DataFusion and pyarrow.

    Another run converts what is new or has changed, and goes on where one was killed: a file is there when it is whole.
    Of a damaged capture, what can be decoded is converted; it is listed, and the exit code is 1. What is converted
    stays when its capture has gone.

    Workers write by themselves, so those of another machine must see the same folder. S3 takes its own tools'
    credentials; it needs s3fs.
    """
    with orderly_end(), output.progress("converting captures") as progress:
        found = convert(captures, to, Way(scheduler, workers, limit_s, progress, tell))
    if as_json:
        output.write_json(texts.document(found))
    else:
        texts.write(found, output.stdout())
    end(found.took, len(found.failed))
