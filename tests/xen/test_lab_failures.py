"""What happens to a lab that something bad happens to: one message, no process left, and the next start works."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.missing import missing
from tests.xen.labs import HUNG, eventually
from xentool.errors import Unavailable, XentoolError
from xentool.hosts.labs import cache_directory
from xentool.lab import api, launch, process

pytestmark = pytest.mark.lab

Start = Callable[..., api.Lab]


def reason(name: str) -> str:
    """Wait until a lab is known to be dead; return why."""
    (dead,) = eventually(lambda: found(name, "dead"))
    return dead.reason or ""


def found(name: str, state: str) -> list[api.Status]:
    """Give a lab if it is in a state."""
    return [each for each in api.status() if (each.lab.name, each.state) == (name, state)]


def test_a_killed_start_and_a_taken_port_then_killed_then_crashed(
    own_lab: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = _killed_start(f"pytest-own-{os.getpid()}")
    free = launch.free_port
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answers = iter([taken.getsockname()[1]])
        monkeypatch.setattr(launch, "free_port", lambda: next(answers, None) or free())
        lab = own_lab(anew=True)
        assert lab.ssh_port != taken.getsockname()[1]
    assert lab.qemu_pid != left
    assert not Path(f"/proc/{left}").exists()

    os.kill(lab.qemu_pid, signal.SIGKILL)
    assert reason(lab.name) == "QEMU was killed or crashed"
    with pytest.raises(Unavailable, match=r"(?s)is dead: QEMU was killed.*the end of .*console.log:\n  "):
        api.running(lab.name)

    lab = own_lab(anew=True)
    with suppress(XentoolError):  # the connection ends with dom0
        lab.host().run(["sh", "-c", "echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger"], timeout=20)
    assert "dom0's kernel panicked: sysrq triggered crash" in reason(lab.name)
    assert eventually(lambda: process.wait(lab.run, 1))
    assert "was dead already" in api.down(lab.name)
    with pytest.raises(Unavailable, match="no lab"):
        api.running(lab.name)


def _killed_start(name: str) -> int:
    """Kill who starts a lab once its QEMU runs; give that one's process."""
    argv = [sys.executable, "-m", "xentool", "lab", "up", "--boot", "--name", name]
    run = cache_directory() / "lab/run" / name
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        left = eventually(lambda: process.find(run))
        child.kill()
    assert left is not None
    return left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_start_leaves_nothing(number: signal.Signals) -> None:
    name = f"pytest-interrupted-{os.getpid()}"
    argv = [sys.executable, "-m", "xentool", "lab", "up", "--boot", "--name", name]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        run = cache_directory() / "lab/run" / name
        assert eventually(lambda: process.find(run))
        second = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=HUNG)
        assert second.returncode == 1
        assert second.stderr == f"xentool: another xentool starts or ends lab {name} right now; wait for it\n"
        child.send_signal(number)
        _, errors = child.communicate(timeout=HUNG)
    assert child.returncode == 130
    assert "Traceback" not in errors
    assert process.find(run) is None
    assert name not in {each.lab.name for each in api.status()}


@pytest.fixture
def small_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Cache on a file system of so many MiB, with the images of the real one."""
    if os.geteuid() != 0:
        missing("mounting a small file system needs root")
    real = cache_directory() / "lab"
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.param}m", "none", str(tmp_path)], check=True)
    try:
        (tmp_path / "lab").mkdir()
        for part in ("images", "wheels"):
            (tmp_path / "lab" / part).symlink_to(real / part)
        monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path))
        yield tmp_path
        with suppress(XentoolError):
            api.down("full")
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@pytest.mark.parametrize("small_cache", [200], indirect=True)
def test_too_little_space_to_start(small_cache: Path) -> None:
    with pytest.raises(XentoolError, match=r"MiB free, a lab needs 512; free some or set XENTOOL_CACHE"):
        api.up("full", anew=True)
    assert process.find(small_cache / "lab/run/full") is None


@pytest.mark.parametrize("small_cache", [620], indirect=True)
@pytest.mark.usefixtures("small_cache")
def test_a_disk_that_fills_up_pauses_the_lab() -> None:
    lab = api.up("full", anew=True)
    with closing(lab.host()) as host:
        dd = ["dd", "if=/dev/zero", "of=/root/big", "bs=1M", "count=900", "conv=fsync"]
        nothing = subprocess.DEVNULL
        with host.popen(dd, stdin=nothing, stdout=nothing, stderr=nothing) as filling:
            eventually(lambda: found("full", "paused"), 300)
            filling.kill()
        with pytest.raises(Unavailable, match="lab full is paused: no space is left on this machine's disk"):
            api.running("full")
    assert "by force: no space is left" in api.down("full")
    assert process.find(lab.run) is None
