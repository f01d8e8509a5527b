"""A perf.data of ``perf kvm stat record`` → the trace.dat of version 6 that trace-cmd would have written.

Samples of tracepoints hold the same bytes as records of a ring buffer, and the formats of events lie in the file as
they do in a trace.dat. So one reader does for both, and this puts samples into pages.

Law: no more of the file is in memory at once than what waits for its round's end.
"""

import io
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO

from construct import ConstructError

from traces.errors import TraceError
from traces.kvm.decode.samples import Samples
from traces.kvm.formats import containers, perf
from traces.kvm.formats.perf import Feature, Has

_PAGE, _CPUS_MAX = 4096, 8192
#: Bytes of samples that are read at once, of formats, and of a name; more attributes are none.
_CHUNK, _FORMATS_MAX, _TEXT_MAX, _ATTRS_MAX = 4 << 20, 64 << 20, 4096, 1 << 12
#: Processes of which it is told which threads they have.
_PROCESSES_MAX = 1 << 10
#: Pages that are written at once.
_WRITTEN = 256
#: Where pages begin: before it there is room for formats, names and places.
_BEGIN = _FORMATS_MAX + (4 << 20)


def convert(file: BinaryIO, out: BinaryIO) -> int:
    """Write a trace.dat; say how many records could not be read.

    :param out: an empty file, written at any place
    :raises TraceError: it is no perf.data with samples of tracepoints that can be read: the message says why
    """
    file.seek(0)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        head = perf.HEAD.parse_stream(file)
    except ConstructError as error:
        raise TraceError("is cut, or damaged, in its head") from error
    if head.size == perf.PIPED:
        raise TraceError("came through a pipe, so its parts can't be found: record with -o FILE")
    features = _features(file, head, size)
    formats = features.get(Feature.TRACING_DATA)
    if formats is None:
        raise TraceError("is cut, or has no tracepoints: perf kvm stat record makes one, and formats lie at its end")
    try:
        samples = _samples(file, head, size)
        described = _described(file, *formats, size)
    except ConstructError as error:
        raise TraceError("is cut, or damaged, before its events are described") from error
    places = _write(file, head.data, samples, out, size)
    if samples.compressed:
        raise TraceError("is compressed: record without -z")
    kernel = " ".join(("Linux", *(_text(file, features.get(one), size) for one in (Feature.OSRELEASE, Feature.ARCH))))
    names = {tid: name.decode("utf8", "replace").replace("\n", " ") for tid, name in samples.comms.items()}
    comms = "".join(f"{tid} {name}\n" for tid, name in names.items())
    out.seek(0)
    out.write(_head(described, comms, kernel.strip(), samples.processes, places))
    return int(samples.skipped)


