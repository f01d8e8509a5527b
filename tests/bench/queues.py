"""The queues of a vif by the readable reference alone, in two processes.

``python -m tests.bench.queues GIVEN`` is the backend's, by what `backend` takes, as JSON.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from pvdrivers.net.back.backqueue import BackQueue
from pvdrivers.net.front.frontqueue import FrontQueue
from pvdrivers.net.load.lanes import LoadLane
from pvdrivers.net.load.traffic import frame
from pvdrivers.transport.loopback import Loopback, machine

BACK, FRONT = 0, 5
SIZE = 64


def backend(directory: str, grefs: list[list[int]], ports: list[int]) -> None:
    """Serve a queue until a line comes in; then tell how many frames did."""
    with Loopback(Path(directory), BACK) as transport:
        rings = [transport.map(FRONT, each) for each in grefs]
        channels = [transport.bind_interdomain(FRONT, port) for port in ports]
        lane = LoadLane(frame(SIZE, gso=False))
        queue = BackQueue(transport, FRONT, rings, channels, lane, compiled=False)
        thread = threading.Thread(target=queue.run)
        thread.start()
        print("serving", flush=True)
        sys.stdin.readline()
        print(lane.counted, flush=True)
        queue.stop()
        thread.join()


def reference(seconds: float) -> float:
    """Give the frames a second that go from a frontend's queue to a backend's."""
    with tempfile.TemporaryDirectory(prefix="xentool-bench-") as directory:
        place = Path(directory)
        with machine(place, [BACK, FRONT]), Loopback(place, FRONT) as transport:
            lane = LoadLane(frame(SIZE, gso=False))
            queue = FrontQueue(transport, BACK, lane, compiled=False)
            given = json.dumps([directory, queue.grefs, queue.ports])
            argv = [sys.executable, "-m", "tests.bench.queues", given]
            with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout
                process.stdout.readline()
                thread = threading.Thread(target=queue.run)
                thread.start()
                lane.begin()
                time.sleep(seconds)
                lane.end()
                counted, _ = process.communicate("\n")
            with closing(queue):
                queue.stop()
                thread.join()
            return int(counted) / seconds


if __name__ == "__main__":
    backend(*json.loads(sys.argv[1]))
