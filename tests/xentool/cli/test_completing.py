"""What Tab completes, and that it costs no more than it may where a host does not answer."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from pvdrivers.xenstore.client import Client
from tests.pvdrivers.xenstore.served import served
from xentool.cli.root import group


def completed(*words: str) -> list[str]:
    *before, last = words
    items = ShellComplete(group, {}, "xentool", "_XENTOOL_COMPLETE").get_completions(before, last)
    return [item.value for item in items]


@pytest.fixture
def dom0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine be a dom0 that has its store there."""
    monkeypatch.setenv("XENSTORED_PATH", str(tmp_path / "dom0"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(sys.modules["xentool.hosts.resolve"], "is_dom0", lambda: True)


def test_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path))
    (tmp_path / "xentool").mkdir()
    (tmp_path / "xentool/config.toml").write_text('[hosts]\nlan = "ssh://lan"\nxen1 = "ssh://xen1"\n')
    assert completed("list", "-H", "") == ["lab", "lan", "local", "xen1"]
    assert completed("store", "read", "--host", "la") == ["lab", "lan"]
    assert completed("host", "use", "") == ["lan", "xen1"]
    # What cannot be read is for the command to complain of.
    (tmp_path / "xentool/config.toml").write_text("[")
    assert completed("list", "-H", "") == []


@pytest.mark.usefixtures("dom0")
def test_domains_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    # A busy machine's store may take longer.
    monkeypatch.setattr("xentool.cli.common.completing.PATIENCE", 300)
    with served(tmp_path), Client(tmp_path / "dom0") as client:
        for domid, name in ((0, "Domain-0"), (1, "web"), (5, "web2"), (6, "a b"), (7, "evil\x1b[2J")):
            client.write(f"/local/domain/{domid}/name", name.encode())
        client.write("/tool/x", b"")
        assert completed("show", "") == ["Domain-0", "web", "web2"]
        assert completed("trace", "-d", "5", "web") == ["web", "web2"]
        assert completed("device", "detach", "D") == ["Domain-0"]
        assert completed("store", "tree", "") == ["/"]
        assert completed("store", "read", "/") == ["/local", "/tool"]
        assert completed("store", "read", "/x", "/to") == ["/tool", "/tool/x", "/tool/xenstored"]
        assert completed("store", "ls", "/local/domain/7/") == ["/local/domain/7/name"]
        assert completed("store", "ls", "/none/") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("dom0")
def test_a_store_that_does_not_answer_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    class Counted(Client):
        def __init__(self, path: Path, *, timeout: float) -> None:
            asked.append(timeout)
            super().__init__(path, timeout=timeout)

    monkeypatch.setattr("pvdrivers.xenstore.client.Client", Counted)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "dom0"))
        silent.listen()
        assert completed("show", "") == []
        assert completed("store", "ls", "/local/") == []
    assert asked == [0.08, 0.08]


def test_domains_of_a_trace_are_those_that_were_noted(tmp_path: Path) -> None:
    (tmp_path / "t.meta.json").write_text(json.dumps({"domains": [{"domid": 1, "name": "web"}]}))
    assert completed("report", str(tmp_path / "t"), "--domain", "") == ["web"]
    (tmp_path / "t.meta.json").write_text("[" * 100_000)
    assert completed("report", str(tmp_path / "t"), "--domain", "") == []


def test_the_list_of_events_is_not_printed_while_completing(capfd: pytest.CaptureFixture[str]) -> None:
    assert "hypercall" in completed("dump", "-e", "list", "-e", "hyper")
    assert capfd.readouterr() == ("", "")


def test_what_is_completed_by_each_command() -> None:
    found = {}
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        for parameter in command.params if command else ():
            if parameter.name in ("domain", "where"):
                found[name, parameter.name] = parameter._custom_shell_complete
    assert len(found) > 15
    assert [where for where, complete in found.items() if complete is None] == []


@pytest.mark.parametrize("command", ["trace", "dump"])
def test_options_are_known_without_what_is_slow_to_load(command: str) -> None:
    # Tab asks for them, and waits.
    code = f"import sys, xentool.cli.{command}; print(*sorted({{'construct', 'numpy', 'rich'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout == "\n"
