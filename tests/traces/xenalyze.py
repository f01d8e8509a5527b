"""xenalyze as an oracle: runs it on a capture and reads what it prints."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

#: What xenalyze takes for granted unless told.
HZ = 2.4e9

DOMAIN = re.compile(r"\|-- Domain (\d+) --\|")
VCPU = re.compile(r"-- v(\d+) --")
CONTENTION = re.compile(r"\s{2,3}([a-z_ ]+):\s+(\d+)\s+[\d.]+s\s+(\d+)")
RUNNABLE = re.compile(r"\s+(wake|preempt):\s+(\d+)\s+[\d.]+s\s+(\d+)")
PLACE = re.compile(r"   \[(\d+)\]:\s+(\d+) (\d+)")
EVENT = re.compile(r"  (page_fault|emulate privop|math state restore|ptwr|hypercall|hypercall \(subcall\))\s+(\d+)$")
INTERRUPT = re.compile(r"  \[ *(\d+)\] (\d+)$")
TO_HALT = re.compile(r"   \* (wake to halt alone|wake to halt any|intr to halt) *: +(\d+) +[\d.]+s +(\d+)")
RUNSTATE = re.compile(r"\s{2,3}(running|runnable|blocked|offline|lost):\s+(\d+)\s+[\d.]+s\s+(\d+)")
HYPERCALL = re.compile(r"\s+\w+\s+\[\s*(\d+)\]:\s+(\d+)")
EXIT = re.compile(r" (\w[\w() -]*?)\s+(\d+)\s+([\d.]+)s\s+([\d.]+)%\s+(\d+) cyc")
SUBCALL = re.compile(r" d(\d+)v(\d+)  hypercall +([0-9a-f]+)")
INJECTION = re.compile(r" d(\d+)v(\d+) inj_virq vec (\d+) ")

Key = tuple[int, int]


@dataclass
class Vcpu:
    """Counts and seconds by run state; hypercalls with sub-calls by number."""

    runstates: dict[str, tuple[int, float]] = field(default_factory=dict)
    hypercalls: Counter[int] = field(default_factory=Counter)
    #: Of "wake" and "preempt".
    runnable: dict[str, tuple[int, float]] = field(default_factory=dict)
    #: Stays on each pCPU.
    pcpus: set[int] = field(default_factory=set)
    events: Counter[str] = field(default_factory=Counter)
    #: Counts and seconds of exits by name; of hypercalls of a PVH guest by number (xenalyze's "VMMCALL" broken down).
    exits: dict[str, tuple[int, float]] = field(default_factory=dict)
    #: Injected into the guest, by vector.
    interrupts: Counter[int] = field(default_factory=Counter)
    #: By vector and case, how many and cycles of each on average.
    to_halt: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)


@cache
def summary(path: Path, *options: str) -> dict[Key, Vcpu]:
    vcpus: dict[Key, Vcpu] = {}
    domid, vector, vcpu = -1, -1, Vcpu()
    for line in run(path, "--summary", *options):
        if found := DOMAIN.match(line):
            domid = int(found[1])
        elif found := VCPU.match(line):
            vcpu = vcpus[domid, int(found[1])] = Vcpu()
        elif found := RUNNABLE.match(line):
            vcpu.runnable[found[1]] = (int(found[2]), int(found[2]) * int(found[3]) / HZ)
        elif found := PLACE.match(line):
            vcpu.pcpus.add(int(found[1]))
        elif found := EVENT.match(line):
            vcpu.events[found[1]] += int(found[2])
        elif found := INTERRUPT.match(line):
            vector = int(found[1])
            vcpu.interrupts[vector] += int(found[2])
        elif found := TO_HALT.match(line):
            vcpu.to_halt[vector, found[1]] = (int(found[2]), int(found[3]))
        elif (found := EXIT.match(line)) and found[1].startswith("VMEXIT_"):
            vcpu.exits[found[1].removeprefix("VMEXIT_")] = (int(found[2]), int(found[2]) * int(found[5]) / HZ)
        elif found := RUNSTATE.match(line):
            # Seconds are printed to two places; the mean in cycles is exact to one.
            vcpu.runstates.setdefault(found[1], (int(found[2]), int(found[2]) * int(found[3]) / HZ))
        elif found := HYPERCALL.match(line):
            vcpu.hypercalls[int(found[1])] += int(found[2])
    return vcpus


@cache
def contention(path: Path, *options: str) -> dict[int, dict[str, float]]:
    """Give seconds by domid and what its vCPUs were together."""
    found: dict[int, dict[str, float]] = {}
    of: dict[str, float] = {}
    for line in run(path, "--summary", *options):
        if domain := DOMAIN.match(line):
            of = found[int(domain[1])] = {}
        elif VCPU.match(line):
            of = {}
        elif state := CONTENTION.match(line):
            of[state[1].replace(" ", "_")] = int(state[2]) * int(state[3]) / HZ
    return found


def subcalls(path: Path, *options: str) -> Counter[tuple[int, int, int]]:
    """Count multicall sub-calls by (domid, vcpu, number); the dump indents them by one more blank."""
    found = (SUBCALL.search(line) for line in run(path, "--dump-all", *options))
    return Counter((int(one[1]), int(one[2]), int(one[3], 16)) for one in found if one)


def injections(path: Path, *options: str) -> Counter[tuple[int, int, int]]:
    """Count interrupts that guests got by (domid, vcpu, vector)."""
    found = (INJECTION.search(line) for line in run(path, "--dump-all", *options))
    return Counter((int(one[1]), int(one[2]), int(one[3])) for one in found if one)


def run(path: Path, *options: str) -> Iterator[str]:
    done = subprocess.run(
        ["xenalyze", *options, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, timeout=300
    )
    return iter(done.stdout.decode(errors="replace").splitlines())
