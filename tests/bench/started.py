"""Processes of a measurement."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def started(argv: list[str], word: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process until the context ends, once it has said a word.

    :raises RuntimeError: it has ended before
    """
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        said: list[str] = []
        try:
            for line in process.stdout:
                said.append(line)
                if word in line:
                    break
            else:
                raise RuntimeError(f"{' '.join(argv)}: {''.join(said)}")
            yield process
        finally:
            process.terminate()
