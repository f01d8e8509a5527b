"""Traces from pipes that never end, to readers that stop: told as they come, in bounded memory, with a clean end."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.bench.repeat import repeat
from tests.traces.captures import NAMES, capture

XENTOOL = [sys.executable, "-m", "xentool"]
#: The whole process may take so much, Python and its libraries included.
MEMORY_MB = 300


@contextmanager
def running(*args: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    command = [*XENTOOL, *args]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield process, process.stdin, process.stdout
        finally:
            process.kill()


def errors(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stderr
    return process.stderr.read()


def test_records_are_shown_before_the_pipe_ends() -> None:
    data = capture("xen-4.17-pv2")
    with running("dump", "-e", "hypercall", "-") as (process, into, out):
        feeder = threading.Thread(target=_feed, args=(into, data, 1), kwargs={"close": False})
        feeder.start()
        lines = [out.readline() for _ in range(1000)]
        assert all(b"(" in line for line in lines)
        reader = threading.Thread(target=lambda: lines.extend(out))
        reader.start()
        feeder.join()
        while int.from_bytes(_unread(into), "little"):
            time.sleep(0.01)
        # It still waits for more.
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        reader.join()
        assert process.wait(300) == 130
        assert errors(process) == b""
    whole = subprocess.run([*XENTOOL, "dump", "-e", "hypercall", "-"], input=data, capture_output=True, check=True)
    assert len(lines) == whole.stdout.count(b"\n") > 10_000


def test_a_report_on_what_came_until_ctrl_c() -> None:
    data = capture("xen-4.17-pv2")
    with running("report", "--json", "-") as (process, into, out):
        into.write(data)
        into.flush()
        # All that was written is in the pipe or read; only then is there nothing more to wait for.
        while int.from_bytes(_unread(into), "little"):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        document = json.loads(out.read())
        assert process.wait(300) == 130
    assert document["capture"]["bytes"] == len(data)
    assert document["capture"]["skipped_bytes"] == 0


def _unread(pipe: IO[bytes]) -> bytes:
    return fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4))


def test_names_are_not_to_be_had_from_a_pipe() -> None:
    done = subprocess.run(
        [*XENTOOL, "dump", "--domain", "domU", "-"], input=b"\1\2" * 100, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert "does not tell names such as 'domU'; give the domain's number" in done.stderr.decode()


@pytest.mark.parametrize("data", [b"", b"no trace\n" * 100])
def test_what_is_no_trace(data: bytes) -> None:
    done = subprocess.run([*XENTOOL, "dump", "-"], input=data, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (4, b"")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "command", ["dump FILE", "dump --json FILE", "export --format csv -o - FILE", "dump -", "report -"]
)
def test_a_reader_that_stops(command: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "stops"
    if not path.exists():
        path.write_bytes(capture(NAMES[1]))
    args = [str(path) if word == "FILE" else word for word in command.split()]
    with running(*args) as (process, into, out):
        feeder = threading.Thread(target=_feed, args=(into, path.read_bytes() if "-" in args[1:2] else b""))
        feeder.start()
        if "report" not in args:
            assert out.readline()
        out.close()
        feeder.join(300)
        process.wait(300)
        assert errors(process) == b""


def _feed(into: IO[bytes], data: bytes, times: int = 20, *, close: bool = True) -> None:
    with contextlib.suppress(BrokenPipeError):
        for _ in range(times):
            into.write(data)
        into.flush()
    with contextlib.suppress(BrokenPipeError):
        if close:
            into.close()


@pytest.mark.parametrize("command", ["report --json -", "dump -e grant -", "export --format folded -o - -"])
def test_memory_does_not_grow_with_the_trace(command: str) -> None:
    read, write = os.pipe()
    args = [*XENTOOL, *command.split()]
    with subprocess.Popen(args, stdin=read, stdout=subprocess.DEVNULL) as process:
        os.close(read)
        with os.fdopen(write, "wb") as into:
            repeat(capture(NAMES[0]), into, 120_000_000)
            # Not ru_maxrss, which begins with the size of this process.
            status = Path(f"/proc/{process.pid}/status").read_text()
        assert process.wait(300) == 0
    (peak_kb,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    assert 10_000 < peak_kb < MEMORY_MB * 1024
