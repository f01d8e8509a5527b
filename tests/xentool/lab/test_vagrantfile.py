"""The Vagrantfile: judged by Vagrant, and by what it tells Vagrant to do."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.missing import missing
from xentool.lab import releases

TOP = Path(__file__).parents[3]
DATA = TOP / "xentool/lab/data"
#: Seconds after which Vagrant counts as hung; on a starved machine it takes minutes.
HUNG = 3000
#: VirtualBox need not be here: Vagrant asks this program which version it is, before it looks at what is said of it.
VIRTUALBOX = "#!/bin/sh\necho 7.0.20r163906\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    # A copy, for Vagrant leaves a folder beside the file.
    shutil.copy(TOP / "Vagrantfile", tmp_path)
    shutil.copytree(DATA, tmp_path / "xentool/lab/data")
    return tmp_path


def validated(project: Path, provider: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("vagrant") is None:
        missing("vagrant is not installed; `make setup` brings it")
    programs = project / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "VBoxManage").write_text(VIRTUALBOX)
    (programs / "VBoxManage").chmod(0o755)
    return subprocess.run(
        ["vagrant", "validate"],
        cwd=project,
        env={
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "VAGRANT_HOME": str(project / "home"),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DEFAULT_PROVIDER": provider,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=HUNG,
    )


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_vagrant_accepts_it(project: Path, provider: str) -> None:
    done = validated(project, provider)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "Vagrantfile validated successfully.\n"


@pytest.mark.parametrize(("provider", "title"), [("libvirt", "Libvirt"), ("virtualbox", "VirtualBox")])
def test_vagrant_looks_at_what_is_said_of_each_provider(project: Path, provider: str, title: str) -> None:
    path = project / "Vagrantfile"
    path.write_text(path.read_text().replace(f"{provider}.cpus =", f"{provider}.cpuz ="))
    done = validated(project, provider)
    assert done.returncode == 1
    assert f"{title} Provider:" in done.stderr
    assert "cpuz" in done.stderr


def told(path: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("ruby") is None:
        missing("ruby is not installed; `make setup` brings it with vagrant")
    reader = Path(__file__).with_name("told.rb")
    environ = {**{name: text for name, text in os.environ.items() if name != "XENTOOL_XEN"}, **environ}
    return subprocess.run(
        ["ruby", str(reader), str(path)], env=environ, capture_output=True, text=True, check=False, timeout=HUNG
    )


def calls(path: Path, **environ: str) -> list[tuple[str, list[Any], dict[str, Any]]]:
    done = told(path, **environ)
    assert done.returncode == 0, done.stderr
    return [(name, words, options) for name, words, options in json.loads(done.stdout)]


def provisioners(path: Path, **environ: str) -> dict[str, dict[str, Any]]:
    return {words[0]: options for name, words, options in calls(path, **environ) if name == "provision"}


@pytest.mark.parametrize(("xen", "box"), [("4.17", "debian/bookworm64"), ("4.20", "debian/trixie64")])
def test_each_xen_has_its_debian_its_machine_and_its_packages(xen: str, box: str) -> None:
    said = calls(TOP / "Vagrantfile", XENTOOL_XEN=xen)
    assert ("box=", [box], {}) in said
    assert ("define", [f"xen-{xen}"], {}) in said
    release = releases.RELEASES[xen]
    assert release.suite in box
    packages, modules, version = provisioners(TOP / "Vagrantfile", XENTOOL_XEN=xen)["xen"]["args"]
    assert packages.split() == releases.packages(release)
    assert modules.split() == releases.listed("dom0-modules.list")
    assert version == xen


def test_there_is_one_for_each_xen_of_the_lab_and_the_same_by_default() -> None:
    assert ("define", [f"xen-{releases.DEFAULT_XEN}"], {}) in calls(TOP / "Vagrantfile")
    done = told(TOP / "Vagrantfile", XENTOOL_XEN="4.16")
    assert done.returncode == 1
    assert done.stderr == f"XENTOOL_XEN=4.16: there are {' and '.join(releases.RELEASES)}\n"


def test_the_checkout_stays_here_and_the_labs_files_go_over_in_a_script(tmp_path: Path) -> None:
    said = calls(TOP / "Vagrantfile")
    assert ("synced_folder", [".", "/vagrant"], {"disabled": True}) in said
    script = provisioners(TOP / "Vagrantfile")["data"]["inline"]
    target = tmp_path / "data"
    # Once more, as `vagrant provision` does, on what is there.
    for _ in range(2):
        subprocess.run(["sh"], input=script.replace("/tmp/xentool-data", str(target)), text=True, check=True)
        (target / "left.sh").touch()
    (target / "left.sh").unlink()
    there = {path.name: (path.read_bytes(), path.stat().st_mode & 0o111) for path in target.iterdir()}
    assert there == {path.name: (path.read_bytes(), path.stat().st_mode & 0o111) for path in DATA.iterdir()}


def test_a_script_that_fails_is_followed_by_no_reboot_and_xen_has_the_last_word() -> None:
    # Vagrant goes on with the next one only after success, but reboots after failure, too.
    asked = provisioners(TOP / "Vagrantfile")
    assert list(asked) == ["data", "xen", "reboot", "dom0"]
    assert [name for name, options in asked.items() if options.get("reboot")] == ["reboot"]
    assert asked["reboot"]["inline"] == "true"
    look = subprocess.run(
        ["sh", "-c", asked["dom0"]["inline"]],
        env={"PATH": "/nonexistent"},
        executable="/bin/sh",
        capture_output=True,
        text=True,
        check=False,
    )
    assert look.returncode == 1
    assert "this machine did not boot Xen" in look.stderr
