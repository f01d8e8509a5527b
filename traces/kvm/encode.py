"""A recording as a trace.dat of version 6, which every trace-cmd reads: all that lies before its pages.

Ref: trace-cmd.dat.v6(5). Behind the option that ends the options there is no size.
"""

from collections.abc import Mapping, Sequence

from traces.kvm.decode.tracedat import Process
from traces.kvm.formats import containers
from traces.kvm.formats.containers import Option
from traces.kvm.stream import Head
from traces.plain import frozen


@frozen
class Opening:
    """The bytes before the pages, and where each processor's begin in the file."""

    data: bytes
    places: Mapping[int, int]


def opening(
    head: Head, process: Process, threads: Mapping[int, str], stats: Sequence[str], sizes: Mapping[int, int]
) -> Opening:
    """Write what comes before the pages.

    :param process: the machine that was recorded, which an option of this program's own tells
    :param threads: names of threads, by number
    :param stats: what the kernel said of each processor's buffer
    :param sizes: bytes of each processor's pages
    """
    cpus = max(head.cpus) + 1
    out = b"".join(
        (
            containers.HEAD.build({"version": "6", "big_endian": 0, "long_size": 8, "page_size": head.page_size}),
            containers.HEADER_INFO.build({"page": head.header_page, "event": head.header_event}),
            containers.FTRACE_EVENTS.build([]),
            containers.EVENT_FORMATS.build(
                [{"system": system, "events": list(texts)} for system, texts in head.formats.items()]
            ),
            containers.LEFT_OUT.build(b""),
            containers.LEFT_OUT.build(b""),
            containers.CMDLINES.build("".join(f"{tid} {name}\n" for tid, name in sorted(threads.items())).encode()),
            containers.NUMBER.build(cpus),
            containers.OPTIONS_WORD,
            *(containers.OPTION.build({"id": number, "data": data}) for number, data in _options(head, process, stats)),
            containers.SHORT.build(Option.DONE),
            containers.FLYRECORD,
        )
    )
    at = len(out) + cpus * containers.PLACE.sizeof()
    at += -at % head.page_size
    begin, table, places = at, b"", {}
    for cpu in range(cpus):
        size = sizes.get(cpu, 0)
        table += containers.PLACE.build({"offset": at, "size": size})
        places[cpu] = at
        at += size
    return Opening((out + table).ljust(begin, b"\0"), places)


def _options(head: Head, process: Process, stats: Sequence[str]) -> list[tuple[int, bytes]]:
    machine = {"pid": process.pid, "name": process.name or "", "threads": sorted(process.threads)}
    return [
        (Option.TRACECLOCK, head.clock.encode() + b"\0"),
        (Option.UNAME, head.kernel.encode() + b"\0"),
        *((Option.CPUSTAT, one.encode() + b"\0") for one in stats),
        (Option.MACHINE, containers.MACHINE.build(machine)),
    ]
