"""The columns of the wide table of KVM's records, of which ``wide`` says what they hold.

Columns that are always there have one type in every file, so that files of several hosts are one table. The others are
those of the events that a trace has.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from traces.exporters.columns import NAME, Column
from traces.exporters.kvm.groups import EXIT, Trace, named
from traces.kvm.formats.fields import Field, Layout
from traces.plain import frozen

#: The column of domains' names.
DOMAIN = "domain"
#: More are none that anybody could ask for.
COLUMNS_MAX = 500
RECORD = (
    Column("byte_offset", 64, nullable=False),
    Column("tsc", 64, nullable=False),
    Column("ns", 64, signed=True, nullable=False),
    Column("pcpu", 16, nullable=False),
    Column("domid", 32),
    Column("vcpu", 16),
    Column("pid", 32, signed=True, nullable=False),
    Column("comm", 0),
    Column("event", 32, nullable=False),
    NAME,
)
#: Of KVM's and the scheduler's events, what questions are asked of.
ALWAYS = (
    Column(EXIT, 0),
    *(
        Column(name, 64, signed=True)
        for name in (
            "exit_reason",
            "vcpu_id",
            "port",
            "rw",
            "size",
            "count",
            "type",
            "len",
            "ecx",
            "write",
            "vector",
            "reason",
            "prev_pid",
            "prev_state",
            "next_pid",
            "sched_wakeup_pid",
        )
    ),
    *(Column(name, 64) for name in ("guest_rip", "rip", "gpa", "val", "data", "nr", "a0", "a1", "a2", "a3")),
)
_ALWAYS = {column.name: column for column in ALWAYS}


@frozen
class Plan:
    """A table's columns, and what goes into them.

    :param places: by event's name and field, which column has it
    :param rest: the column that has fields without one of their own, as JSON objects
    :param called: names the machines, for the column ``DOMAIN``
    """

    columns: Sequence[Column]
    places: Mapping[tuple[str, str], Column]
    rest: str | None = None
    called: Callable[[int], str] | None = None


def plan(trace: Trace) -> Plan:
    """Plan the table of a trace's records."""
    layouts = sorted((trace.layouts[event] for event in trace.seen if event in trace.layouts), key=lambda one: one.name)
    columns = {column.name: column for column in (*RECORD, *ALWAYS)}
    taken = {column.name for column in RECORD}
    shared = _shared(layouts)
    places: dict[tuple[str, str], Column] = {}
    for layout in layouts:
        for name, field in fields_of(layout):
            column = shared.get(name)
            if name in taken or column is None or not fits(field, column):
                # Its name means something else elsewhere, or no type holds the values of all.
                column = _ALWAYS.get(f"{layout.name}_{name}") or _column(f"{layout.name}_{name}", [field])
                if column is None or columns.get(column.name, column) != column or not fits(field, column):
                    continue
            if column.name in columns or len(columns) < COLUMNS_MAX:
                places[layout.name, name] = columns.setdefault(column.name, column)
    return Plan(tuple(columns.values()), places)


def fields_of(layout: Layout) -> Iterable[tuple[str, Field | None]]:
    """Give an event's fields, and what names of their values are called: these have no field."""
    return (*((field.name, field) for field in layout.own), *((name, None) for name in named(layout)))


def _shared(layouts: Iterable[Layout]) -> dict[str, Column]:
    by_name: dict[str, list[Field | None]] = defaultdict(list)
    for layout in layouts:
        for name, field in fields_of(layout):
            by_name[name].append(field)
    found = {name: column for name, of in by_name.items() if (column := _column(name, of)) is not None}
    return {**found, **_ALWAYS}


def _column(name: str, of: Iterable[Field | None]) -> Column | None:
    # None: there is no type for all of them.
    fields = list(of)
    signed = any(field is not None and field.is_number and field.signed for field in fields)
    column = Column(name, 64 if any(_is_number(field) for field in fields) else 0, signed=signed)
    return column if all(fits(field, column) for field in fields) else None


def _is_number(field: Field | None) -> bool:
    return field is not None and field.is_number


def fits(field: Field | None, column: Column) -> bool:
    """Say whether a column holds all values of a field, or of names that its values have: those have no field."""
    if field is None or not field.is_number:
        return not column.bits
    if not column.bits:
        return False
    return field.signed or field.size < 8 if column.signed else not field.signed
