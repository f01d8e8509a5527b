"""Which host is meant."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from xentool.errors import Unavailable
from xentool.hosts import labs, resolve
from xentool.hosts.forms import HostError


@pytest.mark.parametrize(
    "text", ["xen1", "ssh://", "ssh://-oProxyCommand=x", "ssh://-l@x", "ssh://a b", "lab:", "lab:../x", "ssh://h:x"]
)
def test_values_without_a_known_form_are_wrong_usage(text: str) -> None:
    with pytest.raises(HostError, match="is no host; a host is local, ssh://") as caught:
        resolve(text, {})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["ssh://xen1", "ssh://root@xen1", "ssh://root@xen1:2222", "ssh://root@[::1]:22"])
def test_ssh_values(text: str) -> None:
    assert resolve(text, {}).name == text
    assert resolve(None, {"XENTOOL_HOST": text}).name == text


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    return {"XENTOOL_CACHE": str(tmp_path)}


def write_lab(cache: dict[str, str], name: str, pid: int, state: str = "up") -> None:
    known = {"name": name, "ssh_port": 2222, "ssh_key": "/k", "known_hosts": "/h", "qemu_pid": pid, "state": state}
    path = Path(cache["XENTOOL_CACHE"]) / f"lab/run/{name}/state.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(known))


@pytest.fixture
def qemu_pid(tmp_path: Path) -> Iterator[int]:
    program = tmp_path / "qemu-system-x86_64"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([program, "1000"])
    # Popen returns when exec closed its pipe, which is a moment before the kernel shows the new command line.
    while b"qemu" not in Path(f"/proc/{child.pid}/cmdline").read_bytes():
        time.sleep(0.01)
    yield child.pid
    child.kill()
    child.wait()


def test_labs_are_chosen_by_name_or_because_there_is_one(cache: dict[str, str], qemu_pid: int) -> None:
    write_lab(cache, "one", qemu_pid)
    assert resolve("lab", cache).name == resolve("lab:one", cache).name == resolve(None, cache).name == "lab:one"
    write_lab(cache, "two", qemu_pid)
    with pytest.raises(Unavailable, match=r"several labs are running \(one, two\)"):
        resolve("lab", cache)
    write_lab(cache, "default", qemu_pid)
    assert resolve("lab", cache).name == "lab:default"


def test_a_lab_whose_qemu_died_is_none(cache: dict[str, str]) -> None:
    write_lab(cache, "default", os.getpid())  # lives, but is no QEMU: the process id went to another program
    assert labs.running(cache) == {}
    with pytest.raises(Unavailable, match="`xentool lab up`") as caught:
        resolve(None, cache)
    assert caught.value.exit_code == 3
    with pytest.raises(Unavailable, match="no lab default is running"):
        resolve("lab:default", cache)


def test_a_lab_of_somebody_else_is_none(cache: dict[str, str], qemu_pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lab(cache, "default", qemu_pid)
    if os.geteuid() == 0:
        os.chown(Path(cache["XENTOOL_CACHE"]) / "lab/run/default/state.json", 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert labs.running(cache) == {}


def test_a_lab_that_starts_is_not_up(cache: dict[str, str], qemu_pid: int) -> None:
    write_lab(cache, "default", qemu_pid, "starting")
    with pytest.raises(Unavailable, match=r"lab default is not up yet \(starting\)"):
        resolve("lab", cache)


def test_the_cache_directory_follows_the_environment() -> None:
    assert labs.cache_directory({"XENTOOL_CACHE": "/a", "XDG_CACHE_HOME": "/b"}) == Path("/a")
    assert labs.cache_directory({"XDG_CACHE_HOME": "/b"}) == Path("/b/xentool")
    assert labs.cache_directory({}) == Path.home() / ".cache/xentool"
