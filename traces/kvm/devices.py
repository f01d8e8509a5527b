"""Which device answers at a port or an address of memory: by a map of the machine, or by where PCs have them.

A map is text, as QEMU's monitor gives it (``info mtree``, with -f or without), or the guest's Linux in /proc/iomem and
/proc/ioports: a range and a name a line. What lies in several ranges has the name of the smallest.

Ref: QEMU, softmmu/memory.c (mtree_print_mr, mtree_print_flatview); Linux, kernel/resource.c (r_show)
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from heapq import heappop, heappush

from traces.plain import frozen

#: Lines of a map, at most, and characters of a name.
_LINES_MAX, _NAME_MAX = 1 << 14, 80
_LINE = re.compile(r"^\s*([0-9a-f]{4,16})-([0-9a-f]{4,16})\s*(?:\(prio -?\d+,[^)]*\))?\s*:\s*(\S.*?)\s*$")
#: What says, before them, that ranges are of ports, or of memory.
_HEADING = re.compile(r'^\s*(?:address-space:|AS|Root memory region:)\s*"?(I/O|io|memory|system)\b')
#: Names that say nothing: containers, and what stands where nothing is.
_CONTAINERS = {"system", "pci", "io", "bus master container", "bus master"}
#: Digits of a port in /proc/ioports.
_PORT_DIGITS = 4
_PORT_MAX = 0xFFFF
#: More than any range of memory has.
_BEHIND = 1 << 64


@frozen
class Range:
    """Ports ("port") or memory ("memory") of a device, from the first to the last."""

    kind: str
    first: int
    last: int
    name: str


#: Where PCs have what has no number to be found by. Ref: Linux, arch/x86/kernel/setup.c (standard_io_resources),
#: drivers/ata/libata-sff.c; QEMU, hw/i386/pc.c, hw/nvram/fw_cfg.c, hw/acpi
_PORTS = (
    (0x00, 0x1F, "DMA"),
    (0x20, 0x21, "PIC"),
    (0x40, 0x43, "PIT"),
    (0x60, 0x60, "keyboard"),
    (0x61, 0x61, "PIT and speaker"),
    (0x64, 0x64, "keyboard"),
    (0x70, 0x71, "RTC"),
    (0x80, 0x80, "POST code"),
    (0x81, 0x8F, "DMA pages"),
    (0x92, 0x92, "A20 gate"),
    (0xA0, 0xA1, "PIC"),
    (0xB2, 0xB3, "SMI"),
    (0xC0, 0xDF, "DMA"),
    (0x170, 0x177, "IDE 1"),
    (0x1F0, 0x1F7, "IDE 0"),
    (0x2E8, 0x2EF, "serial 3"),
    (0x2F8, 0x2FF, "serial 1"),
    (0x376, 0x376, "IDE 1"),
    (0x378, 0x37F, "parallel port"),
    (0x3B0, 0x3DF, "VGA"),
    (0x3E8, 0x3EF, "serial 2"),
    (0x3F0, 0x3F5, "floppy"),
    (0x3F6, 0x3F6, "IDE 0"),
    (0x3F7, 0x3F7, "floppy"),
    (0x3F8, 0x3FF, "serial 0"),
    (0x402, 0x402, "debug console"),
    (0x4D0, 0x4D1, "PIC"),
    (0x510, 0x51B, "fw_cfg"),
    (0xCF8, 0xCFF, "PCI configuration"),
)
LEGACY = (
    *(Range("port", first, last, name) for first, last, name in _PORTS),
    Range("memory", 0xFEC00000, 0xFEC00FFF, "IOAPIC"),
    Range("memory", 0xFED00000, 0xFED003FF, "HPET"),
    Range("memory", 0xFEE00000, 0xFEE00FFF, "local APIC"),
)


class Devices:
    """Names what is at an address.

    :param ranges: of a map, which go before those of PCs
    """

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        every = list(ranges)
        #: By kind: where another name begins, and the names.
        self._named = {
            kind: _stretches([one for one in every if one.kind == kind], [one for one in LEGACY if one.kind == kind])
            for kind in ("port", "memory")
        }

    def name(self, kind: str, address: int) -> str | None:
        """Name the device at a port or in memory; None where nobody knows."""
        begins, names = self._named[kind]
        at = bisect_right(begins, address) - 1
        return names[at] if at >= 0 else None


def _stretches(told: list[Range], known: list[Range]) -> tuple[list[int], list[str | None]]:
    # The smallest range that is open at each place; those of PCs come behind all.
    sized = [(one.last - one.first, one) for one in told] + [(_BEHIND + one.last - one.first, one) for one in known]
    begins: list[int] = []
    names: list[str | None] = []
    ahead = sorted(sized, key=lambda pair: -pair[1].first)
    opened: list[tuple[int, int, int, str]] = []
    for place in sorted({edge for one in (*told, *known) for edge in (one.first, one.last + 1)}):
        while ahead and ahead[-1][1].first <= place:
            size, one = ahead.pop()
            heappush(opened, (size, len(ahead), one.last, one.name))
        while opened and opened[0][2] < place:
            heappop(opened)
        begins.append(place)
        names.append(opened[0][3] if opened else None)
    return begins, names


def parsed(text: str) -> list[Range]:
    """Read a map; lines that tell no range are left out."""
    found: list[Range] = []
    kind: str | None = None
    for line in text.splitlines()[:_LINES_MAX]:
        heading = _HEADING.match(line)
        if heading:
            kind = "port" if heading[1].lower() in ("i/o", "io") else "memory"
            continue
        told = _LINE.match(line)
        if told is None:
            continue
        first, last = int(told[1], 16), int(told[2], 16)
        # Behind @ and in brackets QEMU says of what it is a part.
        name = re.sub(r"\s*(@.*|\[disabled\])$", "", told[3])[:_NAME_MAX]
        if name in _CONTAINERS or name.startswith("alias ") or last < first:
            continue
        own = kind or ("port" if len(told[1]) == _PORT_DIGITS else "memory")
        if own == "memory" or last <= _PORT_MAX:
            found.append(Range(own, first, last, name))
    return found
