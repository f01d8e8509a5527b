"""Makers of trace.dats that nobody records: each has more of one thing than any host, so that what grows with it shows.

A maker takes how many and gives a whole trace; what it makes grows with that number alone.
"""

import struct
from collections.abc import Callable, Iterable

from tests.traces.kvm.traces import EVENTS, PAGE, sixth

_ROOM = PAGE - 16
#: Numbers of events that have a format, and of none.
_FORMATS, _NUMBERS = range(1000, 5000), range(30_000, 60_000)
_PIDS = 1 << 22
_SHORT = 4 * 28
_GOLDEN = 0x9E3779B9


def _record(ts: int, event: int, pid: int, body: bytes = b"") -> tuple[int, bytes]:
    return ts, struct.pack("<HHI", event, 0, pid) + body


def _of(name: str, ts: int, pid: int, *values: int) -> tuple[int, bytes]:
    sizes = {4: "I", 8: "Q"}
    event = EVENTS[name]
    return _record(ts, event.number, pid, struct.pack("<" + "".join(sizes[one] for *_, one in event.fields), *values))


def _pages(records: Iterable[tuple[int, bytes]]) -> list[bytes]:
    found: list[bytes] = []
    body: list[bytes] = []
    used, first, last = 0, 0, 0
    for ts, data in records:
        if used + 8 + len(data) > _ROOM or (used and not 0 <= ts - last < 1 << 27):
            found.append((struct.pack("<QQ", first, used) + b"".join(body)).ljust(PAGE, b"\0"))
            body, used = [], 0
        if not used:
            first = last = ts
        # A long one says its length in a word of its own, which counts itself.
        long = len(data) > _SHORT
        head = (ts - last << 5, len(data) + 4) if long else (len(data) // 4 | (ts - last) << 5,)
        body.append(struct.pack(f"<{len(head)}I", *head) + data)
        used += 4 * len(head) + len(data)
        last = ts
    found.append((struct.pack("<QQ", first, used) + b"".join(body)).ljust(PAGE, b"\0"))
    return found


def _one(records: Iterable[tuple[int, bytes]]) -> bytes:
    return sixth([_pages(records)])


def machines(count: int) -> bytes:
    """Machines of one vCPU each, heard of once."""
    return _one(_of("kvm_entry", 1000 + i, (i * _GOLDEN) % _PIDS, 0, 0) for i in range(count))


def vcpus(count: int) -> bytes:
    """One machine of so many vCPUs."""
    return _one(_of("kvm_entry", 1000 + i, i + 1, 0, i & 0xFFFF) for i in range(count))


def working(count: int) -> bytes:
    """Many machines that work: each enters, exits and is switched out, again and again."""
    told = []
    for i in range(count // 4):
        pid, ts = i % 5000 + 1, 1000 + 40 * i
        told += [
            _of("sched_switch", ts, 0, 0, pid, 0),
            _of("kvm_entry", ts + 10, pid, 0, 0),
            _of("kvm_exit", ts + 20, pid, 2, 0, 0x78),
            _of("sched_switch", ts + 30, pid, pid, 0, i & 1),
        ]
    return _one(told)


def _exits(count: int, pids: int) -> bytes:
    told = []
    for i in range(count // 2):
        pid = i % pids + 1
        told += [
            _of("kvm_exit", 1000 + 2 * i, pid, 2, 0, (i * _GOLDEN) & 0xFFFFFFFF),
            _of("kvm_entry", 1001 + 2 * i, pid, 0, 0),
        ]
    return _one(told)


def reasons(count: int) -> bytes:
    """Exits for a new reason each time."""
    return _exits(count, 1)


def reasons_of_many(count: int) -> bytes:
    """The same of many machines."""
    return _exits(count, 3000)


def addresses(count: int) -> bytes:
    """Accesses to another address each."""
    return _one(
        _of("kvm_mmio", 1000 + i, 1, 2, 4, (i * _GOLDEN) & 0xFFFFFFFFFFF, i) if i else _of("kvm_entry", 1000, 1, 0, 0)
        for i in range(count)
    )


def registers(count: int) -> bytes:
    """Accesses to another register each."""
    return _one(
        _of("kvm_msr", 1000 + i, 1, i & 1, (i * _GOLDEN) & 0xFFFFFFFF, i) if i else _of("kvm_entry", 1000, 1, 0, 0)
        for i in range(count)
    )


def vectors(count: int) -> bytes:
    """Interrupts of another vector each."""
    return _one(
        _of("kvm_inj_virq", 1000 + i, 1, (i * _GOLDEN) & 0xFFFFFFFF) if i else _of("kvm_entry", 1000, 1, 0, 0)
        for i in range(count)
    )


def strangers(count: int) -> bytes:
    """Events of another number each, that no format tells of."""
    return _one(_record(1000 + i, _NUMBERS[i % len(_NUMBERS)], 1, bytes(4)) for i in range(count))


def formats(count: int) -> bytes:
    """Many formats, and a record of each after the other."""
    told = [
        f"name: e{number}\nID: {number}\nformat:\n\tfield:u32 f{number};\toffset:8;\tsize:4;\tsigned:0;\n\n"
        for number in _FORMATS[: max(count // 20, 1)]
    ]
    records = (_record(1000 + i, _FORMATS[i % len(told)], 1, bytes(4)) for i in range(count))
    return sixth([_pages(records)], formats=told)


def fields(count: int) -> bytes:
    """An event of 250 texts, another one each time."""
    own = "".join(f"\tfield:char f{i}[4];\toffset:{8 + 4 * i};\tsize:4;\tsigned:0;\n" for i in range(250))
    told = f'name: many\nID: 1000\nformat:\n{own}\nprint fmt: ""\n'
    records = (
        _record(1000 + i, 1000, 1, struct.pack("<250I", *(i * 250 + at for at in range(250))))
        for i in range(max(count // 50, 1))
    )
    return sixth([_pages(records)], formats=[told])


def texts(count: int) -> bytes:
    """An event of a text that is another one each time, and lies where it says."""
    told = (
        "name: said\nID: 1000\nformat:\n\tfield:__data_loc char[] what;\toffset:8;\tsize:4;\tsigned:0;\n"
        '\tfield:char who[16];\toffset:12;\tsize:16;\tsigned:0;\n\nprint fmt: ""\n'
    )
    records = (
        _record(1000 + i, 1000, 1, struct.pack("<I16s8s", 28 | 8 << 16, b"%x" % i, b"%x" % (i * 7)))
        for i in range(count)
    )
    return sixth([_pages(records)], formats=[told])


def processors(count: int) -> bytes:
    """So many processors as there can be, and a page of a few records of each."""
    cpus = max(min(count // 300, 8000), 1)
    each = max(count // cpus, 1)
    return sixth(
        [_pages(_of("kvm_entry", 1000 + cpu + i, cpu % 500 + 1, 0, 0) for i in range(each)) for cpu in range(cpus)]
    )


def backwards(count: int) -> bytes:
    """Pages each of which is older than the one before it."""
    found = _pages(_of("kvm_entry", 1000 + i, i % 7 + 1, 0, 0) for i in range(count))
    return sixth([found[::-1]])


def far_apart(count: int) -> bytes:
    """Records as far apart as their clock can tell, a page each."""
    return _one(_of("kvm_entry", (1000 + i) << 40, i % 7 + 1, 0, 0) for i in range(count // 60))


def lost(count: int) -> bytes:
    """Pages each of which tells of a loss."""
    found = []
    for i in range(max(count // 100, 1)):
        head = struct.pack("<QQ", 1000 + i, 12 + 8 | 1 << 31 | 1 << 30)
        body = struct.pack("<I", 4 | 1 << 5) + struct.pack("<HHI", 11, 0, 1) + bytes(8)
        found.append((head + body + struct.pack("<Q", 1 << 40)).ljust(PAGE, b"\0"))
    return sixth([found])


def names(count: int) -> bytes:
    """Names of so many threads."""
    return sixth([_pages([_of("kvm_entry", 1000, 1, 0, 0)])], "".join(f"{i} {i:x} {i:o}\n" for i in range(count)))


MAKERS: dict[str, Callable[[int], bytes]] = {
    "kvm machines": machines,
    "kvm vcpus": vcpus,
    "kvm working": working,
    "kvm reasons": reasons,
    "kvm reasons_of_many": reasons_of_many,
    "kvm addresses": addresses,
    "kvm registers": registers,
    "kvm vectors": vectors,
    "kvm strangers": strangers,
    "kvm formats": formats,
    "kvm fields": fields,
    "kvm texts": texts,
    "kvm processors": processors,
    "kvm backwards": backwards,
    "kvm far_apart": far_apart,
    "kvm lost": lost,
    "kvm names": names,
}
