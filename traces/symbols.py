"""Names of a kernel's functions, for addresses in a trace: what System.map, ``nm`` or /proc/kallsyms say. Sans I/O.

A line is ``ADDRESS TYPE NAME``, and ``[MODULE]`` in /proc/kallsyms; see nm(1).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable

from traces.errors import SymbolError

# Names are printed: no control characters, and no end of lines that are only names.
_LINE = re.compile(r"([0-9a-fA-F]{1,16}) ([A-Za-z?]) ([!-~]{1,500})(?:\s+(\[[!-~]{1,100}\]))?\s*")
_CODE = frozenset("tTwWiV")
#: No places but numbers: offsets into each CPU's own data, among others.
_ABSOLUTE = frozenset("aA")
#: What may follow the start of a symbol that nothing comes after; most of one is less.
_LAST_BYTES = 4096
#: Linux with all its modules has half as many.
SYMBOLS_MAX = 1 << 20


class Symbols:
    """Functions by address.

    unread  lines that are none of a symbol
    """

    def __init__(self, lines: Iterable[str]) -> None:
        """Take lines, in any order.

        :raises SymbolError: there is no symbol, or there are too many, or their addresses are hidden
        """
        self.unread = 0
        #: Whether it is global, its name, which is empty where no code is, and its module.
        found: dict[int, tuple[bool, str, str]] = {}
        hidden = 0
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None:
                self.unread += bool(line.strip())
                continue
            address, kind, name, module = int(match[1], 16), match[2], match[3], match[4]
            if kind in _ABSOLUTE:
                continue
            if address == 0:
                hidden += 1
                continue
            if len(found) >= SYMBOLS_MAX:
                raise SymbolError(f"there are more than {SYMBOLS_MAX:,} symbols")
            # Of several names that a place has, a global one; and of those the first.
            known = found.get(address)
            if known is None or (not known[0] and kind == "T"):
                found[address] = (kind == "T", name if kind in _CODE else "", f" {module}" if module else "")
        if not found:
            raise SymbolError(
                "all addresses are 0: only root sees those of /proc/kallsyms"
                if hidden
                else "no line is `ADDRESS TYPE NAME`, as in System.map, nm's output or /proc/kallsyms"
            )
        self._starts = sorted(found)
        self._names = [found[start][1:] for start in self._starts]

    def name(self, address: int) -> str | None:
        """Give the function that an address is in, and how far: ``native_write_msr+0xd``; None if it is in none."""
        at = bisect_right(self._starts, address) - 1
        if at < 0:
            return None
        name, module = self._names[at]
        offset = address - self._starts[at]
        if not name or (at + 1 == len(self._starts) and offset >= _LAST_BYTES):
            return None
        return f"{name}+{offset:#x}{module}"
