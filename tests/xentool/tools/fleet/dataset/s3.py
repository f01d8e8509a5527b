"""A server of S3 on this machine, in a process of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_COMMAND = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]


@contextmanager
def server(folder: Path) -> Iterator[dict[str, str]]:
    """Give the environment by which its users find it."""
    with subprocess.Popen(
        _COMMAND, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=folder
    ) as process:
        assert process.stderr is not None
        try:
            said = ""
            while not (found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", said)):
                line = process.stderr.readline()
                assert line, said
                said += line
            yield {
                "AWS_ENDPOINT_URL": found[1],
                "AWS_ACCESS_KEY_ID": "anybody",
                "AWS_SECRET_ACCESS_KEY": "whatever",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        finally:
            process.kill()
