"""Ways in which a trace comes damaged; each changes bytes in place and needs only a source of chance."""

import random
import struct
from collections.abc import Callable

from tests.traces.captures import capture
from traces.xen.formats import events as xentrace

Damage = Callable[[bytearray, random.Random], None]

_WINDOW = struct.Struct("<III")
_CPU_CHANGE = 2 << xentrace.EXTRA_SHIFT | xentrace.CPU_CHANGE


def windows(data: bytes | bytearray) -> list[tuple[int, int]]:
    """Give where each window of a whole capture begins and ends, in bytes."""
    found: list[tuple[int, int]] = []
    at = 0
    while at + _WINDOW.size <= len(data):
        end = at + _WINDOW.size + int(_WINDOW.unpack_from(data, at)[2])
        found.append((at, min(end, len(data))))
        at = end
    return found


def _header(event: int, words: int, *, stamped: bool) -> int:
    return event | words << xentrace.EXTRA_SHIFT | (xentrace.CYCLES_FLAG if stamped else 0)


def _records(data: bytearray, chance: random.Random) -> list[tuple[int, int]]:
    # Offset and header of the records of one window.
    begin, end = chance.choice(windows(data))
    found: list[tuple[int, int]] = []
    at = begin + _WINDOW.size
    while at + 4 <= end:
        (header,) = struct.unpack_from("<I", data, at)
        found.append((at, header))
        at += 4 + 4 * (header >> xentrace.EXTRA_SHIFT & 7) + (8 if header & xentrace.CYCLES_FLAG else 0)
    return found


def _put_record(event: int, words: tuple[int, ...]) -> Damage:
    # In place of some record of the same length, or else of the bytes there.
    def damage(data: bytearray, chance: random.Random) -> None:
        records = _records(data, chance)
        fitting = [(at, header) for at, header in records if header >> xentrace.EXTRA_SHIFT & 7 == len(words)]
        at, header = chance.choice(fitting or records or [(0, 0)])
        stamped = bool(header & xentrace.CYCLES_FLAG)
        size = 4 + 8 * stamped + 4 * len(words)
        if at + size <= len(data):
            struct.pack_into("<I", data, at, _header(event, len(words), stamped=stamped))
            struct.pack_into(f"<{len(words)}I", data, at + size - 4 * len(words), *words)

    return damage


def _put_pcpu(pcpu: int) -> Damage:
    def damage(data: bytearray, chance: random.Random) -> None:
        struct.pack_into("<I", data, chance.choice(windows(data))[0] + 4, pcpu)

    return damage


def _put_stamp(data: bytearray, chance: random.Random) -> None:
    stamped = [at for at, header in _records(data, chance) if header & xentrace.CYCLES_FLAG]
    if stamped:
        at = chance.choice(stamped) + 4
        stamp = chance.choice((0, 1, (1 << 64) - 1, 1 << 63, chance.getrandbits(64)))
        if at + 8 <= len(data):
            struct.pack_into("<Q", data, at, stamp)


def _flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randrange(1, 20)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 400)]


def _insert(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.randrange(1, 400))


def _zero(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    size = min(chance.randrange(1, 5000), len(data) - at)
    data[at : at + size] = bytes(size)


def _splice(data: bytearray, chance: random.Random) -> None:
    begin, end = chance.choice(windows(data))
    piece = bytes(data[begin:end])
    at = chance.choice(windows(data))[0]
    data[at:at] = piece


def _swap(data: bytearray, chance: random.Random) -> None:
    (first, first_end), (second, second_end) = sorted(chance.choices(windows(data), k=2))
    if first_end <= second:
        data[first:second_end] = data[second:second_end] + data[first_end:second] + data[first:first_end]


def _repeat(data: bytearray, _chance: random.Random) -> None:
    data += bytes(data)


def _truncate(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data)) :]


def _mangle_window(data: bytearray, chance: random.Random) -> None:
    # `xentrace -M` writes a window's header without regard to its ring's end: part of it lies elsewhere.
    begin, _ = chance.choice(windows(data))
    del data[begin : begin + chance.randrange(1, _WINDOW.size)]


def _lie_about_size(data: bytearray, chance: random.Random) -> None:
    begin, end = chance.choice(windows(data))
    size = chance.choice((0, 1, 3, end - begin + 4, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF))
    struct.pack_into("<I", data, begin + 8, size)


_GUEST_EVENT = 0x0800F001
_MAX = 0xFFFFFFFF

DAMAGES: dict[str, Damage] = {
    "bits flipped": _flip_bits,
    "bytes cut out": _cut,
    "bytes put in": _insert,
    "zeros": _zero,
    "truncated": _truncate,
    "a window twice": _splice,
    "windows swapped": _swap,
    "two captures end to end": _repeat,
    "a mangled window header": _mangle_window,
    "a window of another size": _lie_about_size,
    "pCPU 300": _put_pcpu(300),
    "pCPU 4095": _put_pcpu(4095),
    "pCPU -1": _put_pcpu(_MAX),
    "a time stamp from anywhere": _put_stamp,
    "a guest's own event": _put_record(_GUEST_EVENT, (1, 2)),
    "an unknown event": _put_record(0x0FFF_FFFF, (_MAX,)),
    "exit reason 62": _put_record(xentrace.HVM_VMX_EXIT, (62, 0)),
    "exit reason -1": _put_record(xentrace.HVM_SVM_EXIT | xentrace.FLAG_64, (_MAX, 0, 0)),
    "hypercall -1": _put_record(xentrace.PV_HYPERCALL_V2, (_MAX, _MAX)),
    "run state of d65535v65535": _put_record(xentrace.RUNSTATE_CHANGE | 1 << 8, (_MAX,)),
    "grant map of d-1": _put_record(xentrace.GRANT_MAP, (_MAX,)),
    "absurdly many lost": _put_record(xentrace.LOST_RECORDS, (_MAX, 5, _MAX, _MAX)),
    "a window inside a window": _put_record(xentrace.CPU_CHANGE, (1, _MAX)),
    "a wrap record of 7 words": _put_record(xentrace.WRAP_BUFFER, (0, 0, 0, 0, 0, 0, 0)),
}


def piece(name: str, size: int = 20_000) -> bytes:
    """Give whole windows from a capture's middle, or else the beginning of one."""
    data = capture(name)
    found = windows(data)
    begin = found[len(found) // 2][0]
    end = max((end for _, end in found if end - begin <= size), default=begin)
    if end > begin:
        return data[begin:end]
    # Windows of a busy host are larger than that: cut one at a record's end.
    end = begin + 12
    while True:
        header = int.from_bytes(data[end : end + 4], "little")
        length = 4 + 4 * (header >> 28 & 7) + (8 if header >> 31 else 0)
        if end + length - begin > size:
            return data[begin : begin + 8] + (end - begin - 12).to_bytes(4, "little") + data[begin + 12 : end]
        end += length
