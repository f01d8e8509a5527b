"""A frontend and a backend in two processes, which pass numbered messages through one ring and check each of them.

`python -m tests.pvdrivers.ring.echo [MESSAGES]` runs it once, and says how often either had to be notified.
"""

import mmap
import os
import select
import subprocess
import sys
from typing import NamedTuple

import numpy as np

from pvdrivers.abi.netif import TX_RING
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.ring import Back, Front

#: Indices begin here, and wrap at once.
START = 2**32 - 8
#: Seconds without anything to do, after which somebody was not notified.
STUCK = 600.0

REQUEST = np.dtype([("number", "<u4"), ("rest", "V8")])


class Side(NamedTuple):
    """One process's way to the other."""

    own: int
    peer: int

    def notify(self) -> None:
        os.eventfd_write(self.peer, 1)

    def wait(self) -> None:
        poll = select.poll()
        poll.register(self.own, select.POLLIN)
        assert poll.poll(STUCK * 1000), "nothing comes any more"
        os.eventfd_read(self.own)


def front(ring: Front, side: Side, messages: int) -> int:
    """Send requests, check responses; return how often it was notified."""
    sent = received = waits = 0
    while received < messages:
        number = min(ring.room, messages - sent)
        if number:
            requests = np.zeros(number, REQUEST)
            requests["number"] = np.arange(sent, sent + number)
            ring.put(requests.tobytes())
            sent += number
            if ring.push():
                side.notify()
        responses = np.frombuffer(ring.take(), "<u4")
        assert (responses == np.arange(received, received + len(responses))).all(), "out of order"
        received += len(responses)
        if not len(responses) and received < messages and not ring.final_check(batch=64):
            waits += 1
            side.wait()
    return waits


def back(ring: Back, side: Side, messages: int) -> int:
    """Answer requests with their numbers; return how often it was notified."""
    done = waits = 0
    while done < messages:
        requests = np.frombuffer(ring.take(), REQUEST)
        if len(requests):
            assert (requests["number"] == np.arange(done, done + len(requests))).all(), "out of order"
            done += len(requests)
            ring.put(requests["number"].tobytes())
            if ring.push():
                side.notify()
        elif not ring.final_check():
            waits += 1
            side.wait()
    return waits


def run(messages: int) -> tuple[int, int]:
    """Run both, the backend in a process of its own; return how often each had to wait.

    :raises AssertionError: a message was lost or is out of order, or one side waits for ever
    """
    memory = os.memfd_create("ring")
    os.ftruncate(memory, PAGE_SIZE)
    ring = Front(mmap.mmap(memory, PAGE_SIZE), TX_RING, START)
    events = [os.eventfd(0), os.eventfd(0)]
    argv = [sys.executable, "-m", __spec__.name if __spec__ else __name__, *map(str, (messages, memory, *events))]
    with subprocess.Popen(argv, pass_fds=[memory, *events], stdout=subprocess.PIPE, text=True) as backend:
        waits = front(ring, Side(*events), messages)
        assert backend.stdout
        backs = backend.stdout.read()
    assert backend.returncode == 0, "the backend failed"
    for fd in (memory, *events):
        os.close(fd)
    ring.release()
    return waits, int(backs)


if __name__ == "__main__":
    count, *fds = [int(word) for word in sys.argv[1:]] or [10_000_000]
    if fds:
        page, peer, own = fds
        print(back(Back(mmap.mmap(page, PAGE_SIZE), TX_RING), Side(own, peer), count))
    else:
        fronts, backs = run(count)
        print(f"{count} messages, none lost; the frontend was notified {fronts} times, the backend {backs}")
