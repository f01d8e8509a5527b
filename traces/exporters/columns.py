"""The columns of the wide table of records (``wide``), and where ``encode`` gets them from."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from traces.answers import Report
from traces.exporters.details import meaning, naming, told_by
from traces.exporters.parquet.alike import ALIKE, BY_FIELD, BY_HYPERCALL, KindTable
from traces.exporters.parquet.encode import Choice, Encoder
from traces.xen.formats.events import EXTRA_MAX, event_name

SCHEMA = "xentool.events/1"
#: What ``KindTable`` asks of a kind of records, see there.
_Described = tuple[bool, list[bytes | None], list[tuple[int, int, int, bool, int, int]]]
_ALL_BITS = (1 << 64) - 1


class Column(NamedTuple):
    """A column: of numbers of so many bits, or of names, 0, which are ``coded`` unless they seldom repeat."""

    name: str
    bits: int
    signed: bool = False
    nullable: bool = True
    coded: bool = True


_RECORD = (
    Column("byte_offset", 64, nullable=False),
    Column("tsc", 64, nullable=False),
    Column("ns", 64, signed=True),
    Column("pcpu", 16, nullable=False),
    Column("domid", 16),
    Column("vcpu", 16),
)
_EVENT = Column("event", 32, nullable=False)
NAME = Column("name", 0, nullable=False)
WORDS = tuple(Column(f"w{index}", 32) for index in range(EXTRA_MAX))
DETAILS = (
    Column("nr", 32),
    Column("hypercall", 0),
    Column("subop", 0),
    Column("count", 32),
    Column("old", 0),
    Column("new", 0),
    Column("target_domid", 32),
    Column("target_vcpu", 32),
    Column("exit", 0),
    Column("trap", 0),
    Column("address", 64),
)
COLUMNS = (*_RECORD, _EVENT, NAME, *WORDS, *DETAILS)
#: A field of a record that goes into a column of another name.
SAME = {"calls": "count"}
#: What all records of a kind have in common.
_COMMON = [_EVENT, NAME, *(column for column in DETAILS if not column.bits or column.name == "nr")]
_COMMON_PLACES = {column.name: place for place, column in enumerate(_COMMON)}
#: Of what is known of an event's number alone.
_NO_DETAILS = [None] * (len(_COMMON) - 2)
#: Where they may differ.
_NUMBERS = [column for column in DETAILS if column not in _COMMON]
#: The places of the columns in ``COLUMNS``, in the order in which ``encode`` makes them.
ENCODED = [COLUMNS.index(column) for column in (*_RECORD, *_COMMON, *WORDS, *_NUMBERS)]
_NUMBER_PLACES = {column.name: place for place, column in enumerate(_NUMBERS)}


def in_pandas(columns: Iterable[Column]) -> str:
    """Say by which types pandas is to read columns, in the metadata that it looks for."""
    # What pandas' columns are: left to itself it makes floats of numbers that may be null, and addresses are rounded.
    # Ref: "Storing pandas DataFrame objects in Apache Parquet format" in pandas' developer guide
    about = {"index_columns": [], "column_indexes": [], "columns": [_in_pandas(column) for column in columns]}
    return json.dumps({**about, "attributes": {}, "creator": {"library": "xentool"}, "pandas_version": "1.0.0"})


def _in_pandas(column: Column) -> dict[str, Any]:
    names = {"name": column.name, "field_name": column.name}
    if not column.coded:
        return {**names, "pandas_type": "unicode", "numpy_type": "object", "metadata": None}
    if not column.bits:
        # How many there are is known to each reader before it could read this.
        how = {"num_categories": None, "ordered": False}
        return {**names, "pandas_type": "categorical", "numpy_type": "int32", "metadata": how}
    kind = f"{'int' if column.signed else 'uint'}{column.bits}"
    # Those that may be null are of pandas' own types, whose names are in capitals: UInt64.
    own = kind.replace("uint", "UInt").replace("int", "Int") if column.nullable else kind
    return {**names, "pandas_type": kind, "numpy_type": own, "metadata": None}


_PANDAS = in_pandas(COLUMNS)


def metadata(report: Report) -> dict[str, str]:
    """Say what the table is."""
    return {"schema": SCHEMA, "hz": repr(report.clock.hz), "hz_source": report.clock.source, "pandas": _PANDAS}


def encoder(report: Report, rows: int) -> Encoder:
    """Give what makes the table's pages of compiled records, see ``encode``.

    :param report: on the same trace: its clock, and the names of its exits, and what of it is wanted
    :param rows: the most in a row group
    """
    where, names_by = report.where, naming(report)
    all_kinds = where.kinds.all
    begin, end = where.cycles(report.clock.hz)
    choice = Choice(where.domid, where.vcpus or None, where.pcpus or None, begin if begin > 0 else None, end)

    def describe(event: int, words: int, payload: bytes) -> _Described:
        # A hostile trace has a new kind with each record.
        constants, places = meaning(event, words, payload, names_by)
        common = [_stored(event), _stored(event_name(event)), *_NO_DETAILS]
        numbers = {}
        for name, value in constants.items():
            if name in _COMMON_PLACES:
                common[_COMMON_PLACES[name]] = _stored(value)
            elif name in _NUMBER_PLACES:
                numbers[name] = (_NUMBER_PLACES[name], 0, 0, False, _ALL_BITS, value)
        for field in places.values():
            name = SAME.get(field.name, field.name)
            if name in _NUMBER_PLACES:
                mask = _ALL_BITS if field.mask is None else field.mask
                numbers[name] = (_NUMBER_PLACES[name], field.offset, field.size, field.signed, mask, 0)
        return all_kinds or where.keeps(event, words, payload), common, list(numbers.values())

    kinds = KindTable(describe, _told, len(_COMMON), len(_NUMBERS))
    return Encoder(kinds, choice, report.clock.hz, rows, [8 if column.bits == 64 else 4 for column in _NUMBERS])


def _stored(value: int | str) -> bytes:
    # As Parquet has it.
    if isinstance(value, int):
        return value.to_bytes(4, "little")
    encoded = value.encode()
    return len(encoded).to_bytes(4, "little") + encoded


def _told(event: int, words: int) -> tuple[int, int, int]:
    by = told_by(event, words)
    if by == "hypercall":
        return BY_HYPERCALL, 0, 0
    return (ALIKE, 0, 0) if by is None else (BY_FIELD, by.offset, by.size)
