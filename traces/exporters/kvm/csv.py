"""KVM's records as a CSV file with a heading; ``wide`` says what its columns are. Null is nothing between commas."""

from collections.abc import Iterable
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv

from traces.exporters.kvm.groups import Trace
from traces.exporters.kvm.wide import Wide
from traces.kvm.table import RecordTable


def write(tables: Iterable[RecordTable], trace: Trace, output: BinaryIO) -> None:
    """Write what is wanted of a trace."""
    made = Wide(trace)
    plain = pa.schema(
        [(one.name, pa.string() if pa.types.is_dictionary(one.type) else one.type) for one in made.schema]
    )
    with csv.CSVWriter(output, plain, write_options=csv.WriteOptions(quoting_style="needed")) as writer:
        for piece in made.pieces(tables):
            writer.write_table(piece.cast(plain))
