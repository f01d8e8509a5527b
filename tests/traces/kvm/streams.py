"""What a KVM host sends while it records, made here: its head, and blocks."""

import random
from collections.abc import Sequence

from tests.traces.kvm.traces import EVENTS, HEADER_PAGE, PAGE, Told, format_file, page
from traces.kvm.decode.streams import tally

WORDS = ("/usr/bin/qemu-system-x86_64", "-name", "guest=web,debug-threads=on", "-m", "192")
PID = 490
THREADS = {PID: "qemu-system-x86", 500: "CPU 0/KVM", 501: "CPU 1/KVM"}


def head(cpus: int, *, words: Sequence[str] = WORDS, clock: str = "local [mono]") -> bytes:
    """Give all that comes before the first page."""
    dumped = "".join(f"{one}\0" for one in words).encode().hex(" ")
    threads = "".join(f"{tid} {name}\n" for tid, name in THREADS.items())
    numbers = "".join(f"{cpu}\n" for cpu in range(cpus))
    formats = dict.fromkeys(("kvm", "sched"), b"")
    for name, event in EVENTS.items():
        formats["sched" if name.startswith("sched") else "kvm"] += format_file(name, event)
    return b"".join(
        (
            b"xentool: stream 1\nxentool: kernel Linux h 6.1 x86_64\n",
            f"xentool: clock {clock}\nxentool: machine {PID}\n {dumped}\nxentool: threads\n{threads}".encode(),
            b"xentool: header_page\n" + HEADER_PAGE + b"xentool: header_event\n# nothing\n",
            b"xentool: format kvm\n" + formats["kvm"] + b"xentool: format sched\n" + formats["sched"],
            f"xentool: cpus\n{numbers}xentool: pages {PAGE}\n".encode(),
        )
    )


def block(text: str) -> bytes:
    """Give a line that is a block of its own."""
    return f"xentool: {text}".encode().ljust(PAGE)


def stats(cpu: int, overrun: int = 0, dropped: int = 0) -> bytes:
    """Give what a kernel says of a processor's buffer."""
    return block(
        f"stats {cpu} entries: 0\noverrun: {overrun}\ncommit overrun: 0\nbytes: 0\ndropped events: {dropped}\n"
        "read events: 9"
    )


END = block("thread 502 CPU 2/KVM") + block("end")


def rounds(lives: Sequence[Sequence[Told]], seed: int) -> list[bytes]:
    """Give what comes of each round: each processor's records up to a time, as a host has them that asks now and then.

    :param lives: records of each processor, in order of time
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    left = [list(one) for one in lives]
    sent = []
    now = min(one[0].ts for one in left if one)
    while any(left):
        now += chance.randrange(1, 200)
        out = b""
        for cpu, records in enumerate(left):
            # It is asked a little later than the one before it; and some come in another round, though they are there.
            ready = [one for one in records if one.ts <= now + cpu]
            taken = ready[: chance.randrange(len(ready) + 1)] if chance.random() < 0.2 else ready
            if ready:
                pages = _pages(taken, chance)
                assert sum(tally(one, PAGE)[0] for one in pages) == len(taken)
                out += block(f"cpu {cpu} {len(ready)}") + b"".join(pages)
                del records[: len(taken)]
        sent.append(out + block("round"))
    return sent


def _pages(records: Sequence[Told], chance: random.Random) -> list[bytes]:
    at, made = 0, []
    while at < len(records):
        step = chance.randrange(1, 5)
        made.append(page(records[at : at + step]))
        at += step
    return made
