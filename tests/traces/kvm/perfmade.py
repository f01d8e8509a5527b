"""perf.datas for the tests: a real one, and those made here, record by record."""

import lzma
import struct
from collections.abc import Sequence
from functools import cache

from tests.traces.kvm.traces import EVENTS, FOLDER, Told, described, record
from traces.kvm import MAGIC
from traces.kvm.formats import containers, perf
from traces.kvm.formats.perf import Feature, Has

#: As perf kvm stat record asks for it.
KIND = Has.IDENTIFIER | Has.IP | Has.TID | Has.TIME | Has.CPU | Has.PERIOD | Has.RAW
ROUND = struct.pack("<IHH", 68, 0, 8)
PROCESS = 400


@cache
def perf_sample() -> bytes:
    """Give a real one: Linux 6.1 with one machine."""
    return lzma.decompress((FOLDER / "linux-6.1-virtio.perf.data.xz").read_bytes())


def sample(told: Told, cpu: int = 0, kind: int = KIND, chain: Sequence[int] = ()) -> bytes:
    """Give a sample's record."""
    values = {
        Has.IDENTIFIER: 7,
        Has.IP: 0xFFFFFFFF81000000,
        Has.TID: told.pid << 32 | PROCESS,
        Has.TIME: told.ts,
        Has.CPU: cpu,
        Has.PERIOD: 1,
    }
    body = b"".join(values.get(one, 0).to_bytes(8, "little") for one in perf.ORDER if kind & one)
    if kind & Has.CALLCHAIN:
        body += struct.pack(f"<Q{len(chain)}Q", len(chain), *chain)
    data = record(told)
    # All is of whole words of eight bytes, the length before it among them.
    data += bytes(-(len(data) + 4) % 8)
    body += struct.pack("<I", len(data)) + data
    return struct.pack("<IHH", 9, 1, 8 + len(body)) + body


def lost(count: int) -> bytes:
    """Give the record of a loss."""
    return struct.pack("<IHHQQ", 2, 0, 24, 7, count)


def comm(tid: int, name: str) -> bytes:
    """Give the record of a thread's name."""
    text = name.encode().ljust(16, b"\0")
    return struct.pack("<IHHII", 3, 0, 16 + len(text), PROCESS, tid) + text


def perfdata(records: Sequence[bytes], kinds: Sequence[int] = (KIND,), flags: Sequence[int] = (1, 4)) -> bytes:
    """Make a perf.data.

    :param kinds: of samples, for a tracepoint each; the last one for those that are left
    :param flags: of its features
    """
    attrs = b""
    for number, event in enumerate(EVENTS.values()):
        kind = kinds[min(number, len(kinds) - 1)]
        one = {"type": perf.TRACEPOINT, "size": 128, "config": event.number, "period": 1, "sample_type": kind}
        attrs += perf.ATTR.build({**one, "read_format": 4}).ljust(144, b"\0")
    data = b"".join(records)
    begin = perf.HEAD.sizeof()
    at = begin + len(attrs) + len(data) + 16 * len(flags)
    tracing = MAGIC + b"0.6\0\0\x08" + (4096).to_bytes(4, "little") + described()
    tracing += 2 * containers.LEFT_OUT.build(b"") + containers.CMDLINES.build(b"")
    release = perf.TEXT.build(b"6.1.0-test".ljust(64, b"\0"))
    features = {int(Feature.TRACING_DATA): bytes(tracing), int(Feature.OSRELEASE): bytes(release)}
    table, body = b"", b""
    for flag in sorted(flags):
        one_ = features.get(flag, bytes(8))
        table += perf.PLACE.build({"offset": at + len(body), "size": len(one_)})
        body += one_
    head = {
        "size": begin,
        "attr_size": 144,
        "attrs": {"offset": begin, "size": len(attrs)},
        "data": {"offset": begin + len(attrs), "size": len(data)},
        "event_types": {"offset": 0, "size": 0},
        "features": [sum(1 << flag for flag in flags), 0, 0, 0],
    }
    return bytes(perf.HEAD.build(head)) + attrs + data + table + body
