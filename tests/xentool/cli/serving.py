"""``xentool block serve``, or ``net serve``, as a process."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Serving:
    """One that serves by now; ended by `end`."""

    def __init__(self, process: "subprocess.Popen[str]", said: str) -> None:
        self.process, self.said = process, said
        self.rows: list[dict[str, Any]] = []
        self.stderr = ""

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        out, self.stderr = self.process.communicate(timeout=600)
        self.rows = [json.loads(line) for line in out.splitlines()]
        return self.process.returncode


@contextmanager
def serving(directory: Path, *words: str, group: str = "block", within: Sequence[str] = ()) -> Iterator[Serving]:
    """Serve on a loopback.

    :param within: a command that runs what follows it
    """
    argv = [*within, sys.executable, "-m", "xentool", group, "serve", "--loopback", str(directory), *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said = process.stderr.readline().strip()
        try:
            yield Serving(process, said)
        finally:
            if process.poll() is None:
                process.kill()
