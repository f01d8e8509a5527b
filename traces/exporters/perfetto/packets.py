"""Perfetto packets by the million: each kind is made once by Perfetto's own protos, then stamped out as columns.

Law: the protos alone know the wire format. Here it is only known that a varint may be longer than it has to be, so
that all packets of a kind have one size, with numbers at one place; and that a double and a flow's number are 64 bits.

Ref: perfetto protos/perfetto/trace/track_event/track_event.proto, protobuf.dev/programming-guides/encoding
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TracePacket, TrackEvent

BEGIN = TrackEvent.TYPE_SLICE_BEGIN
END = TrackEvent.TYPE_SLICE_END
INSTANT = TrackEvent.TYPE_INSTANT
COUNTER = TrackEvent.TYPE_COUNTER

#: Annotations of a packet, at most; those of instants that have more fields are their first ones.
ARGS_MAX = 5
#: Whether an arrow between tracks begins or ends at a packet.
NO_FLOW, FLOW_BEGINS, FLOW_ENDS = range(3)

_SEQUENCE = 1
_VARINT_BITS = 7
_VALUE_BYTES = {32: 5, 64: 10}
#: Of fewer the blank could be mistaken for another field.
_STAMP_BYTES_MIN = 4
#: A number of 64 bits that has a look of its own, as a double too.
_FIXED_BLANK = b"\x55" * 8
_BYTES = np.arange(8)
_NO_VALUES = ((0, 0),) * ARGS_MAX
#: With more kinds than this all are forgotten: a damaged trace must not fill the memory.
_KINDS_MAX = 1 << 16


class Arg(NamedTuple):
    """An annotation that has each packet's own value, of ``bits`` (32 or 64); ``place`` is shown in hexadecimal."""

    name: str
    bits: int = 32
    place: bool = False


class Kind(NamedTuple):
    """What packets have in common: ``type`` is BEGIN, END, INSTANT or COUNTER, ``track`` a track's uuid.

    :param note: name of an annotation that is true
    :param args: annotations, at most ``ARGS_MAX``
    :param flow: whether an arrow begins or ends here
    """

    type: int
    track: int
    name: str = ""
    note: str = ""
    args: tuple[Arg, ...] = ()
    flow: int = NO_FLOW


class Marks(NamedTuple):
    """Packets to be stamped out, as columns of equal length.

    at        cycles of ``Elapsed``
    numbers   of each one's kind, see ``Packets.number``
    values    a row for each of a kind's args
    fixed     of a COUNTER its value's bits as a double, of a flow its number
    """

    at: NDArray[np.int64]
    numbers: NDArray[np.intp]
    values: NDArray[np.uint64]
    fixed: NDArray[np.uint64]


def marks(
    at: NDArray[np.int64],
    numbers: NDArray[np.intp],
    args: Sequence[NDArray[np.integer[Any]]] = (),
    fixed: NDArray[np.uint64] | None = None,
) -> Marks:
    """Make packets of which there may be fewer args than ``ARGS_MAX``, and no flow."""
    values = np.zeros((ARGS_MAX, len(at)), np.uint64)
    for index, column in enumerate(args):
        values[index] = column.astype(np.uint64)
    return Marks(at, numbers, values, np.zeros(len(at), np.uint64) if fixed is None else fixed)


def joined(found: Sequence[Marks]) -> Marks:
    """Put them together, in this order."""
    return Marks(*(np.concatenate(columns, axis=-1) for columns in zip(*found, strict=True)))


