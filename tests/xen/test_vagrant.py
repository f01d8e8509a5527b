"""`vagrant up`, for real: with the project's own Vagrantfile, by libvirt, on a box that is built here.

Vagrant, libvirtd and the machine are in namespaces of their own. Nothing is downloaded but the box's Debian packages.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.missing import missing
from tests.xen.labs import usually
from tests.xen.vagrant import box, world
from tests.xen.vagrant.world import World
from xentool.lab import releases

pytestmark = [pytest.mark.lab, usually("4.17")]

TOP = Path(__file__).parents[2]
#: Seconds after which a program counts as hung: emulated, and on a busy machine, `vagrant up` takes its time.
HUNG = 3000
#: How the box of each Xen is called, as the Vagrantfile has it.
BOXES = {"4.17": "debian/bookworm64", "4.20": "debian/trixie64"}


class Project:
    """A copy of the Vagrantfile and of what it reads, in a world of its own."""

    def __init__(self, there: World, folder: Path) -> None:
        self._there, self.folder = there, folder

    def run(self, *argv: str) -> str:
        """Run a program in the project's folder, which succeeds, and return what it prints."""
        done = self._there.run(*argv, folder=self.folder, timeout=HUNG)
        assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def xentool(self, *words: str) -> str:
        """Run this checkout's xentool."""
        return self.run(sys.executable, "-m", "xentool", *words)

    def made_by(self, name: str, domid: int) -> set[str]:
        """Trace a PV domain for three seconds and return the names of the hypercalls that it made."""
        report = json.loads(self.xentool("trace", name, "-d", "3", "--json"))
        (domain,) = (each for each in report["domains"] if each["domid"] == domid)
        assert domain["mode"] == "pv"
        return {call["name"] for vcpu in domain["vcpus"] for call in vcpu["hypercalls"] if call["count"]}


@pytest.fixture(params=releases.RELEASES)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    if (why := world.lacking()) is not None:
        missing(why)
    xen = request.param
    environ = {
        "VAGRANT_HOME": str(tmp_path / "home"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_DEFAULT_PROVIDER": "libvirt",
        "VAGRANT_MAX_REBOOT_RETRY_DURATION": str(HUNG),
        "XENTOOL_XEN": xen,
        "XENTOOL_HOST": "",
        "XENTOOL_CACHE": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PYTHONPATH": str(TOP),
    }
    folder = tmp_path / "project"
    (folder / "xentool/lab").mkdir(parents=True)
    shutil.copy(TOP / "Vagrantfile", folder)
    shutil.copytree(TOP / "xentool/lab/data", folder / "xentool/lab/data")
    packed = box.ensure(releases.RELEASES[xen])
    with world.made(tmp_path, environ) as there:
        made = Project(there, folder)
        made.run("vagrant", "box", "add", "--name", BOXES[xen], "--provider", "libvirt", str(packed))
        yield made
    # Disks of gigabytes, which pytest would keep for three runs.
    shutil.rmtree(tmp_path / "home")
    shutil.rmtree(tmp_path / "var")


def test_it_is_a_dom0_that_xentool_traces_and_nothing_is_left_of_it(project: Project) -> None:
    said = project.run("vagrant", "up")
    # The last provisioner's, after the reboot.
    assert "Domain-0" in said.rpartition("Running provisioner: dom0")[2]

    assert "adopted, and in use: Xen 4." in project.xentool("lab", "adopt", "--vagrant")
    (dom0,) = json.loads(project.xentool("list", "--json"))["domains"]
    assert (dom0["domid"], dom0["name"]) == (0, "Domain-0")
    assert {"sched_op", "event_channel_op"} <= project.made_by("Domain-0", 0)

    project.xentool("lab", "guest", "start", "domU", "--workload", "mixed")
    (guest,) = json.loads(project.xentool("lab", "guest", "list", "--json"))["guests"]
    assert (guest["name"], guest["type"], guest["workload"]) == ("domU", "pv", "mixed")
    assert {"mmu_update", "sched_op", "event_channel_op"} <= project.made_by("domU", guest["domid"])

    project.run("vagrant", "halt")
    assert "state,shutoff" in project.run("vagrant", "status", "--machine-readable")
    project.run("vagrant", "destroy", "-f")
    virsh = ("virsh", "--quiet", "--connect", "qemu:///system")
    assert project.run(*virsh, "list", "--all").split() == []
    # What is left is the box's, with which other machines would begin.
    (volume,) = project.run(*virsh, "vol-list", "default").splitlines()
    assert "_box_image_" in volume
