"""Page tables of real guests, held to where Linux maps its memory and to Xen's own xen-mfndump."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.xen.labs import HUNG, Lab
from xentool.hosts import resolve
from xentool.lab import api

pytestmark = pytest.mark.lab

#: Where Linux has its text and all of its memory, byte by byte, without KASLR, which neither PV nor PVH guests start.
#: Ref: Linux Documentation/arch/x86/x86_64/mm.rst
TEXT, DIRECT = 0xFFFFFFFF80000000, 0xFFFF888000000000
#: As much of each as is looked at: from the kernel's first page on.
OFFSET, PAGES = 0x1000000, 64


#: On a host of KVM's: what QEMU's own monitor makes of addresses.
_GVA2GPA = """
import json, socket, sys
with socket.socket(socket.AF_UNIX) as qmp:
    qmp.connect(sys.argv[1])
    lines = qmp.makefile("rwb")
    lines.readline()
    def ask(command, **words):
        lines.write(json.dumps({"execute": command, "arguments": words}).encode() + b"\\n")
        lines.flush()
        return next(told["return"] for told in map(json.loads, lines) if "return" in told)
    ask("qmp_capabilities")
    for va in sys.argv[2:]:
        print(ask("human-monitor-command", **{"command-line": f"gva2gpa {va}"}).split()[1])
"""


def told(host: str, *words: str) -> Any:  # noqa: ANN401 - JSON
    argv = [sys.executable, "-m", "xentool", "walk", *words, "--json", "-H", host]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=HUNG)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def frames(ranges: list[dict[str, Any]], number: str) -> dict[int, int]:
    """Give the frame of each page of 4 KiB, by its address."""
    return {
        int(run["va"], 16) + at: int(run["page"][number], 16) + at // 4096
        for run in ranges
        if run["end"] == "page"
        for at in range(0, run["bytes"], 4096)
    }


@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_linuxes_own_maps(lab: Lab, kind: str) -> None:
    name = f"quiet-{kind}"
    lab.outlived(name, lambda: _are_walked(lab, name, kind), lambda: lab.away(name))


def _are_walked(lab: Lab, name: str, kind: str) -> None:
    domid = lab.guest(name, kind, workload="idle")
    both, here = _walked(lab.host, name)
    for document in (*both.values(), here):
        assert (document["domid"], document["type"], document["paging"]["mode"]) == (domid, kind, "4-level")
        assert document["paging"]["kind"] == ("direct" if kind == "pv" else "nested")
    if kind == "pv":
        _are_xens(lab, domid, both, here)
    else:
        assert {run["page"]["mfn"] for document in both.values() for run in document["ranges"]} == {None}
        assert here["not_told"]
    # Nobody is paused by it, nor was while others looked on.
    assert lab.run("xl", "list", name).split()[-2][2] == "-"


def _walked(host: str, name: str) -> tuple[dict[int, Any], Any]:
    """Walk both of Linux's maps, and where a guest is."""
    both = {base: told(host, name, hex(base + OFFSET), "--pages", f"+{PAGES}") for base in (TEXT, DIRECT)}
    for base, document in both.items():
        # What the guest calls it is how far it is from where that map begins.
        assert frames(document["ranges"], "gfn") == {
            base + OFFSET + at: (OFFSET + at) >> 12 for at in range(0, PAGES * 4096, 4096)
        }
    here = told(host, name, "--rip")
    assert (here["is_rip"], here["settled"], here["end"]) == (True, True, "page")
    assert "executable" in here["allows"]
    assert here["vcpu"]["user_mode"] or int(here["va"], 16) >= TEXT
    return both, here


def _are_xens(lab: Lab, domid: int, both: dict[int, Any], here: dict[str, Any]) -> None:
    """Hold machine frames to what Xen's own tool says of the same tables."""
    p2m, types = {}, {}
    for pfn, mfn, kind in re.findall(
        r"pfn=(\S+) ==> mfn=(\S+) \(type (\S+)\)", lab.run("xen-mfndump", "dump-p2m", str(domid))
    ):
        p2m[int(pfn, 16)], types[int(mfn, 16)] = int(mfn, 16), int(kind, 16)
    for base, document in both.items():
        for va, mfn in frames(document["ranges"], "mfn").items():
            assert p2m[(va - base) >> 12] == mfn
        assert {run["page"]["owner"] for run in document["ranges"]} == {domid}

    # Each table on the way is one to Xen as well, of its level; and the entry is where Xen's tool finds it.
    assert [level["level"] for level in here["levels"]] == [4, 3, 2, 1]
    for level in here["levels"]:
        table = level["table"]["frame"]
        assert types[int(table["mfn"], 16)] == (table["table_level"] | 8 * table["pinned"])
        assert table["table_level"] == level["level"]
    last = here["levels"][-1]
    mfn = int(here["page"]["mfn"], 16)
    found = lab.run("xen-mfndump", "lookup-pte", str(domid), hex(mfn), check=False)
    entries = re.findall(r"<-- \[(\S+)\]\[(\d+)\]: (\S+)", found)
    assert (last["table"]["frame"]["mfn"], str(last["index"])) in [(table, index) for table, index, _ in entries]
    assert "writable" not in last["entry"]["flags"]


@pytest.mark.parametrize("kind", ["virtio", "shadow"])
def test_a_machine_of_kvms(own_lab: Callable[..., api.Lab], kind: str) -> None:
    name = own_lab(hypervisor="kvm").name
    _are_kvms(f"lab:{name}", api.guest_start(api.Guest("still", kind), name), "still", kind)


def _are_kvms(host: str, pid: int, name: str, kind: str) -> None:
    both, here = _walked(host, name)
    for document in (*both.values(), here):
        assert (document["domid"], document["type"]) == (pid, "kvm")
        assert document["paging"]["kind"] == ("shadow" if kind == "shadow" else "nested")
    # Two ways to one page: it is in one place of QEMU's memory, and of the host's.
    text, direct = (document["ranges"][0]["page"] for document in both.values())
    assert text == direct
    assert int(text["mfn"], 16) > 0
    firsts = [(int(document["ranges"][0]["va"], 16), document["ranges"][0]["address"]) for document in both.values()]
    with closing(resolve(host)) as machine:
        addresses = [*(hex(va) for va, _ in firsts), here["va"]]
        said = machine.run(["python3", "-c", _GVA2GPA, f"/var/lib/xentool/{name}.qmp", *addresses]).stdout.split()
    assert [int(each, 16) for each in said] == [*(int(address, 16) for _, address in firsts), int(here["address"], 16)]
