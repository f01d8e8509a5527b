"""The connection that commands share, with an ssh that keeps account of what it is asked."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xentool.hosts import control
from xentool.hosts.ssh import SshHost

#: A master is a file that says "alive"; what is asked goes into a log, a line each.
SSH = f"""#!{sys.executable}
import os, sys
words = sys.argv[1:]
path = next((word.split("=", 1)[1] for word in words if word.startswith("ControlPath=")), "")
verb = words[words.index("-O") + 1] if "-O" in words else "-G" if "-G" in words else "-N" if "-N" in words else "run"
persist = [word for word in words if word.startswith("ControlPersist=")]
print(verb, path, *persist, file=open(os.environ["SSH_LOG"], "a"))
if verb == "-G":
    print(os.environ.get("SSH_SETTINGS", "controlpath none"))
elif verb == "-N":
    open(path, "w").write("alive")
elif verb == "check":
    sys.exit(open(path).read() != "alive")
elif verb == "forward":
    open(words[words.index("-L") + 1].split(":")[0], "w")
elif verb == "exit":
    os.unlink(path)
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    fake = tmp_path / "ssh"
    fake.write_text(SSH)
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SSH_LOG", str(tmp_path / "log"))
    # pytest's own folders are too long for a socket's path.
    with tempfile.TemporaryDirectory(prefix="xt-", dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        yield tmp_path / "log"


def asked(log: Path) -> list[str]:
    """Give what ssh was asked, and forget it."""
    verbs = [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []
    log.unlink(missing_ok=True)
    return verbs


def used(name: str = "root@xen1") -> Path:
    host = SshHost(name)
    host.run(["true"])
    where = host.forward("/run/store").parent
    host.close()
    return where


def test_the_next_command_finds_the_connection(log: Path) -> None:
    folder = used()
    assert "ControlPersist=300" in log.read_text()
    assert asked(log) == ["-G", "-N", "run", "check", "forward", "cancel"]
    assert used() == folder == Path(os.environ["XDG_RUNTIME_DIR"], "xentool/ssh")
    assert asked(log) == ["-G", "check", "run", "check", "forward", "cancel"]
    # What led to dom0's sockets is gone; another host has a connection of its own.
    assert {path.suffix for path in folder.iterdir()} == {"", ".lock"}
    used("root@xen2")
    assert asked(log)[:2] == ["-G", "-N"]


def test_a_master_that_has_died_is_made_anew(log: Path) -> None:
    folder = used()
    (socket,) = (path for path in folder.iterdir() if not path.suffix)
    socket.write_text("dead")
    (folder / f"{socket.name}.4194305.0").touch()  # left by a process that was killed
    asked(log)
    used()
    assert asked(log)[:5] == ["-G", "check", "check", "-N", "run"]
    assert sorted(path.suffix for path in folder.iterdir()) == ["", ".lock"]


def test_a_lab_that_ends_takes_its_connection_along(log: Path) -> None:
    folder = used()
    SshHost("root@xen1").disconnect()
    assert asked(log)[-1] == "exit"
    assert [path.suffix for path in folder.iterdir()] == [".lock"]


def test_no_sharing_for_who_wants_none(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XENTOOL_SSH_PERSIST", "0")
    host = SshHost("root@xen1")
    host.run(["true"])
    assert "ControlPersist=60" in log.read_text()
    host.close()
    assert asked(log) == ["-G", "-N", "run", "exit"]


@pytest.mark.parametrize(("persists", "told"), [("no", "ControlPersist=300"), ("120", None)])
def test_the_users_own_connection_is_theirs(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, persists: str, told: str | None
) -> None:
    theirs = tmp_path / "theirs"
    monkeypatch.setenv("SSH_SETTINGS", f"host xen1\ncontrolpath {theirs}\ncontrolpersist {persists}")
    host = SshHost("root@xen1")
    host.run(["true"])
    host.disconnect()
    master = log.read_text().splitlines()[1]
    assert master == " ".join(filter(None, ("-N", str(theirs), told)))
    assert asked(log) == ["-G", "-N", "run"]
    assert theirs.exists()


def test_a_folder_that_others_can_reach_or_have_made_is_not_used(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="xt-", dir="/tmp") as runtime:
        environ, own = {"XDG_RUNTIME_DIR": runtime}, Path(runtime, "xentool")
        assert control.directory(environ) == own / "ssh"
        own.chmod(0o750)
        assert control.directory(environ) != own / "ssh"
        own.chmod(0o700)
        (own / "ssh").chmod(0o777)
        assert control.directory(environ) != own / "ssh"
        (own / "ssh").rmdir()
        own.rmdir()
        own.symlink_to(tmp_path)
        assert control.directory(environ) != own / "ssh"
        assert list(tmp_path.iterdir()) == []
    too_long = {"XDG_RUNTIME_DIR": f"/tmp/{'x' * 60}"}
    assert "xxx" not in str(control.directory(too_long))
