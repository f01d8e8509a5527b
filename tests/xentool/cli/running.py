"""The command line, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable

#: Runs `store` with words on a store of ours.
Store = Callable[..., subprocess.CompletedProcess[str]]


def run(*words: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "xentool", *words],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=300,
        env=os.environ | environment,
    )
    return subprocess.CompletedProcess(words, done.returncode, done.stdout.decode(), done.stderr.decode())
