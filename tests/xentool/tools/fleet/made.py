"""Captures of a fleet, made by hand: a domain "web" that works evenly, but for those that are sick."""

from pathlib import Path

from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, change, record, window
from traces.analyses.report import DomainInfo
from traces.counting.wallclock import Noted
from traces.xen.formats import events as xentrace
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.sidecar import Sidecar

HZ = 1e9
_ROUND, _ROUNDS = 10_000_000, 120
#: sched_op, which each round makes once; and a storm's event_channel_op.
_SCHED, _EVENT_CHANNEL = 29, 32


def trace(number: int, *, steal: bool = False, storm: bool = False, lost: bool = False) -> bytes:
    """Make a capture of 1.2 s: 120 rounds of running, being blocked and waiting a little.

    :param number: captures of several differ a little
    :param steal: it waits for its pCPU for a third of the time
    :param storm: it makes a hundred hypercalls a round, not one
    :param lost: of its records as many are lost as there are
    """
    body = b""
    for at in range(_ROUND, _ROUND * (_ROUNDS + 1), _ROUND):
        wait = 3_300_000 if steal else 20_000 + 500 * (number % 7)
        ran = at + wait
        calls = [record(xentrace.PV_HYPERCALL_V2, ran + 1_000, _SCHED)]
        if storm:
            calls += [record(xentrace.PV_HYPERCALL_V2, ran + 2_000 + each, _EVENT_CHANNEL) for each in range(100)]
        body += change(at, 1, 0, BLOCKED, RUNNABLE) + change(ran, 1, 0, RUNNABLE, RUNNING) + b"".join(calls)
        body += change(ran + 2_000_000 + 10_000 * (number % 5), 1, 0, RUNNING, BLOCKED)
    if lost:
        end = _ROUND * (_ROUNDS + 1)
        body += record(xentrace.LOST_RECORDS, end, 600, 1 << 16, end & 0xFFFFFFFF, end >> 32)
    return window(0, body)


def written(path: Path, data: bytes, host: str, day: int = 1) -> Path:
    """Write a capture, and what its host said: its name, "web", the clock, a day of November 2026."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    begin = (1_793_491_200 + 86_400 * (day - 1)) * 1_000_000_000
    noted = Noted(begin, begin + 2_000_000_000, 0)
    infos = {1: DomainInfo("web", "pv")}
    sidecar.write(path, Sidecar(host, "4.17", HZ, 0xFFFFFFFF, infos, recorded=noted))
    return path


def fleet(folder: Path) -> Path:
    """Write 16 captures of 4 hosts and 2 days, of which three are sick: one waits, one storms, one lost records."""
    sick: dict[int, dict[str, bool]] = {5: {"steal": True}, 9: {"storm": True}, 14: {"lost": True}}
    for number in range(16):
        host = f"xen{number % 4}"
        data = trace(number, **sick.get(number, {}))
        written(folder / host / f"{number:02}.xentrace", data, host, 1 + number // 8)
    return folder
