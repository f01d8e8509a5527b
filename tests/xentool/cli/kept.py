"""Traces of Xen that a comparison might have kept, made by hand, with what is noted beside them."""

from pathlib import Path

from tests.traces.handmade import RUNNABLE, RUNNING, change, record, window
from traces.xen.formats import events as xentrace
from xentool.tools.tracing import phases

GUEST = 7
_CONSOLE_IO, _EVENT_CHANNEL_OP = 18, 32


def keep(folder: Path, technique: str, doorbells: int, *, requests: int = 10) -> Path:
    """Write a trace of a phase of no work and one of "disk-write", with so many doorbells more."""
    calls = [_CONSOLE_IO, _EVENT_CHANNEL_OP, _CONSOLE_IO, _CONSOLE_IO]
    calls += [_EVENT_CHANNEL_OP] * (doorbells + 1) + [_CONSOLE_IO, _CONSOLE_IO]
    body = change(1000, GUEST, 0, RUNNABLE, RUNNING)
    for at, call in enumerate(calls):
        body += record(xentrace.PV_HYPERCALL_V2, 2000 + 100 * at, call)
    path = folder / f"{technique}.trace"
    path.write_bytes(window(0, body))
    phases.write(path, noted(technique, requests))
    return path


def noted(technique: str, requests: int = 10) -> phases.Noted:
    return phases.Noted(
        technique=technique,
        meaning=f"what {technique} is",
        runs="Xen 4.17",
        backend="blkback",
        emulated=True,
        mode="pv",
        domid=GUEST,
        vcpus=1,
        hz=1000.0,
        vendor="amd",
        works=(("none", 0), ("disk-write", requests)),
    )
