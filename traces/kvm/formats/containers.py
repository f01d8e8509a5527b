"""The parts of a trace.dat, versions 6 and 7, of a little-endian machine with longs of 8 bytes.

Ref: trace-cmd.dat.v6(5), trace-cmd.dat.v7(5)
"""

from enum import IntEnum

from construct import (
    Const,
    CString,
    ExprValidator,
    GreedyBytes,
    Int8ul,
    Int16ul,
    Int32ul,
    Int64ul,
    Prefixed,
    PrefixedArray,
    Struct,
    obj_,
)

from traces.kvm import MAGIC

#: A section's flag.
COMPRESSED = 1


class Section(IntEnum):
    """Sections of version 7, and the options that say where they are."""

    OPTIONS = 0
    BUFFER = 3
    HEADER_INFO = 16
    FTRACE_EVENTS = 17
    EVENT_FORMATS = 18
    KALLSYMS = 19
    PRINTK = 20
    CMDLINES = 21


class Option(IntEnum):
    """Options that are read; those that say where a section is have the section's number."""

    DONE = 0
    DATE = 1
    CPUSTAT = 2
    BUFFER = 3
    TRACECLOCK = 4
    UNAME = 5
    OFFSET = 7
    CPUCOUNT = 8
    GUEST = 13
    TSC2NSEC = 14
    #: This program's own, which others leave out: a machine that was recorded.
    MACHINE = 0x5854


_TEXT = CString("utf8")
_SIZED = Prefixed(Int64ul, GreedyBytes)
SHORT, NUMBER, OFFSET = Int16ul, Int32ul, Int64ul

HEAD = Struct(
    "magic" / Const(MAGIC),
    "version" / CString("ascii"),
    "big_endian" / Int8ul,
    "long_size" / Int8ul,
    "page_size" / Int32ul,
)
#: Version 7, after the head: how sections are compressed, and where the first options are.
SEVENTH = Struct("compression" / CString("ascii"), "compression_version" / CString("ascii"), "options" / Int64ul)
SECTION = Struct("id" / Int16ul, "flags" / Int16ul, "description" / Int32ul, "size" / Int64ul)
#: What is compressed, and before it how large it is, packed and not.
PACKED = Struct("packed" / Int32ul, "unpacked" / Int32ul)
OPTION = Struct("id" / Int16ul, "data" / Prefixed(Int32ul, GreedyBytes))
BUFFER = Struct(
    "offset" / Int64ul,
    "name" / _TEXT,
    "clock" / _TEXT,
    "page_size" / Int32ul,
    "cpus" / PrefixedArray(Int32ul, Struct("cpu" / Int32ul, "offset" / Int64ul, "size" / Int64ul)),
)
#: Version 6's option of an instance: where its table of processors is.
OLD_BUFFER = Struct("offset" / Int64ul, "name" / _TEXT)
HEADER_INFO = Struct(Const(b"header_page\0"), "page" / _SIZED, Const(b"header_event\0"), "event" / _SIZED)
#: Systems of events, and events of one of them: Linux has some 150, of which the largest has 800.
_SYSTEMS, _EVENTS = (ExprValidator(Int32ul, obj_ <= most) for most in (1 << 9, 1 << 12))
FTRACE_EVENTS = PrefixedArray(_EVENTS, _SIZED)
EVENT_FORMATS = PrefixedArray(_SYSTEMS, Struct("system" / _TEXT, "events" / PrefixedArray(_EVENTS, _SIZED)))
CMDLINES = _SIZED
#: Names of functions and of formats, which nothing here asks for.
LEFT_OUT = Prefixed(Int32ul, GreedyBytes)
#: Version 6: an option's data, behind its number; the last one has none.
OPTION_DATA = Prefixed(Int32ul, GreedyBytes)
GUEST = Struct(
    "name" / _TEXT, "trace_id" / Int64ul, "cpus" / PrefixedArray(Int32ul, Struct("cpu" / Int32ul, "pid" / Int32ul))
)
#: Its process, what it is called, or nothing, and its threads.
MACHINE = Struct("pid" / Int32ul, "name" / _TEXT, "threads" / PrefixedArray(Int32ul, Int32ul))
TSC2NSEC = Struct("mult" / Int32ul, "shift" / Int32ul, "offset" / Int64ul)
#: Version 6: ten bytes that say what comes next.
OPTIONS_WORD, FLYRECORD = b"options  \0", b"flyrecord\0"
PLACE = Struct("offset" / Int64ul, "size" / Int64ul)
