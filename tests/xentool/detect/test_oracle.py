"""systemd-detect-virt as the judge: on this machine, and in a chroot with each tree of `machines.py`.

In the chroot it still asks this machine's CPU, so that our answer is given what the CPU says too. systemd names one
winner, we name all layers: its word has to be among ours.
"""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.xentool.detect.machines import MACHINES, build
from tests.xentool.detect.oracle import NAMES, judged
from xentool.detect import detect
from xentool.detect.answer import answer
from xentool.detect.model import Answer
from xentool.detect.sources import read

#: What the CPU of the machine under the tests says, by systemd's word for it in an empty tree.
SIGNATURES = {
    "kvm": "KVMKVMKVM",
    "microsoft": "Microsoft Hv",
    "none": "",
    "qemu": "TCGTCGTCGTCG",
    "vmware": "VMwareVMware",
    "xen": "XenVMMXenVMM",
}


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
        if word != MACHINES[name].misjudged:
            assert_agrees(found, word)


@pytest.mark.parametrize("kind", ["--vm", "--container"])
def test_this_machine(kind: str) -> None:
    done = subprocess.run(["systemd-detect-virt", kind], capture_output=True, text=True, check=False)
    assert_agrees(detect(), done.stdout.strip())
