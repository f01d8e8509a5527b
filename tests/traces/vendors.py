"""Traces of VM exits of either vendor."""

from collections.abc import Mapping
from itertools import chain, repeat

from tests.traces.handmade import RUNNABLE, RUNNING, change, record, window
from traces.xen.formats.events import FLAG_NESTED, HVM_VMENTRY

INTELS_ID, AMDS_ID = 0x81102, 0x81103


def made(*exits: tuple[int, Mapping[int, int]], before: bytes = b"") -> bytes:
    """Make a trace of exits, given as event and how many of each reason, each with its entry."""
    body = change(100, 1, 0, RUNNABLE, RUNNING) + record(HVM_VMENTRY, 105) + before
    every = chain.from_iterable(
        zip(repeat(event), repeat(reason, times)) for event, of in exits for reason, times in of.items()
    )
    for tsc, (event, reason) in enumerate(every, 1):
        body += record(event, 200 * tsc, reason, 0x1000, 0) + record(HVM_VMENTRY | event & FLAG_NESTED, 200 * tsc + 50)
    return window(0, body)
