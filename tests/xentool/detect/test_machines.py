"""Every machine of `machines.py` through the files: layers, techniques, contradictions, and evidence for each."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.xentool.detect.machines import MACHINES, Machine, build
from xentool.detect.answer import answer
from xentool.detect.document import document
from xentool.detect.model import Answer, Layer, Statement
from xentool.detect.sources import read
from xentool.detect.text import headline


def look(machine: Machine, root: Path) -> Answer:
    return answer(replace(read(build(machine.tree, root)), cpuid=machine.cpuid))


def words(layer: Layer) -> str:
    parts = [layer.name, layer.mode, layer.role, layer.version]
    parts += [f"[{layer.product}]" if layer.product else None, *(f"+{name}" for name in layer.presents)]
    return " ".join(filter(None, [*parts, "(contested)" if layer.contested else None]))


def state(statement: Statement) -> str:
    return " ".join(filter(None, (statement.state, statement.by)))


@pytest.mark.parametrize("name", MACHINES)
def test_machine(name: str, tmp_path: Path) -> None:
    machine = MACHINES[name]
    found = look(machine, tmp_path)
    assert tuple(words(layer) for layer in found.layers) == machine.layers
    assert found.virtualized is machine.virtualized
    used = {f"{each.area} {each.name}": state(each.used) for each in found.techniques}
    offered = {f"{each.area} {each.name}": state(each.offered) for each in found.techniques}
    assert {key: used[key] for key in machine.used} == machine.used
    assert {key: offered[key] for key in machine.offered} == machine.offered
    assert [layer.name for layer in found.hosted] == list(machine.hosted)
    assert len(found.contradictions) == len(machine.contradictions)
    for contradiction, text in zip(found.contradictions, machine.contradictions, strict=True):
        assert text in contradiction.text


@pytest.mark.parametrize("name", MACHINES)
def test_each_statement_has_evidence_that_is_in_the_tree(name: str, tmp_path: Path) -> None:
    found = look(MACHINES[name], tmp_path)
    statements = [each for technique in found.techniques for each in (technique.used, technique.offered)]
    told = [each for each in statements if each.state != "unknown"]
    assert all(each.evidence and each.why for each in told)
    cited = [each.evidence for each in (*found.layers, *found.hosted)]
    cited += [each.evidence for each in found.contradictions] + [each.evidence for each in told]
    assert all(cited)
    for evidence in (each for evidences in cited for each in evidences):
        path = evidence.source.partition(" leaf ")[0]
        exists = (tmp_path / path[1:]).is_symlink() or (tmp_path / path[1:]).exists()
        absent = evidence.value.startswith(("none", "does not exist")) or evidence.source.startswith("/dev/cpu/")
        assert exists or absent, evidence
        assert evidence.value.isprintable()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("PV domU", "A PV domU of Xen 4.17.5"),
        ("the lab's dom0: Xen in QEMU's TCG", "PV dom0 of Xen 4.17.5, in a QEMU TCG virtual machine (QEMU)"),
        (
            "Docker in a PVH domU in TCG",
            "A Docker container, in a PVH domU of Xen 4.17.5, in a QEMU TCG virtual machine",
        ),
        ("LXC", "An LXC container"),
        ("Xen on ARM", "A Xen virtual machine"),
        ("a hypervisor nobody knows", "A virtual machine of an unknown hypervisor"),
        ("nothing to read", "Nothing that could be read here tells whether this machine is virtual"),
    ],
)
def test_headline(name: str, said: str, tmp_path: Path) -> None:
    assert headline(look(MACHINES[name], tmp_path)) == said


def test_document_has_all_of_the_answer(tmp_path: Path) -> None:
    written = document(look(MACHINES["the lab's dom0: Xen in QEMU's TCG"], tmp_path))
    assert written["schema"] == "xentool.detect/1"
    outer, inner = written["layers"]
    assert (outer["name"], outer["kind"], outer["product"]) == ("QEMU TCG", "type-2", "QEMU")
    assert (inner["name"], inner["kind"], inner["mode"], inner["role"]) == ("Xen", "type-1", "PV", "dom0")
    assert {"source": "/sys/hypervisor/guest_type", "value": "PV"} in inner["evidence"]
    assert {"source": "/proc/xen/capabilities", "value": "control_d"} in inner["evidence"]
    (paging,) = [each for each in written["techniques"] if each["name"] == "direct paging"]
    assert paging["used"] == {
        "state": "yes",
        "why": "a PV guest's own page tables are the CPU's; Xen validates each change (mmu_update)",
        "evidence": (
            {
                "source": "/sys/hypervisor/properties/features",
                "value": "auto_translated_physmap (bit 2) is clear",
            },
        ),
        "by": "Xen",
    }
