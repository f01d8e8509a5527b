"""Perfetto packets by the million: each kind is made once by Perfetto's own protos, then stamped out as columns.

Law: the protos alone know the wire format. Here it is only known that a varint may be longer than it has to be, so
that all packets of a kind have one size, with numbers at one place.

Ref: perfetto protos/perfetto/trace/track_event/track_event.proto, protobuf.dev/programming-guides/encoding
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TracePacket, TrackEvent

BEGIN = TrackEvent.TYPE_SLICE_BEGIN
END = TrackEvent.TYPE_SLICE_END
INSTANT = TrackEvent.TYPE_INSTANT

_SEQUENCE = 1
_VARINT_BITS = 7
_VALUE_BYTES = {32: 5, 64: 10}
#: Of fewer the blank could be mistaken for another field.
_STAMP_BYTES_MIN = 4
#: With more kinds than this all are forgotten: a damaged trace must not fill the memory.
_KINDS_MAX = 1 << 16


class Kind(NamedTuple):
    """What packets have in common: ``type`` is BEGIN, END or INSTANT, ``track`` a track's uuid.

    :param note: name of an annotation that is true
    :param arg: name of an annotation that has each packet's value, of ``bits`` (32 or 64)
    """

    type: int
    track: int
    name: str = ""
    note: str = ""
    arg: str = ""
    bits: int = 32


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
        self._values: list[int] = []
        self._value_bytes: list[int] = []
        self._names: dict[str, int] = {}
        #: Of kinds that differ by no more than track and name, a packet, and its event.
        self._alike: dict[tuple[int, bool, str, str, int], tuple[Trace, TrackEvent]] = {}
        cleared = _packet(TracePacket.SEQ_INCREMENTAL_STATE_CLEARED)
        self._announced.append(Trace(packet=[cleared]).SerializeToString())

    def number(self, kind: Kind) -> int:
        """Give a kind's number, which is good for the next ``stamp``."""
        number = self._numbers.get(kind)
        if number is None:
            number = self._numbers[kind] = len(self._templates)
            self._make(kind)
        return number

    def stamp(self, numbers: NDArray[np.intp], ns: NDArray[np.int64], values: NDArray[np.uint64]) -> bytes:
        """Write a packet for each number, at its time; a value is used where the kind has an ``arg``."""
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
        value_bytes = np.array([self._value_bytes[one] for one in chosen], np.int64)[numbers]
        value_places = places + np.array([self._values[one] for one in chosen], np.int64)[numbers]
        for size in _VALUE_BYTES.values():
            rows = np.flatnonzero(value_bytes == size)
            _write_varints(out, value_places[rows], values[rows], size)
        if len(self._templates) > _KINDS_MAX:
            self._forget()
        return announced + out.tobytes()

    def _make(self, kind: Kind) -> None:
        # Names are announced in the order in which they are first met.
        named = self._iid(kind.name) if kind.name else 0
        key = (kind.type, bool(kind.name), kind.note, kind.arg, kind.bits)
        # A hostile trace has a new kind with each record.
        trace, event = self._alike.get(key) or self._alike.setdefault(key, self._begun(kind))
        event.track_uuid = kind.track
        if named:
            event.name_iid = named
        template = trace.SerializeToString()
        size = _VALUE_BYTES[kind.bits] if kind.arg else 0
        self._templates.append(template)
        # The stamp's field comes before the event's.
        self._stamps.append(template.index(_blank_varint(self._stamp_bytes)))
        self._values.append(template.rindex(_blank_varint(size)) if size else 0)
        self._value_bytes.append(size)

    def _begun(self, kind: Kind) -> tuple[Trace, TrackEvent]:
        trace = Trace(packet=[_packet(TracePacket.SEQ_NEEDS_INCREMENTAL_STATE)])
        packet = trace.packet[0]
        packet.timestamp = _blank(self._stamp_bytes)
        event = packet.track_event
        event.type = kind.type
        if kind.note:
            event.debug_annotations.add(name_iid=self._iid(kind.note), bool_value=True)
        if kind.arg:
            blank = _blank(_VALUE_BYTES[kind.bits])
            event.debug_annotations.add(name_iid=self._iid(kind.arg), uint_value=blank)
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
