"""Records as a Parquet file, compressed; ``wide`` says what its columns are."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

import pyarrow.parquet as pq

from traces.analyses.report import Report
from traces.exporters import wide
from traces.table import EventTable

#: What grows from record to record is stored as differences.
_GROWING = ("byte_offset", "tsc", "ns")
#: Columns with few values, each stored once; for the others looking for such values costs more than it saves.
_REPEATING = [
    *("pcpu", "domid", "vcpu", "event", "name", "nr", "hypercall", "subop", "count", "old", "new"),
    *("target_domid", "target_vcpu", "exit", "trap"),
]


def write(tables: Iterable[EventTable], report: Report, output: BinaryIO) -> None:
    """Write the records of a trace, in order of time, in row groups of bounded size.

    :param report: on the same trace, which says what of it is wanted
    """
    options: dict[str, Any] = {
        "compression": "zstd",
        "use_dictionary": _REPEATING,
        "column_encoding": dict.fromkeys(_GROWING, "DELTA_BINARY_PACKED"),
        # By these a reader can skip row groups.
        "write_statistics": ["ns", "domid", "pcpu"],
    }
    with pq.ParquetWriter(output, wide.schema(report), **options) as writer, ThreadPoolExecutor(1) as pool:
        # One batch is encoded, without the GIL, while the next is made.
        written: Future[None] | None = None
        for batch in wide.batches(tables, report):
            if written is not None:
                written.result()
            written = pool.submit(writer.write_table, batch)
        if written is not None:
            written.result()
