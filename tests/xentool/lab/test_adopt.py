"""A machine of Vagrant's as a lab: Vagrant, ssh and xl are stand-ins, and say what the real ones were seen to say."""

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.xentool.tools.recorded import INFO
from xentool.cli.lab import group
from xentool.errors import Unavailable, XentoolError
from xentool.hosts import adopted, named, resolve
from xentool.lab import api, guests

#: As `vagrant ssh-config` prints it, with the empty line after it.
CONFIG = """\
Host {name}
  HostName 192.168.121.7
  User vagrant
  Port 22
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  PasswordAuthentication no
  IdentityFile /p/.vagrant/machines/{name}/libvirt/private_key
  IdentitiesOnly yes
  LogLevel FATAL

"""
#: Says "yes, connected" to what asks that, notes the words of each call, and runs the command here.
SSH = """#!/bin/sh
echo "$*" >>{folder}/calls
case "$*" in
*"-O check"*) exit 0 ;;
*-G*) exit 0 ;;
*"ControlMaster=yes"*) : >"$(echo "$*" | sed 's/.*ControlPath=\\([^ ]*\\).*/\\1/')"; exit 0 ;;
*-O*) exit 0 ;;
esac
for word; do :; done
PATH={folder}/dom0:$PATH exec sh -c "$word"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder in which ``vagrant.out`` is what Vagrant says; its status is in ``vagrant.status``."""
    for name in ("bin", "dom0", "project", "cache", "run"):
        (tmp_path / name).mkdir()
    vagrant = (
        'pwd >{0}/where; echo "$@" >>{0}/where; cat {0}/vagrant.out; cat {0}/vagrant.err >&2; exit $(cat {0}/status)'
    )
    programs = {
        "bin/vagrant": f"#!/bin/sh\n{vagrant.format(tmp_path)}\n",
        "bin/ssh": SSH.format(folder=tmp_path),
        "dom0/xl": f"#!/bin/sh\ncat {tmp_path}/info\n",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "info").write_text(INFO)
    (tmp_path / "vagrant.out").write_text(CONFIG.format(name="xen-4.17"))
    (tmp_path / "vagrant.err").write_text("")
    (tmp_path / "status").write_text("0")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("XENTOOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XENTOOL_SSH_PERSIST", "0")
    monkeypatch.delenv("XENTOOL_HOST", raising=False)
    return tmp_path


def adopt(folder: Path) -> Result:
    return CliRunner().invoke(group, ["adopt", "--vagrant", str(folder / "project")])


def test_it_is_a_host_by_name_the_one_in_use_and_reached_as_root_as_vagrant_says(folder: Path) -> None:
    done = adopt(folder)
    assert done.exit_code == 0, done.output
    assert done.stdout == "xen-4.17 is adopted, and in use: Xen 4.17.7\n"
    assert (folder / "where").read_text() == f"{folder}/project\nssh-config\n"
    known = named.read()
    assert (dict(known.hosts), known.used) == ({"xen-4.17": "lab:xen-4.17"}, "xen-4.17")
    kept = adopted.config("xen-4.17")
    assert kept.read_text() == CONFIG.format(name="xen-4.17")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    (called,) = [line for line in (folder / "calls").read_text().splitlines() if line.endswith("xl info")]
    assert f"-F {kept}" in called
    assert called.endswith("-- root@xen-4.17 xl info")
    assert resolve("lab:xen-4.17").name == resolve(None).name == "lab:xen-4.17"
    # Once more, for its address has changed.
    (folder / "vagrant.out").write_text(CONFIG.format(name="xen-4.17").replace("121.7", "121.9"))
    assert adopt(folder).exit_code == 0
    assert "HostName 192.168.121.9\n" in kept.read_text()


def test_guests_are_started_in_the_machine_that_is_in_use_or_named(folder: Path) -> None:
    assert adopt(folder).exit_code == 0
    assert guests.types() == guests.types("xen-4.17") == ("pv", "pvh")
    named.use(None)
    with pytest.raises(Unavailable, match="no lab default is running"):
        guests.types()


def test_what_runs_there_and_consoles_are_those_of_a_lab(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert adopt(folder).exit_code == 0
    (folder / "dom0/echoed").write_text('#!/bin/sh\nprintf "%s|" "$@"\nexit 7\n')
    (folder / "dom0/echoed").chmod(0o755)
    with Path(os.devnull).open() as nothing, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", nothing)
        assert api.run(["echoed", "a b", "$c"]) == 7
    assert capfd.readouterr().out == "a b|$c|"
    with pytest.raises(XentoolError, match="no guest web was ever started"):
        list(api.guest_console("web", "xen-4.17"))


@pytest.mark.parametrize(
    ("out", "err", "status", "said"),
    [
        ("", "The provider is reporting that it is not yet ready for SSH.\n", "1", "not yet ready for SSH"),
        ("", "", "0", "has 0 machines that are up"),
        (CONFIG.format(name="a") + CONFIG.format(name="b"), "", "0", "has 2 machines that are up"),
        (CONFIG.format(name="../x"), "", "0", "'../x' is no name for a lab"),
        (CONFIG.format(name="-oProxyCommand=x"), "", "0", "is no name for a lab"),
    ],
)
def test_nothing_is_kept_of_what_vagrant_cannot_tell(folder: Path, out: str, err: str, status: str, said: str) -> None:
    (folder / "vagrant.out").write_text(out)
    (folder / "vagrant.err").write_text(err)
    (folder / "status").write_text(status)
    done = adopt(folder)
    assert done.exit_code == 1
    assert said in str(done.exception)
    assert adopted.names() == []
    assert named.read() == named.Named()


def test_a_machine_that_booted_no_xen_is_not_in_use(folder: Path) -> None:
    (folder / "dom0/xl").write_text('#!/bin/sh\necho "xl: Can\'t find hypervisor information in sysfs!" >&2\nexit 1\n')
    done = adopt(folder)
    assert done.exit_code == 1
    assert "Can't find hypervisor information in sysfs!" in str(done.exception)
    assert named.read() == named.Named()


def test_a_file_that_others_may_write_is_not_believed(folder: Path) -> None:
    # ssh runs what such a file says.
    assert adopt(folder).exit_code == 0
    adopted.config("xen-4.17").chmod(0o622)
    assert adopted.names() == []
    with pytest.raises(Unavailable, match=r"no lab xen-4\.17 is running"):
        resolve("lab:xen-4.17")


def test_a_folder_that_is_not_there_or_no_vagrant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(group, ["adopt", "--vagrant", str(folder / "none")])
    assert done.exit_code == 1
    assert str(done.exception) == f"{folder}/none: No such file or directory"
    monkeypatch.setenv("PATH", str(folder / "dom0"))
    done = adopt(folder)
    assert isinstance(done.exception, Unavailable)
    assert str(done.exception).startswith("vagrant is not installed; ")
