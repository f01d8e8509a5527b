"""Records as a CSV file with a heading; ``wide`` says what its columns are. Null is nothing between two commas."""

from collections.abc import Iterable
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv

from traces.answers import Report
from traces.exporters import wide
from traces.table import EventTable


def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
    """Write the records of a trace, in order of time.

    :param report: on the same trace, which says what of it is wanted
    """
    columns = wide.schema(report)
    plain = pa.schema([(one.name, pa.string() if pa.types.is_dictionary(one.type) else one.type) for one in columns])
    options = csv.WriteOptions(quoting_style="needed")
    with csv.CSVWriter(output, plain, write_options=options) as writer:
        for batch in wide.batches(tables, report):
            writer.write_table(batch.cast(plain))
