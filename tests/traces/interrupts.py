"""Traces of interrupts that guests get."""

import random

from tests.traces.handmade import BLOCKED, RUNNABLE, RUNNING, change, record, window
from traces.account import IDLE_DOMID
from traces.xen.formats import events as xentrace

INJECTION, EXIT, ENTRY = xentrace.HVM_INJ_VIRQ, xentrace.HVM_VMX_EXIT | xentrace.FLAG_64, xentrace.HVM_VMENTRY
HLT, EXTERNAL = 12, 1


def trace(seed: int, events: int = 400) -> bytes:
    """Make a trace of one vCPU on two pCPUs that is woken, interrupted, preempted and halts at random."""
    dice = random.Random(seed)  # noqa: S311 - what is drawn is no secret
    bodies = [b"", b""]
    now, pcpu, state, inside = 1000, 0, RUNNING, False

    def put(body: bytes, where: int) -> None:
        bodies[where] += body

    def idle(where: int, old: int, new: int) -> None:
        put(change(now, IDLE_DOMID, where, old, new), where)

    for where in (0, 1):
        idle(where, RUNNING, RUNNABLE)
    idle(1, RUNNABLE, RUNNING)
    put(change(now, 1, 0, RUNNABLE, RUNNING), 0)
    for _ in range(events):
        now += dice.choice([10, 100, 1000, 100_000])
        if state == RUNNING and inside:
            put(record(EXIT, now, dice.choice([HLT, EXTERNAL]), 0, 0), pcpu)
            inside = False
        elif state == RUNNING:
            what = dice.choice(["inject", "inject", "enter", "enter", "halt", "preempt"])
            if what == "inject":
                put(record(INJECTION, now, dice.choice([49, 65, 243]), 0), pcpu)
            elif what == "enter":
                put(record(ENTRY, now), pcpu)
                inside = True
            else:
                state = BLOCKED if what == "halt" else RUNNABLE
                put(change(now, 1, 0, RUNNING, state), pcpu)
                idle(pcpu, RUNNABLE, RUNNING)
        elif state == BLOCKED:
            state = RUNNABLE
            put(change(now, 1, 0, BLOCKED, RUNNABLE), dice.choice([0, 1]))
        else:
            pcpu, state = dice.choice([0, 1]), RUNNING
            idle(pcpu, RUNNING, RUNNABLE)
            put(change(now, 1, 0, RUNNABLE, RUNNING), pcpu)
    return window(0, bodies[0]) + window(1, bodies[1]) + window(0, record(xentrace.SCHED_WAKE, now, 1, 0))
