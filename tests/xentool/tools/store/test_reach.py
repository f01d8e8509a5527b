"""Which store is meant, and what bars the way to one."""

import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from pvdrivers.xenstore.client import Client
from tests.pvdrivers.xenstore.served import served
from xentool.errors import Unavailable
from xentool.hosts.base import Completed
from xentool.hosts.local import LocalHost
from xentool.hosts.ssh import SshHost
from xentool.tools import store


class Pretended(LocalHost):
    """A host that says that its store is at a path, and leads there."""

    name = "xen1"

    def __init__(self, path: str) -> None:
        self.path = path

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        return Completed(tuple(argv), 0, f"{self.path}\n".encode(), b"")


def test_the_environment_names_a_store_and_the_host_beats_it(tmp_path: Path) -> None:
    with served(tmp_path):
        path = str(tmp_path / "dom0")
        for environ in {"XENSTORED_PATH": path, "XENTOOL_HOST": "lab:none"}, {"XENSTORED_PATH": path}:
            with store.opened(None, environ) as client:
                assert client.path == Path(path)
                assert client.exists("/tool")
        for where, environ in ("lab:none", {"XENSTORED_PATH": path}), (None, {"XENTOOL_HOST": "lab:none"}):
            with pytest.raises(Unavailable, match="no lab none is running"), store.opened(where, environ):
                pass


def test_the_host_in_use_beats_this_machines_store_and_is_beaten_by_a_named_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "xentool").mkdir()
    (tmp_path / "xentool/config.toml").write_text('use = "test"\n[hosts]\ntest = "lab:none"\n')
    with served(tmp_path):
        environ = {"XDG_CONFIG_HOME": str(tmp_path)}
        monkeypatch.setattr("xentool.tools.store.reach.find", lambda _: tmp_path / "dom0")
        with pytest.raises(Unavailable, match="no lab none is running"), store.opened(None, environ):
            pass
        assert capsys.readouterr().err == "xentool: on test (lab:none), the host in use\n"
        with store.opened(None, {**environ, "XENSTORED_PATH": str(tmp_path / "dom0")}) as client:
            assert client.exists("/tool")


def test_a_store_of_a_host(tmp_path: Path) -> None:
    with served(tmp_path), store.connect(Pretended(str(tmp_path / "dom0"))) as client:
        assert isinstance(client, Client)
        assert client.domain_path(3) == "/local/domain/3"


def test_a_host_without_a_store() -> None:
    with pytest.raises(Unavailable, match=r"^xen1 has no XenStore that this user may use; root may"):
        store.connect(Pretended(""))


def test_a_socket_that_nobody_listens_at(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"^xen1: cannot connect to XenStore at .*: No such file or directory$"):
        store.connect(Pretended(str(tmp_path / "none")))


def test_a_way_that_ends_at_once(tmp_path: Path) -> None:
    # As ssh does when the far sshd refuses the forwarding.
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()

        def refuse() -> None:
            with suppress(OSError):
                while True:
                    listening.accept()[0].close()

        refusing = threading.Thread(target=refuse)
        refusing.start()
        with pytest.raises(Unavailable, match=r"sshd forwards no sockets \(AllowStreamLocalForwarding in"):
            store.connect(Pretended(str(tmp_path / "s")))
        listening.shutdown(socket.SHUT_RDWR)
        refusing.join()


def test_a_forwarding_that_ssh_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An ssh that connects and forwards nothing; a user's own configuration must not come into it.
    fake = tmp_path / "ssh"
    fake.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "if 'forward' in sys.argv: sys.exit('mux_client_forward: request failed: ' + ' '.join(sys.argv[1:5]))\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    said = r"^cannot forward /s from xen1: mux_client_forward: request failed: -F none -O forward$"
    with pytest.raises(Unavailable, match=said):
        SshHost("root@xen1", name="xen1").forward("/s")
