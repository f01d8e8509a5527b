"""Files of the table: one schema whatever was captured, and in it what an export of the same capture has."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.traces.captures import STRANGERS, capture, stranger
from tests.traces.exporters.reports import report
from tests.traces.kvm.traces import known, sample
from traces.exporters.columns import COLUMNS as OF_XEN
from traces.exporters.dataset import writer
from traces.exporters.kvm.wide import Wide
from traces.exporters.parquet import writer as parquet

PV, PVH = "xen-4.17-pv1", "xen-4.20-pvh"
#: As it was on the first day. A change needs another number in ``SCHEMA``, and every dataset anew.
FIRST_DAY = """
byte_offset:uint64! tsc:uint64! ns:int64 pcpu:uint16! domid:uint32 domain:string vcpu:uint16 event:uint32! name:string!
w0:uint32 w1:uint32 w2:uint32 w3:uint32 w4:uint32 w5:uint32 w6:uint32 nr:uint32 hypercall:string subop:string
count:uint32 old:string new:string target_domid:uint32 target_vcpu:uint32 exit:string trap:string address:uint64
pid:int32 comm:string exit_reason:int64 vcpu_id:int64 port:int64 rw:int64 size:int64 kvm_pio_count:int64 type:int64
len:int64 ecx:int64 write:int64 vector:int64 reason:int64 prev_pid:int64 prev_state:int64 next_pid:int64
sched_wakeup_pid:int64 guest_rip:uint64 rip:uint64 gpa:uint64 val:uint64 data:uint64 kvm_hypercall_nr:uint64 a0:uint64
a1:uint64 a2:uint64 a3:uint64 fields:string
"""


def table(data: bytes) -> pa.Table:
    output = io.BytesIO()
    return read(output, writer.write(io.BytesIO(data), report(data), output, "a capture"))


def read(output: io.BytesIO, rows: int) -> pa.Table:
    output.seek(0)
    found = pq.read_table(output)
    assert found.num_rows == rows
    return found


@pytest.fixture(scope="module")
def of_linux() -> pa.Table:
    """Give the table of a real trace of KVM."""
    output = io.BytesIO()
    return read(output, writer.write_kvm(*known(sample()), output, "a capture"))


def columns(of: pa.Table) -> list[str]:
    return [f"{field.name}:{field.type}{'' if field.nullable else '!'}" for field in of.schema]


def test_the_schema_is_that_of_the_first_day_whatever_was_captured(of_linux: pa.Table) -> None:
    # A capture without hypercalls, exits or grants has columns for them; and one without a record has all.
    for each in (table(capture(PV)), table(capture(PVH)), table(capture(PV)[:12]), of_linux):
        assert columns(each) == FIRST_DAY.split()


@pytest.mark.parametrize("name", [PV, PVH, STRANGERS[0]])
def test_xens_records_are_those_of_an_export(name: str) -> None:
    data = stranger(name) if name in STRANGERS else capture(name)
    exported = io.BytesIO()
    parquet.write(io.BytesIO(data), report(data), exported)
    exported.seek(0)
    expected, found = pq.read_table(exported), table(data)
    for column in OF_XEN:
        assert found[column.name].equals(expected[column.name].cast(found[column.name].type)), column.name
    for other in set(found.column_names) - {column.name for column in OF_XEN} - {"domain"}:
        assert found[other].null_count == len(found), other
    pairs = set(zip(found["domid"].to_pylist(), found["domain"].to_pylist(), strict=True))
    names = {domid: name for domid, name in pairs if domid is not None}
    assert names == {domid: f"domid {domid}" for domid in names}
    assert {name for domid, name in pairs if domid is None} <= {None}


def test_kvms_records_are_those_of_an_export_and_no_field_is_lost(of_linux: pa.Table) -> None:
    tables, trace = known(sample())
    expected = pa.concat_tables(Wide(trace).pieces(tables))
    assert len(expected) == 3713
    # What is a column of Xen's records and something else is not in that.
    renamed = {"count": "kvm_pio_count", "nr": "kvm_hypercall_nr", "address": ""}
    more = [json.loads(each) if each else {} for each in of_linux["fields"].to_pylist()]
    names = of_linux["name"].to_pylist()
    for name in expected.column_names:
        values = expected[name].to_pylist()
        if (column := renamed.get(name, name)) in of_linux.column_names:
            assert of_linux[column].to_pylist() == values, name
            continue
        # Where two events mean two things by a name, an export puts the event's before it.
        keys = [name.removeprefix(f"{event}_") for event in names]
        assert [others.get(key) for others, key in zip(more, keys, strict=True)] == values, name
    assert set(of_linux["domain"].to_pylist()) == {"domid 1127", None}


def test_names_that_are_no_text_and_sources_are_told() -> None:
    output, data = io.BytesIO(), capture(PV)[:100_000]
    writer.write(io.BytesIO(data), report(data), output, "s3://x/\udcff\n.xentrace")
    output.seek(0)
    told = pq.ParquetFile(output).schema_arrow.metadata
    assert told[b"schema"] == b"xentool.records/1"
    assert told[b"source"] == b"s3://x/?\n.xentrace"
    assert float(told[b"hz"]) > 0
