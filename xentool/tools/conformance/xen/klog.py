"""What a kernel says of itself: its version, and what it complains of, to which no driver should bring it."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

#: But for a grant that a peer keeps: "WARNING: g.e. 0x42d still in use!" says what the peer did.
_COMPLAINT = re.compile(
    r"\bBUG\b|\bOops\b|WARNING: (?!g\.e\. )|Kernel panic|general protection|[Uu]nable to handle|refcount_t:|"
    r"KASAN|UBSAN|soft lockup|hard LOCKUP|blocked for more than|scheduling while atomic|Bad page"
)
_RECORD = 8192


def kernel_version(version: str, release: str) -> str:
    """Give a kernel's version, as its package is called where Debian made it."""
    found = re.search(r"Debian (\d\S*)", version)
    return found[1] if found else release


def complaint(lines: Iterable[str]) -> str | None:
    """Give the first line that is a complaint; None if there is none."""
    return next((line for line in lines if _COMPLAINT.search(line)), None)


class KernelLog:
    """The log of the kernel that this runs on, from now on."""

    def __init__(self) -> None:
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self._fd, 0, os.SEEK_END)

    def complaint(self) -> str | None:
        """Give what was complained of since it was asked last."""
        return complaint(self._lines())

    def _lines(self) -> list[str]:
        lines = []
        with suppress(BlockingIOError):
            while True:
                # Records that were overwritten meanwhile are lost, and told as such.
                with suppress(BrokenPipeError):
                    # priority,number,microseconds,flags;text
                    record = os.read(self._fd, _RECORD).decode(errors="replace")
                    lines.append(record.partition(";")[2].splitlines()[0] if ";" in record else record)
        return lines

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._fd)
