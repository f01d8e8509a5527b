"""The parts of a perf.data that is a file, of a little-endian machine.

Ref: Linux, tools/perf/Documentation/perf.data-file-format.txt; include/uapi/linux/perf_event.h (perf_event_attr,
perf_event_sample_format); tools/perf/util/trace-event-info.c, whose tracing data begins as a trace.dat does
"""

from enum import IntEnum, IntFlag

from construct import Const, CString, GreedyBytes, Int8ul, Int32ul, Int64ul, Prefixed, Struct

from traces.kvm import MAGIC, PERF_MAGIC

PLACE = Struct("offset" / Int64ul, "size" / Int64ul)
#: The features' bits are 256.
FEATURES = 256
HEAD = Struct(
    "magic" / Const(PERF_MAGIC),
    "size" / Int64ul,
    "attr_size" / Int64ul,
    "attrs" / PLACE,
    "data" / PLACE,
    "event_types" / PLACE,
    "features" / Int64ul[FEATURES // 64],
)
#: How large the head is of what came through a pipe, which has none of all that.
PIPED = 16
#: An attribute's first fields; its numbers lie behind it.
ATTR = Struct(
    "type" / Int32ul,
    "size" / Int32ul,
    "config" / Int64ul,
    "period" / Int64ul,
    "sample_type" / Int64ul,
    "read_format" / Int64ul,
)
#: perf_type_id
TRACEPOINT = 2
TEXT = Prefixed(Int32ul, GreedyBytes)
#: Before the formats, which follow as in a trace.dat of version 6.
TRACING = Struct(Const(MAGIC), "version" / CString("ascii"), "big_endian" / Int8ul, "long_size" / Int8ul, Int32ul)


class Feature(IntEnum):
    """Features that are read."""

    TRACING_DATA = 1
    OSRELEASE = 4
    ARCH = 6


class Has(IntFlag):
    """What samples have, by their type's bits; ``ORDER`` is that of what lies before RAW."""

    IP = 1 << 0
    TID = 1 << 1
    TIME = 1 << 2
    ADDR = 1 << 3
    READ = 1 << 4
    CALLCHAIN = 1 << 5
    ID = 1 << 6
    CPU = 1 << 7
    PERIOD = 1 << 8
    STREAM_ID = 1 << 9
    RAW = 1 << 10
    IDENTIFIER = 1 << 16


#: Each of these takes eight bytes.
ORDER = (Has.IDENTIFIER, Has.IP, Has.TID, Has.TIME, Has.ADDR, Has.ID, Has.STREAM_ID, Has.CPU, Has.PERIOD)
