"""The records of a table in groups that are alike, so that names are made once a group and fields read as columns."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from traces.account import Account
from traces.analyses.elapsed import Elapsed, nanoseconds
from traces.analyses.took import Took
from traces.choice.where import Where
from traces.exporters.details import Columns, Constants, Naming, details, selector, untold
from traces.exporters.payload import fields
from traces.kvm.table import RecordTable
from traces.table import EventTable
from traces.xen.formats.events import BY_ID, base_id, event_name

#: Of Xen's records, or of KVM's.
_Table = TypeVar("_Table", EventTable, RecordTable)
_WORD = 4
#: Damage after which records may come late, or without a time although their pCPU has told one.
_UNORDERED = {"clock_restart", "out_of_order", "tsc_backwards", "bad_tsc"}
_WORDS_BITS = 3


@dataclass(frozen=True)
class Group:
    """Records that are alike in event, length and what they are told apart by (a hypercall's number, ...).

    rows       of the table, ascending
    name       of the event
    constants  fields that have one value in all of them
    columns    fields that differ, as long as ``rows``
    beyond     indices of the words behind the last field of its layout
    untold     the one of the columns that would tell these apart, were there not too many kinds
    """

    rows: NDArray[np.intp]
    event: int
    words: int
    name: str
    constants: Constants
    columns: Columns
    beyond: range
    untold: str = ""

    @property
    def index(self) -> "NDArray[np.intp] | int":
        """The rows for an array of objects, to which a number is quicker than an array of one."""
        return int(self.rows[0]) if len(self.rows) == 1 else self.rows


class Chooser:
    """Takes what is chosen out of a trace's tables, one after the other.

    :param hz: the clock's rate
    :param size: the most records of a table that comes out, which bounds what is made of one
    :param timing: whether ``took`` is wanted
    :param source: of the tables, as a report names it
    :param account: of the same trace, should it have been read before: then ``parts`` ends where nothing more is chosen
    """

    def __init__(
        self,
        where: Where,
        hz: float,
        size: int = 1 << 16,
        *,
        timing: bool = False,
        account: Account | None = None,
        source: str = "xentrace",
    ) -> None:
        self._where, self._hz, self._size = where, hz, size
        self._elapsed = Elapsed()
        self._took = Took(source) if timing or where.slower else None
        #: Of the records that came out last, the nanoseconds that what they end took, or ``UNTIMED``.
        self.took: NDArray[np.int64] | None = None
        in_order = account is not None and _UNORDERED.isdisjoint(one.code for one in account.diagnostics)
        # What has no time yet counts as of the beginning, so the end is not before each of these pCPUs has told one.
        self._silent = set(account.pcpus) if account and in_order else None
        self._over = False

    def parts(self, tables: Iterable[_Table]) -> Iterator[tuple[_Table, NDArray[np.int64]]]:
        """Do as ``of`` does with one table after the other, until no later one can hold anything that is chosen."""
        for table in tables:
            yield from self.of(table)
            if self._over:
                break

    def of(self, table: _Table) -> Iterator[tuple[_Table, NDArray[np.int64]]]:
        """Give what is chosen of the next table, with nanoseconds since the trace's first record."""
        for piece in table.pieces(self._size):
            cycles = self._elapsed.of(piece)
            if not self._over:
                self._over = self._ends(piece)
            took = None if self._took is None else self._took.of(piece, cycles, self._elapsed)
            rows = self._where.rows(piece, cycles, self._hz)
            if took is not None and self._where.slower:
                rows = rows[took[rows] >= self._where.slower * self._hz]
            if len(rows):
                self.took = None if took is None else nanoseconds(took[rows], self._hz)
                part = piece if len(rows) == len(piece) else piece.take(rows)
                yield part, nanoseconds(cycles[rows], self._hz)

    def _ends(self, piece: _Table) -> bool:
        _, end = self._where.cycles(self._hz)
        if self._silent is None or end is None or piece.hurried:
            self._silent = None
            return False
        if self._silent:
            self._silent.difference_update(np.unique(piece.pcpu[piece.tsc > 0]).tolist())
        # Tables come in order of time, and all of one time stamp in one.
        return not self._silent and self._elapsed.end >= end


def of_events(table: EventTable, are: Callable[[int], bool]) -> NDArray[np.bool_]:
    """Say of each record whether its event is one of those that are meant."""
    events, inverse = np.unique(table.event, return_inverse=True)
    return np.array([are(event) for event in events.tolist()], bool)[inverse]


def is_declared(event: int) -> bool:
    """Whether more than its number is known of an event. What nobody declared may be another one each time."""
    return base_id(event) in BY_ID


def strangers(table: EventTable) -> tuple[NDArray[np.intp], list[str]]:
    """Give the records of events that nobody declared, and what each is called.

    They are not worth a group each: a trace may have a new event with each record.
    """
    rows = np.flatnonzero(~of_events(table, is_declared))
    events = table.event[rows]
    names = {event: event_name(event) for event in np.unique(events).tolist()}
    return rows, [names[event] for event in events.tolist()]


def groups(
    table: EventTable,
    naming: Naming,
    chosen: NDArray[np.bool_] | None = None,
    only: Container[str] | None = None,
    most: int | None = None,
) -> Iterator[Group]:
    """Give the records of a table in groups.

    :param chosen: of each, whether it is wanted; all are if not given
    :param only: the fields that are wanted of those that differ, all if not given
    :param most: what one event and length has more kinds of than these is not told apart, and is known by its event and
        ``told_by`` alone
    """
    wanted = np.arange(len(table)) if chosen is None else np.flatnonzero(chosen)
    if not len(wanted):
        return
    kinds = table.event[wanted].astype(np.uint64) << np.uint64(_WORDS_BITS) | table.words[wanted]
    for kind, rows in _split(kinds, wanted):
        event, words = kind >> _WORDS_BITS, kind & (1 << _WORDS_BITS) - 1
        name, beyond = event_name(event), _beyond(event, words, naming)
        selected = selector(table, rows, event, words)
        if selected is not None and most is not None and len(np.unique(selected)) > most:
            columns = untold(table, rows, event, words)
            yield Group(rows, event, words, name, {}, columns, beyond, next(iter(columns)))
            continue
        for alike in [rows] if selected is None else [alike for _, alike in _split(selected, rows)]:
            yield Group(alike, event, words, name, *details(table, alike, event, words, naming, only), beyond)


def _beyond(event: int, words: int, naming: Naming) -> range:
    known = fields(event, words, naming.release)
    return range(-(-(known[-1].offset + known[-1].size) // _WORD) if known else 0, words)


def _split(keys: NDArray[np.uint64], rows: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    ends = [*starts[1:].tolist(), len(rows)]
    rows = rows[order]
    # As ``np.split`` does, in a tenth of its time.
    for key, start, end in zip(ordered[starts].tolist(), starts.tolist(), ends, strict=True):
        yield key, rows[start:end]