def _features(file: BinaryIO, head: Any, size: int) -> dict[int, tuple[int, int]]:  # noqa: ANN401 - as it was declared
    bits = [bit for bit in range(perf.FEATURES) if head.features[bit // 64] >> bit % 64 & 1]
    found: dict[int, tuple[int, int]] = {}
    at = head.data.offset + head.data.size
    for number, bit in enumerate(bits):
        if at + (number + 1) * perf.PLACE.sizeof() > size:
            break
        file.seek(at + number * perf.PLACE.sizeof())
        place = perf.PLACE.parse_stream(file)
        if place.offset + place.size <= size:
            found[bit] = (place.offset, place.size)
    return found


def _samples(file: BinaryIO, head: Any, size: int) -> Samples:  # noqa: ANN401 - as it was declared
    if head.attr_size < perf.ATTR.sizeof() or head.attrs.offset + head.attrs.size > size:
        raise TraceError("is cut, or damaged, before its events are described")
    kinds: set[int] = set()
    events: set[int] = set()
    for number in range(min(head.attrs.size // head.attr_size, _ATTRS_MAX)):
        file.seek(head.attrs.offset + number * head.attr_size)
        one = perf.ATTR.parse_stream(file)
        if one.type == perf.TRACEPOINT:
            kinds.add(one.sample_type)
            events.add(one.config & 0xFFFF)
    if not events:
        raise TraceError("has no samples of tracepoints: perf kvm stat record makes one")
    kind = Has(min(kinds) & sum(Has))
    wanted = Has.TID | Has.TIME | Has.CPU | Has.RAW
    if len(kinds) > 1 or kind & wanted != wanted or kind & Has.READ:
        raise TraceError("has samples that are not as perf kvm stat record makes them: perf script reads it")
    places = {one: 8 + 8 * index for index, one in enumerate(one for one in perf.ORDER if kind & one)}
    raw = 8 + 8 * len(places)
    chained = bool(kind & Has.CALLCHAIN)
    return Samples(events, places[Has.TID], places[Has.TIME], places[Has.CPU], raw, chained)


def _described(file: BinaryIO, offset: int, length: int, size: int) -> bytes:
    # From the pages' layout up to the names of formats: as a trace.dat has them.
    if length > _FORMATS_MAX or offset + length > size:
        raise TraceError("has formats of events that are cut, or larger than any")
    file.seek(offset)
    data = io.BytesIO(file.read(length))
    told = perf.TRACING.parse_stream(data)
    if told.big_endian or told.long_size != 8:
        raise TraceError("is of a machine that is big-endian or of 32 bits: only perf reads those")
    begin = data.tell()
    for part in (containers.HEADER_INFO, containers.FTRACE_EVENTS, containers.EVENT_FORMATS):
        part.parse_stream(data)
    end = data.tell()
    # Symbols and names of formats are of no use here.
    return data.getvalue()[begin:end] + 2 * bytes(containers.LEFT_OUT.build(b""))


def _text(file: BinaryIO, place: tuple[int, int] | None, size: int) -> str:
    if place is None or not 4 <= place[1] <= _TEXT_MAX or sum(place) > size:
        return ""
    file.seek(place[0] + 4)
    return file.read(place[1] - 4).split(b"\0")[0].decode("utf8", "replace")


def _records(file: BinaryIO, begin: int, end: int) -> Iterator[bytes]:
    at = begin
    while at < end:
        file.seek(at)
        data = file.read(min(_CHUNK, end - at))
        if not data:
            return
        at += len(data)
        yield data


def _write(
    file: BinaryIO,
    data: Any,  # noqa: ANN401 - as it was declared
    samples: Samples,
    out: BinaryIO,
    size: int,
) -> dict[int, tuple[int, int]]:
    # Pages of each processor one behind the other, where there is room for all of them: the file has holes.
    begin = _BEGIN
    end = min(data.offset + data.size, size)
    # A record's head is at most as large as its sample's, and a page is at least half full but a processor's last.
    region = 3 * (end - data.offset) // _PAGE * _PAGE + 2 * _PAGE
    places: dict[int, tuple[int, int]] = {}

    def put() -> None:
        for cpu, page in samples.made:
            offset, written = places.setdefault(cpu, (begin + len(places) * region, 0))
            out.seek(offset + written)
            out.write(page)
            places[cpu] = (offset, written + len(page))
        samples.made.clear()

    rest = b""
    for chunk in _records(file, data.offset, end):
        whole = rest + chunk
        used = samples.feed(whole)
        rest = whole[used:]
        if len(samples.made) > _WRITTEN:
            put()
        if samples.compressed:
            return places
    samples.finish()
    put()
    return places


def _head(
    described: bytes, comms: str, kernel: str, processes: Mapping[int, int], places: dict[int, tuple[int, int]]
) -> bytes:
    threads: dict[int, list[int]] = {}
    for tid, pid in sorted(processes.items()):
        threads.setdefault(pid, []).append(tid)
    cpus = max(places, default=-1) + 1
    head = containers.HEAD.build({"version": "6", "big_endian": 0, "long_size": 8, "page_size": _PAGE}) + described
    head += containers.CMDLINES.build(comms.encode()) + containers.NUMBER.build(cpus)
    head += containers.OPTIONS_WORD
    head += containers.OPTION.build({"id": containers.Option.TRACECLOCK, "data": b"[perf]"})
    head += containers.OPTION.build({"id": containers.Option.UNAME, "data": kernel.encode()})
    for pid, of in islice(threads.items(), _PROCESSES_MAX):
        data = containers.MACHINE.build({"pid": pid, "name": "", "threads": of})
        head += containers.OPTION.build({"id": containers.Option.MACHINE, "data": data})
    head += containers.SHORT.build(containers.Option.DONE) + containers.FLYRECORD
    for cpu in range(cpus):
        offset, size = places.get(cpu, (0, 0))
        head += containers.PLACE.build({"offset": offset, "size": size})
    return bytes(head)
