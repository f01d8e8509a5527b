"""KVM's records as a Parquet file; ``wide`` says what its columns are."""

from collections.abc import Iterable
from typing import BinaryIO

from pyarrow import parquet

from traces.exporters.kvm.groups import Trace
from traces.exporters.kvm.wide import Wide
from traces.kvm.table import RecordTable


def write(tables: Iterable[RecordTable], trace: Trace, output: BinaryIO) -> None:
    """Write what is wanted of a trace, a row group for each table."""
    made = Wide(trace)
    with parquet.ParquetWriter(output, made.schema) as writer:
        for piece in made.pieces(tables):
            writer.write_table(piece)
