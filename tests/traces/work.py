"""Work that is counted, not timed: lines of our own Python that run."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

Trace = Callable[[FrameType, str, Any], Any]
SMALL = 100
#: Of what is made of twice as much; squares would make it four times.
TWICE = 2.6


def lines(work: Callable[[], object]) -> int:
    """Count the lines of our own code that run, each turn of a loop within one as well."""
    count = 0

    def local(_frame: FrameType, event: str, _arg: object) -> Trace:
        nonlocal count
        count += event == "line"
        return local

    def enter(frame: FrameType, _event: str, _arg: object) -> Trace | None:
        name = frame.f_code.co_filename
        return local if "/traces/" in name and "/site-packages/" not in name else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
