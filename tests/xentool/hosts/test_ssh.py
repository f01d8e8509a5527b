"""Hosts behind ssh, without a server."""

import json
import sys
from pathlib import Path

import pytest

from xentool.errors import Unavailable
from xentool.hosts import waiting
from xentool.hosts.ssh import SshHost


def test_an_unreachable_host_is_unavailable_with_the_reason_of_ssh() -> None:
    host = SshHost("ssh://root@127.0.0.1:1", options=("-F", "none"))
    with pytest.raises(Unavailable, match=r"^cannot reach ssh://root@127\.0\.0\.1:1: .*Connection refused$") as caught:
        host.run(["true"])
    assert caught.value.exit_code == 3
    host.close()


def test_words_reach_the_remote_shell_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An ssh that shows its words stands in for a connection.
    fake = tmp_path / "ssh"
    fake.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    words = json.loads(SshHost("root@xen1", options=("-p", "22")).run(["echo", "a b", "$HOME"]).stdout)
    assert words[-3:] == ["--", "root@xen1", "echo 'a b' '$HOME'"]
    assert words[words.index("-p") + 1] == "22"


def test_a_login_that_hangs_is_given_up_where_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "ssh"
    fake.write_text("#!/bin/sh\ncase $* in *-O*|*-G*) exit 1 ;; *) exec sleep 600 ;; esac\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XENTOOL_TIMEOUT", "0.1")
    host = SshHost("ssh://xen1", options=("-F", "none"))
    with waiting.unasked(), pytest.raises(Unavailable, match=r"^cannot reach ssh://xen1: no login within 0\.1 s$"):
        host.run(["true"])
    host.close()
