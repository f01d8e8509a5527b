"""Records as a Parquet file, compressed; ``wide`` says what its columns are."""

from collections.abc import Iterable
from typing import BinaryIO

import pyarrow.parquet as pq

from traces.analyses.report import Report
from traces.exporters import wide
from traces.table import EventTable


def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
    """Write the records of a trace, in order of time, in row groups of bounded size.

    :param report: on the same trace
    """
    with pq.ParquetWriter(output, wide.schema(report), compression="zstd") as writer:
        for batch in wide.batches(tables, report):
            writer.write_table(batch)
