"""`xentool record` on real Xen: the file is whole, and dom0 is as it was, whatever ended the recording."""

import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.xen.labs import HUNG, Lab, eventually, one_xen

pytestmark = pytest.mark.lab


#: Prints how many pipes are left, how many bytes came into the buffers with tracing off, where a mask of 1 lets this
#: xentrace add nothing to them either, and what a plain one recorded. In the end the mask is as Xen has it at first.
_LOOK = """
xentrace -T 1 /tmp/p 2>/dev/null
sleep 1
xentrace -X -e 1 -T 1 /tmp/q 2>/dev/null
xentrace -e all /dev/null/none 2>/dev/null
ls /run/xentool-capture.lock.pipe 2>/dev/null | wc -l
stat -c %s /tmp/q
cat /tmp/p
rm /tmp/p /tmp/q
"""


def command(lab: Lab, *words: str) -> list[str]:
    return [sys.executable, "-m", "xentool", "record", "--host", lab.host, *words]


def start(lab: Lab, output: Path, *words: str) -> subprocess.Popen[str]:
    """Start a recording and return when records come."""
    words = ("--all", "-o", str(output), *words)
    process = subprocess.Popen(command(lab, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: process.poll() is not None or (output.exists() and output.stat().st_size))
    assert process.poll() is None, process.communicate()
    return process


def subclasses(records: bytes) -> tuple[set[int], int]:
    """Return the subclasses that a trace holds and its bytes that make no whole record."""
    found: set[int] = set()
    at = 0
    while at + 4 <= len(records):
        (header,) = struct.unpack_from("<I", records, at)
        found.add(header >> 12 & 0xFFFF)
        at += 4 + 4 * (header >> 28 & 7) + (8 if header >> 31 else 0)
    return found, len(records) - at


def assert_as_it_was(lab: Lab) -> None:
    """Check that nothing traces, and that a plain xentrace, which takes the masks as they are, records everything."""
    assert eventually(lambda: not lab.tracing())
    pipes, quiet, records = lab.bytes_of(_LOOK).split(b"\n", 2)
    assert (int(pipes), int(quiet)) == (0, 0)
    found, rest = subclasses(records)
    assert found >= {0x1F, 0x21, 0x28, 0x201}, "a mask or a CPU mask stayed"
    assert rest == 0


def test_a_recording_has_its_time_and_is_whole(lab: Lab, tmp_path: Path) -> None:
    output = tmp_path / "all.xentrace"
    lab.guest("quiet", "pv", vcpus=2, workload="idle")  # a busy one would starve dom0 in the tests after this
    words = ("quiet", "-o", str(output), "-d", "3", "-e", "hypercall", "--json")
    done = subprocess.run(command(lab, *words), capture_output=True, text=True, check=False, timeout=HUNG)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["bytes"], document["domain"]["name"]) == (output.stat().st_size, "quiet")
    assert document["hz"] == pytest.approx(lab.hz, rel=1e-3)
    found, rest = subclasses(output.read_bytes())
    assert (rest, 0x201 in found, 0x22 in found) == (0, True, True)
    assert 0x10F not in found
    assert_as_it_was(lab)


def test_ctrl_c_keeps_what_came(lab: Lab, tmp_path: Path) -> None:
    process = start(lab, tmp_path / "x")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=HUNG)
    assert (process.returncode, output) == (130, "")
    assert " bytes in " in errors
    assert subclasses((tmp_path / "x").read_bytes())[1] == 0
    assert_as_it_was(lab)


@one_xen
def test_a_killed_client(lab: Lab, tmp_path: Path) -> None:
    process = start(lab, tmp_path / "x", "-e", "sched")
    process.kill()
    process.communicate()
    assert_as_it_was(lab)


@one_xen
def test_a_frozen_client(lab: Lab, tmp_path: Path) -> None:
    process = start(lab, tmp_path / "x", "-e", "sched")
    process.send_signal(signal.SIGSTOP)
    assert_as_it_was(lab)
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=HUNG)
    assert (process.returncode, errors.count("\n")) == (1, 1)
    assert "heard nothing from this program" in errors


@one_xen
def test_an_xentrace_that_is_killed(lab: Lab, tmp_path: Path) -> None:
    process = start(lab, tmp_path / "x", "-e", "sched")
    lab.run("sh", "-c", "kill -KILL $(pgrep -x xentrace)")
    _, errors = process.communicate(timeout=HUNG)
    assert (process.returncode, errors.count("\n")) == (1, 1)
    assert "ended by itself: it was killed by SIGKILL" in errors
    assert_as_it_was(lab)


@one_xen
def test_a_shell_in_dom0_that_is_killed(lab: Lab, tmp_path: Path) -> None:
    process = start(lab, tmp_path / "x", "-e", "sched")
    lab.run("sh", "-c", "kill -KILL $(pgrep -of '^bash -s -- 0x')")
    _, errors = process.communicate(timeout=HUNG)
    assert (process.returncode, errors.count("\n")) == (1, 1)
    assert_as_it_was(lab)


@one_xen
def test_a_second_recording_is_refused_and_the_first_goes_on(lab: Lab, tmp_path: Path) -> None:
    first = start(lab, tmp_path / "x")
    words = ("--all", "-o", str(tmp_path / "y"), "-d", "1")
    second = subprocess.run(command(lab, *words), capture_output=True, text=True, check=False, timeout=HUNG)
    assert (second.returncode, (tmp_path / "y").exists()) == (1, False)
    assert second.stderr.startswith("xentool: another xentool capture is running on ")
    size = (tmp_path / "x").stat().st_size
    assert eventually(lambda: (tmp_path / "x").stat().st_size > size)
    os.kill(first.pid, signal.SIGINT)
    first.communicate(timeout=HUNG)
    assert first.returncode == 130


@one_xen
def test_another_program_that_traces_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    lab.run(
        "sh", "-c", "xentrace -e 0x2f000 /tmp/f </dev/null >/dev/null 2>&1 & until [ -s /tmp/f ]; do sleep 0.2; done"
    )
    words = ("--all", "-o", str(tmp_path / "y"), "-d", "1")
    done = subprocess.run(command(lab, *words), capture_output=True, text=True, check=False, timeout=HUNG)
    ended = "kill -INT $(pgrep -x xentrace); while pgrep -x xentrace >/dev/null; do sleep 0.2; done"
    records = lab.bytes_of(f"{ended}; head -c 400000 /tmp/f; rm /tmp/f")
    lab.run("sh", "-c", "xentrace -e all /dev/null/none 2>/dev/null; true")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is being traced by another program" in done.stderr
    assert subclasses(records)[0] <= {0x1F, 0x21, 0x22, 0x28}
