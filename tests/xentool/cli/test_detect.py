"""`xentool detect` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

from tests.xentool.cli.running import run
from tests.xentool.detect.machines import MACHINES, build
from xentool.detect.answer import answer
from xentool.detect.sources import read
from xentool.detect.text import lines

PV_DOMU = """\
A PV domU of Xen 4.17.5

Layers, outermost first
  1  Xen 4.17.5: Type-1 hypervisor; PV domU
     made for the bare machine; dom0 is its first guest and drives the hardware for it
       /sys/hypervisor/guest_type: PV
       /sys/hypervisor/properties/features: 00008002: dom0 (bit 11) is clear
       /proc/xen/capabilities: no control_d
       /sys/hypervisor/uuid: 5a3f1f4e-9f4c-4e50-9c1b-3d3b7a1f0e6a
       /sys/hypervisor/type: xen
       /proc/xen: exists
       /sys/devices/system/clocksource/clocksource0/available_clocksource: xen
       /proc/cpuinfo: flags: hypervisor

                                            this machine  its own guests
Kind       Type-1 hypervisor                Xen 4.17.5    -
           Type-2 hypervisor                -             -
           container                        -             -
CPU        binary translation               no            ?
           paravirtual                      yes (Xen)     ?
           hardware-assisted (VT-x, AMD-V)  no            ?
Memory     shadow paging                    no            ?
           direct paging                    yes (Xen)     ?
           nested paging (EPT, NPT)         no            ?
I/O        emulated                         no            ?
           paravirtual                      yes (Xen)     ?
           passthrough                      ?             ?
           IOMMU                            ?             ?
           SR-IOV                           ?             ?
Isolation  namespaces                       ?             ?

Why
  CPU, binary translation, this machine: no, Xen has no binary translator
       /sys/hypervisor/guest_type: PV
"""


def test_a_pv_domu_in_full(tmp_path: Path) -> None:
    done = run("detect", "--why", "--root", str(build(MACHINES["PV domU"].tree, tmp_path)))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(PV_DOMU)
    assert (
        "  I/O, paravirtual, this machine: yes (Xen), devices on the xen bus\n"
        "       /sys/bus/xen/devices/vbd-51712/uevent: DRIVER=vbd\n"
        "       /sys/bus/xen/devices/vif-0/uevent: DRIVER=vif\n"
    ) in done.stdout


def test_the_verdict_fits_a_screen_without_evidence(tmp_path: Path) -> None:
    root = str(build(MACHINES["PV domU"].tree, tmp_path))
    brief, whole = (run("detect", *words, "--root", root).stdout.splitlines() for words in ([], ["--why"]))
    assert len(brief) <= 24 < len(whole)
    assert brief[-1] == "--why tells by which evidence"
    # What is said is the same: only evidence and reasons are left out.
    assert [line for line in brief[:-2] if line not in whole] == []
    assert not any("/sys/" in line for line in brief)


def test_json_of_this_machine() -> None:
    done = run("detect", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["schema"] == "xentool.detect/1"
    assert [(each["area"], each["name"]) for each in document["techniques"][:3]] == [
        ("cpu", "binary translation"),
        ("cpu", "paravirtual"),
        ("cpu", "hardware-assisted"),
    ]
    assert all(layer["evidence"] for layer in document["layers"])


def test_nothing_to_read_is_no_error(tmp_path: Path) -> None:
    done = run("detect", "--root", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nothing that could be read here tells whether this machine is virtual\n")


def test_a_root_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    done = run("detect", "--root", str(tmp_path / "absent"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "does not exist" in done.stderr


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, xentool.cli.detect; print({'rich', 'numpy', 'construct', 'asyncio'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_narrow_terminal_has_a_line_a_field(tmp_path: Path) -> None:
    found = answer(read(build(MACHINES["PV domU"].tree, tmp_path)))
    wide, narrow = ([*lines(found, width)] for width in (100, 40))
    assert max(map(len, narrow)) <= 40
    at = narrow.index("CPU")
    assert narrow[at : at + 7] == [
        "CPU",
        "  binary translation",
        "    this machine    no",
        "    its own guests  ?",
        "  paravirtual",
        "    this machine    yes (Xen)",
        "    its own guests  ?",
    ]
    # As many cells as the table has, below its head.
    table = wide[next(at for at, line in enumerate(wide) if "its own guests" in line) + 1 :]
    rows = table[: table.index("")]
    assert sum(line.startswith("    this machine") for line in narrow) == len(rows) == 15
