"""`store watch` in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from pvdrivers.xenstore.client import Client

STAMP = re.compile(r"^\d\d:\d\d:\d\d\.\d{6} ")


class Watching:
    """A watch that runs; its lines are taken without the time."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: SimpleQueue[str] = SimpleQueue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(STAMP.sub("", line.rstrip("\n")))

    def line(self, seconds: float = 120) -> str:
        return self._lines.get(timeout=seconds)

    def upto(self, last: str) -> list[str]:
        """Take lines up to the one that has a text in it."""
        taken = [self.line()]
        while last not in taken[-1]:
            taken.append(self.line())
        return taken

    def ended(self) -> tuple[int, str]:
        """Wait for the end, and give the status and what stderr says."""
        assert self.process.stderr is not None
        status = self.process.wait(600)
        return status, self.process.stderr.read()


@contextmanager
def watching(client: Client, socket: Path, *words: str, first: str) -> Iterator[Watching]:
    """Start a watch and give it once it told of a write to the node ``first``, which must be watched."""
    argv = [sys.executable, "-m", "xentool", "store", "watch", *words]
    environment = os.environ | {"XENSTORED_PATH": str(socket)}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        watch = Watching(process)
        try:
            for count in range(3000):
                client.write(first, b"%d" % count)
                with suppress(Empty):
                    watch.line(0.1)
                    break
            # Another node, since what is left to tell of the first one may come as often as it was written.
            client.write(f"{first}-told", b"")
            watch.upto("first-told")
            yield watch
        finally:
            process.kill()