def doubles(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Give the bits of a COUNTER's values."""
    return values.view(np.uint64)


class Packets:
    """Makes packets of kinds: ask for each kind's number, then ``stamp`` out packets of those numbers.

    :param ns_max: the largest time stamp that will come
    """

    def __init__(self, ns_max: int) -> None:
        self._stamp_bytes = max(-(-ns_max.bit_length() // _VARINT_BITS), _STAMP_BYTES_MIN)
        self._announced: list[bytes] = []
        # A name's packet, of which the next one differs by two fields.
        self._naming = Trace(packet=[_packet(TracePacket.SEQ_NEEDS_INCREMENTAL_STATE)])
        named = self._naming.packet[0].interned_data
        # One number for both uses of a name: each has its own table.
        self._uses = named.event_names.add(), named.debug_annotation_names.add()
        self._forget()

    def _forget(self) -> None:
        self._numbers: dict[Kind, int] = {}
        self._templates: list[bytes] = []
        self._stamps: list[int] = []
        #: Where each arg's value is, and how many bytes it has; and where what is fixed is, 0 for nowhere.
        self._values: list[list[tuple[int, int]]] = []
        self._fixed: list[int] = []
        self._names: dict[str, int] = {}
        #: Of kinds that differ by no more than track and name, a packet, and its event.
        self._alike: dict[tuple[int, bool, str, tuple[Arg, ...], int], tuple[Trace, TrackEvent]] = {}
        cleared = _packet(TracePacket.SEQ_INCREMENTAL_STATE_CLEARED)
        self._announced.append(Trace(packet=[cleared]).SerializeToString())

    def number(self, kind: Kind) -> int:
        """Give a kind's number, which is good for the next ``stamp``."""
        number = self._numbers.get(kind)
        if number is None:
            number = self._numbers[kind] = len(self._templates)
            self._make(kind)
        return number

    def stamp(self, found: Marks, ns: NDArray[np.int64]) -> bytes:
        """Write a packet for each mark, at its time in nanoseconds."""
        numbers = found.numbers
        announced = b"".join(self._announced)
        self._announced.clear()
        # Where there are more kinds than packets, only those that are wanted are gone through.
        few = len(numbers) < len(self._templates)
        used, numbers = np.unique(numbers, return_inverse=True) if few else (None, numbers)
        chosen = range(len(self._templates)) if used is None else used.tolist()
        blob = np.frombuffer(b"".join([self._templates[one] for one in chosen]), np.uint8)
        sizes = np.array([len(self._templates[one]) for one in chosen], np.int64)
        starts = np.cumsum(sizes) - sizes
        lengths = sizes[numbers]
        places = np.cumsum(lengths) - lengths
        # Copy each packet's template to its place, then write its numbers over the blanks.
        out = blob[np.repeat(starts[numbers] - places, lengths) + np.arange(int(lengths.sum()))]
        stamp_places = places + np.array([self._stamps[one] for one in chosen], np.int64)[numbers]
        _write_varints(out, stamp_places, ns.astype(np.uint64), self._stamp_bytes)
        for index in range(max((len(self._values[one]) for one in chosen), default=0)):
            values = [(*self._values[one], *_NO_VALUES)[index] for one in chosen]
            value_places, value_bytes = np.array(values, np.int64).T
            for size in _VALUE_BYTES.values():
                rows = np.flatnonzero(value_bytes[numbers] == size)
                value_at = places[rows] + value_places[numbers[rows]]
                _write_varints(out, value_at, found.values[index][rows], size)
        fixed = np.array([self._fixed[one] for one in chosen], np.int64)[numbers]
        rows = np.flatnonzero(fixed)
        out[(places + fixed)[rows, None] + _BYTES] = found.fixed[rows].astype("<u8").view(np.uint8).reshape(-1, 8)
        if len(self._templates) > _KINDS_MAX:
            self._forget()
        return announced + out.tobytes()

    def _make(self, kind: Kind) -> None:
        # Names are announced in the order in which they are first met.
        named = self._iid(kind.name) if kind.name else 0
        key = (kind.type, bool(kind.name), kind.note, kind.args, kind.flow)
        # A hostile trace has a new kind with each record.
        trace, event = self._alike.get(key) or self._alike.setdefault(key, self._begun(kind))
        event.track_uuid = kind.track
        if named:
            event.name_iid = named
        template = trace.SerializeToString()
        self._templates.append(template)
        # The stamp's field comes before the event's, and args come in their order.
        place = template.index(_blank_varint(self._stamp_bytes))
        self._stamps.append(place)
        end = place + self._stamp_bytes
        places = []
        for arg in kind.args:
            size = _VALUE_BYTES[arg.bits]
            place = template.index(_blank_varint(size), end)
            end = place + size
            places.append((place, size))
        self._values.append(places)
        self._fixed.append(template.rindex(_FIXED_BLANK) if kind.flow or kind.type == COUNTER else 0)

    def _begun(self, kind: Kind) -> tuple[Trace, TrackEvent]:
        trace = Trace(packet=[_packet(TracePacket.SEQ_NEEDS_INCREMENTAL_STATE)])
        packet = trace.packet[0]
        packet.timestamp = _blank(self._stamp_bytes)
        event = packet.track_event
        event.type = kind.type
        if kind.note:
            event.debug_annotations.add(name_iid=self._iid(kind.note), bool_value=True)
        for arg in kind.args:
            value = {"pointer_value" if arg.place else "uint_value": _blank(_VALUE_BYTES[arg.bits])}
            event.debug_annotations.add(name_iid=self._iid(arg.name), **value)
        if kind.type == COUNTER:
            (event.double_counter_value,) = struct.unpack("<d", _FIXED_BLANK)
        if kind.flow:
            ids = event.flow_ids if kind.flow == FLOW_BEGINS else event.terminating_flow_ids
            ids.append(int.from_bytes(_FIXED_BLANK, "little"))
        return trace, event

    def _iid(self, name: str) -> int:
        iid = self._names.get(name)
        if iid is None:
            iid = self._names[name] = len(self._names) + 1
            for use in self._uses:
                use.iid, use.name = iid, name
            self._announced.append(self._naming.SerializeToString())
        return iid


def _packet(flags: int) -> TracePacket:
    return TracePacket(trusted_packet_sequence_id=_SEQUENCE, sequence_flags=flags)


def _blank(size: int) -> int:
    # A number whose varint has so many bytes, and a look that no other field has.
    return min((1 << _VARINT_BITS * size) - 1, (1 << 64) - 1)


@lru_cache(maxsize=16)
def _blank_varint(size: int) -> bytes:
    return _varint(_blank(size))


def _varint(value: int) -> bytes:
    found = bytearray()
    while value >> _VARINT_BITS:
        found.append(value & 0x7F | 0x80)
        value >>= _VARINT_BITS
    return bytes((*found, value))


def _write_varints(out: NDArray[np.uint8], places: NDArray[np.int64], values: NDArray[np.uint64], size: int) -> None:
    for index in range(size):
        byte = (values >> np.uint64(_VARINT_BITS * index)).astype(np.uint8) & np.uint8(0x7F)
        out[places + index] = byte if index == size - 1 else byte | np.uint8(0x80)
