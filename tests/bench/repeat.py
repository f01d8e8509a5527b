"""Make a large capture of a real one: the same records over and over, each time later by the capture's length.

Between two repetitions each pCPU gets a record that says that some were lost: without, run states would contradict
each other there, and xenalyze gives up.
"""

import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np

from traces.reader import Reader
from traces.table import EventTable
from traces.xen.formats import events as xentrace

SEAM = struct.Struct("<IIIIQIHHQ")
#: Cycles between two repetitions, which keep the pCPUs' records apart.
GAP = 3_000_000


def repeat(capture: bytes, output: IO[bytes], size: int) -> int:
    """Write at least ``size`` bytes; return how many were written. Only time stamps differ between repetitions."""
    reader = Reader()
    tables = [*reader.feed(capture), *reader.finish()]
    offsets = np.concatenate([table.offset[table.timed == 1] for table in tables]).astype(np.int64) + 4
    stamps = np.concatenate([table.tsc[table.timed == 1] for table in tables])
    length = int(stamps.max() - stamps.min()) + GAP
    running = first_running(tables)
    data = np.frombuffer(bytearray(capture), np.uint8)
    # The stamps lie on any byte: write each of their eight bytes apart.
    places = offsets[:, None] + np.arange(8)
    written = 0
    for turn in range(-(-size // len(capture))):
        data[places] = (stamps + np.uint64(turn * length)).astype("<u8").view(np.uint8).reshape(-1, 8)
        written += output.write(data.tobytes())
        end = int(stamps.max()) + turn * length
        written += sum(output.write(seam(pcpu, *who, end + 1, end + GAP - 1)) for pcpu, who in sorted(running.items()))
    return written


def first_running(tables: Iterable[EventTable]) -> dict[int, tuple[int, int]]:
    """Find who (domid, vcpu) ran on each pCPU when the capture began: who is first said to stop or go on there."""
    found: dict[int, tuple[int, int]] = {}
    for table in tables:
        base = table.event & ~np.uint32(xentrace.RUNSTATE_BITS)
        stops = (base == xentrace.RUNSTATE_CHANGE) & (table.event >> xentrace.RUNSTATE_OLD_SHIFT & 3 == 0)
        rows = np.flatnonzero(stops | (table.event == xentrace.CONTINUE_RUNNING))
        for row, word in zip(rows.tolist(), table.word(rows, 0).tolist(), strict=True):
            found.setdefault(int(table.pcpu[row]), (word >> 16, word & 0xFFFF))
    return found


def seam(pcpu: int, domid: int, vcpu: int, first_tsc: int, tsc: int) -> bytes:
    """Build a window with a LOST_RECORDS record."""
    header = xentrace.LOST_RECORDS | 4 << xentrace.EXTRA_SHIFT | xentrace.CYCLES_FLAG
    window = (xentrace.CPU_CHANGE | 2 << xentrace.EXTRA_SHIFT, pcpu, SEAM.size - 12)
    return SEAM.pack(*window, header, tsc, 1, domid, vcpu, first_tsc)


if __name__ == "__main__":
    source, target, megabytes = sys.argv[1:]
    with Path(target).open("wb") as file:
        repeat(Path(source).read_bytes(), file, int(megabytes) * 1_000_000)
