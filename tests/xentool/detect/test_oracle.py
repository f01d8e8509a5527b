"""systemd-detect-virt as the judge: on this machine, and in a chroot with each tree of `machines.py`.

In the chroot it still asks this machine's CPU, so that our answer is given what the CPU says too. systemd names one
winner, we name all layers: its word has to be among ours.
"""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.xentool.detect.machines import MACHINES, build
from xentool.detect import detect
from xentool.detect.answer import answer
from xentool.detect.model import Answer
from xentool.detect.sources import read

#: systemd's words for what we call by several names, or by others.
NAMES = {
    "amazon": {"KVM"},
    "bhyve": {"bhyve"},
    "bochs": {"Bochs", "QEMU", "KVM"},
    "docker": {"Docker"},
    "google": {"KVM"},
    "kvm": {"KVM"},
    "lxc": {"LXC"},
    "lxc-libvirt": {"LXC (libvirt)"},
    "microsoft": {"Hyper-V"},
    "openvz": {"OpenVZ"},
    "oracle": {"VirtualBox"},
    "parallels": {"Parallels"},
    "podman": {"Podman"},
    "powervm": {"PowerVM"},
    "qemu": {"QEMU", "QEMU TCG"},
    "systemd-nspawn": {"systemd-nspawn"},
    "uml": {"User-Mode Linux"},
    "vm-other": {"unknown hypervisor"},
    "vmware": {"VMware"},
    "wsl": {"WSL 1", "WSL 2"},
    "xen": {"Xen"},
    "zvm": {"z/VM"},
}
#: What the CPU of the machine under the tests says, by systemd's word for it in an empty tree.
SIGNATURES = {
    "kvm": "KVMKVMKVM",
    "microsoft": "Microsoft Hv",
    "none": "",
    "qemu": "TCGTCGTCGTCG",
    "vmware": "VMwareVMware",
    "xen": "XenVMMXenVMM",
}
CHROOT = """
mkdir -p "$1/usr" && mount --bind /usr "$1/usr"
for name in bin lib lib64 sbin; do [ -e "$1/$name" ] || ln -s "usr/$name" "$1/$name"; done
for kind in --vm --container; do PATH=$PATH:/usr/sbin chroot "$1" systemd-detect-virt "$kind"; done
"""


def judged(root: Path) -> tuple[str, str]:
    """Ask systemd for a tree's virtual machine and container."""
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    done = subprocess.run([*namespace, "sh", "-c", CHROOT, "sh", root], capture_output=True, text=True, check=False)
    assert not done.stderr
    vm, container = done.stdout.split()
    return vm, container


def assert_agrees(found: Answer, word: str) -> None:
    """Have the word among the layers, wherever systemd found one; a manager that it knows by no name is any."""
    names = {name for layer in found.layers for name in (layer.name, *layer.presents)}
    if word == "container-other":
        assert any(layer.kind == "container" for layer in found.layers)
    elif word != "none":
        assert names & NAMES[word], f"systemd says {word}, we {names}"


@pytest.fixture(scope="module")
def signature(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    said = SIGNATURES[judged(tmp_path_factory.mktemp("empty"))[0]]
    return {0x40000000: said} if said else {}


@pytest.mark.parametrize("name", MACHINES)
def test_trees(name: str, tmp_path: Path, signature: dict[int, str]) -> None:
    found = answer(replace(read(build(MACHINES[name].tree, tmp_path)), cpuid=signature))
    for word in judged(tmp_path):
        assert_agrees(found, word)


@pytest.mark.parametrize("kind", ["--vm", "--container"])
def test_this_machine(kind: str) -> None:
    done = subprocess.run(["systemd-detect-virt", kind], capture_output=True, text=True, check=False)
    assert_agrees(detect(), done.stdout.strip())
