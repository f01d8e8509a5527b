"""Writes a capture's file of the table."""

import base64
from collections.abc import Iterable
from typing import BinaryIO

from pyarrow import parquet

from traces.answers import Report
from traces.batches import Filler
from traces.exporters.dataset.columns import COLUMNS, called, plan, told
from traces.exporters.kvm.columns import DOMAIN
from traces.exporters.kvm.groups import Trace
from traces.exporters.kvm.wide import Wide, schema
from traces.exporters.parquet import writer
from traces.exporters.parquet.writer import Form
from traces.kvm.table import RecordTable


def write(source: Filler, report: Report, output: BinaryIO, name: str) -> int:
    """Write the records of Xen's trace, by one thread.

    :param name: what the capture is called
    :returns: how many rows they are
    :raises TraceError: it is no xentrace
    """
    made = schema(COLUMNS, told(report, name))
    pairs = {key.decode(): value.decode() for key, value in made.metadata.items()}
    pairs["ARROW:schema"] = base64.b64encode(made.serialize()).decode()
    return writer.write(source, report, output, Form(COLUMNS, pairs, {DOMAIN: ("domid", called(report))}), lanes=1)


def write_kvm(tables: Iterable[RecordTable], trace: Trace, output: BinaryIO, name: str) -> int:
    """Write the records of KVM's; see ``write``."""
    made = Wide(trace, plan(trace), told(trace.report, name))
    rows = 0
    with parquet.ParquetWriter(output, made.schema) as file:
        for piece in made.pieces(tables):
            file.write_table(piece)
            rows += len(piece)
    return rows
