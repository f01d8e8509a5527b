import os
import shutil
import subprocess
from pathlib import Path

from tests.missing import missing

TOP = Path(__file__).parents[3]


def test_vagrant_accepts_it(tmp_path: Path) -> None:
    if shutil.which("vagrant") is None:
        missing("vagrant is not installed; `make setup` brings it")
    # A copy, for vagrant leaves a folder beside the file; providers are plug-ins that need not be here.
    shutil.copy(TOP / "Vagrantfile", tmp_path)
    shutil.copytree(TOP / "xentool/lab/data", tmp_path / "xentool/lab/data")
    done = subprocess.run(
        ["vagrant", "validate", "--ignore-provider"],
        cwd=tmp_path,
        env={**os.environ, "VAGRANT_HOME": str(tmp_path / "home"), "VAGRANT_CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_takes_the_labs_own_lists() -> None:
    text = (TOP / "Vagrantfile").read_text()
    for part in ("packages.list", "dom0-modules.list", "provision.sh", "libvirt", "virtualbox", "debian/bookworm64"):
        assert part in text


def test_the_checkout_stays_here_and_a_machine_without_xen_is_told() -> None:
    text = (TOP / "Vagrantfile").read_text()
    assert 'synced_folder ".", "/vagrant", disabled: true' in text
    # Vagrant reboots also where the script before failed, so the last word is Xen's.
    provisioners = [line for line in text.splitlines() if "config.vm.provision" in line]
    assert '"dom0"' in provisioners[-1]
    assert "xl list ||" in text.split(provisioners[-1])[1]
