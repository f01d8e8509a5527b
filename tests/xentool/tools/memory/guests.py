"""Guests made of tables: memory that is laid out entry by entry, and what a source would tell of it."""

import struct
from collections.abc import Sequence

from xentool.tools.memory.guest import Facts, Kind, Subject, Vcpu
from xentool.tools.memory.paging import FOUR_LEVELS, PAGE_BYTES, Mode, Paging
from xentool.tools.memory.xen_structs import MARKS

P, W, U, A, D, LARGE, G, NX = 1, 2, 4, 32, 64, 128, 256, 1 << 63


class Memory:
    """Frames that were written to; others cannot be read. Counts how often each is read."""

    def __init__(self) -> None:
        self.pages: dict[int, bytearray] = {}
        self.reads: list[int] = []

    def put(self, frame: int, index: int, entry: int, size: int = 8) -> None:
        """Write an entry of a table."""
        page = self.pages.setdefault(frame, bytearray(PAGE_BYTES))
        page[index * size : (index + 1) * size] = entry.to_bytes(size, "little")

    def read(self, frame: int) -> bytes | None:
        """Give a frame, as `Guest.read` does."""
        self.reads.append(frame)
        page = self.pages.get(frame)
        return None if page is None else bytes(page)

    def map(self, mode: Mode, root: int, va: int, entries: Sequence[int]) -> None:
        """Write the entries that an address takes, from the root's on, each into the table that the last led to."""
        table = root
        for level, entry in zip(mode.levels, entries, strict=False):
            at = table + level.index(va) * mode.entry_bytes
            self.put(at >> 12, (at & 0xFFF) // mode.entry_bytes, entry, mode.entry_bytes)
            table = entry & 0x000FFFFFFFFFF000


#: A PV guest's kernel text, as Xen 4.17 has it: from a real guest's tables.
TEXT = 0xFFFFFFFF81A442B5
ENTRIES = (0x149415067, 0x149416067, 0x14B413067, 0x0010000148C44065)
ROOT = 0x15CE6E000


class PvGuest:
    """A PV guest; what is known of its frames is computed: pfn = mfn - 0x147200."""

    def __init__(self, name: str | None = "web") -> None:
        self.memory = Memory()
        self.memory.map(FOUR_LEVELS, ROOT, TEXT, ENTRIES)
        self.foreign: dict[int, Facts] = {}
        how = Paging(FOUR_LEVELS, ROOT, marks=MARKS)
        vcpu = Vcpu(0, 0xFFFFFFFF81E0B2AA, False, how, {"cr0": 0x80050033, "cr3": ROOT, "cr4": 0x2660})
        self.subject = Subject(1, name, "pv", Kind.DIRECT, "mfn", vcpu)

    def read(self, frame: int) -> bytes | None:
        """Give a frame."""
        return self.memory.read(frame)

    def facts(self, frames: Sequence[int]) -> list[Facts]:
        """Tell about frames."""
        levels = {0x15CE6E: 4, 0x149415: 3, 0x149416: 2, 0x14B413: 1}
        return [
            self.foreign.get(frame)
            or Facts(frame, frame - 0x147200, 1, table=levels.get(frame), pinned=frame == ROOT >> 12)
            for frame in frames
        ]


def packed(size: int, layout: dict[str, tuple[str, int]], **fields: int) -> bytes:
    """Make a struct of Xen's with these fields, and the rest 0."""
    made = bytearray(size)
    for name, value in fields.items():
        kind, at = layout[name]
        struct.pack_into(f"<{kind}", made, at, value)
    return bytes(made)
