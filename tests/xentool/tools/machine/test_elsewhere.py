"""A machine's facts by way of the script: as they are where they come from."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.xentool.cli.inprocess import ran
from tests.xentool.detect.machines import MACHINES, build
from xentool.detect import sources
from xentool.detect.sources import Facts, read
from xentool.hosts.local import LocalHost
from xentool.tools.machine import elsewhere


def told(root: Path) -> bytes:
    """Give what the script prints of a machine whose files are below a folder."""
    lines, links, content = [], [], []
    for path in sources.FILES:
        if (root / path[1:]).is_file():
            lines.append(f"file {path}")
            content += [(path, line) for line in (root / path[1:]).read_bytes().split(b"\n")]
    for bus in sources.BUSES:
        for uevent in sorted((root / f"sys/bus/{bus}/devices").glob("*/*")):
            if uevent.is_symlink():
                links.append(f"link /{uevent.relative_to(root)} {uevent.readlink()}")
                continue
            content += [(f"/{uevent.relative_to(root)}", line) for line in uevent.read_bytes().split(b"\n")]
    for path in (*sources.FOLDERS, *(f"/sys/bus/{bus}/devices" for bus in sources.BUSES)):
        if (root / path[1:]).is_dir():
            lines += [f"dir {path}", *(f"name {each.name}" for each in sorted((root / path[1:]).iterdir()))]
    lines += [f"mark {path}" for path in sources.MARKS if (root / path[1:]).exists()]
    for kind in sources.NAMESPACES:
        if (root / f"proc/self/ns/{kind}").is_symlink():
            lines.append(f"link /proc/self/ns/{kind} {(root / f'proc/self/ns/{kind}').readlink()}")
    lines += links
    body = b"".join(path.encode() + b"\0" + line + b"\n" for path, line in content)
    return "".join(f"{line}\n" for line in lines).encode() + b"files\n" + body


@pytest.mark.parametrize("name", MACHINES)
def test_each_machine_is_the_same_elsewhere(name: str, tmp_path: Path) -> None:
    root = build(MACHINES[name].tree, tmp_path)
    assert elsewhere.parsed(told(root)) == read(root)


def test_this_machine_is_the_same_by_its_script() -> None:
    # What changes from one look to the next is left out.
    def settled(facts: Facts) -> Facts:
        changing = ("/proc/cpuinfo", "/proc/self/cgroup")
        return replace(facts, files={path: text for path, text in facts.files.items() if path not in changing})

    by_script, here = elsewhere.facts(LocalHost()), read()
    assert settled(by_script) == settled(here)
    flags = [line for line in here.text("/proc/cpuinfo").splitlines() if line.startswith(("flags", "model name"))]
    assert flags == [
        line for line in by_script.text("/proc/cpuinfo").splitlines() if line.startswith(("flags", "model name"))
    ]


def test_what_was_not_asked_for_is_passed_over() -> None:
    lines = (
        *("file /etc/passwd", "file /proc/../../x", "dir /tmp", "name a"),
        *("dir /sys/module", "name ..", "name .", "name a/b", "name xen", "name " + "x" * 300),
        *("link /sys/bus/pci/devices/../iommu_group x/1", "link /sys/bus/pci/devices/a/../physfn x/1"),
        *("mark /etc", "mark /proc/xen", "link /etc/x /etc/passwd", "link /proc/self/ns/pid pid:[7]"),
        *("cpuid 1 zz", "cpuid x 00", "cpuid 1073741824 00"),
        *("unread /etc/shadow", "unread /proc/cpuinfo", "unread /proc/cpuinfo", "files", "/etc/passwd\0x"),
        *("/sys/bus/pci/devices/../uevent\0x", "/sys/bus/pci/devices/a/../../uevent\0x"),
        *("/proc/sysinfo\0VM00", "no zero", "\0", "/proc/sysinfo\0\0", ""),
    )
    evil = "\n".join(lines).encode()
    found = elsewhere.parsed(evil)
    assert found.files == {"/proc/sysinfo": "VM00"}
    assert found.folders == {"/sys/module": ("xen",)}
    assert found.marks == frozenset({"/proc/xen"})
    assert (dict(found.namespaces), dict(found.cpuid)) == ({"pid": 7}, {})
    assert found.unread == ("/proc/cpuinfo",)
    assert found.devices["pci"] == ()
    for junk in (b"", b"\nfiles\n", b"\xff\0" * 1000, b"files\n\0\n"):
        assert elsewhere.parsed(junk).files == {}


def test_signatures_of_hypervisors() -> None:
    leaf = {1: bytes(8) + b"\0\0\0\x80" + bytes(4), 0x40000000: bytes(4) + b"XenVMMXenVMM"}
    assert sources.signatures(leaf) == {0x40000000: "XenVMMXenVMM"}
    assert sources.signatures({**leaf, 1: bytes(16)}) == {}
    assert sources.signatures({0x40000000: leaf[0x40000000]}) == {}
    assert sources.signatures({**leaf, 0x40000000: b"short", 0x50000000: leaf[0x40000000]}) == {}


def test_a_prefix_and_a_host_are_two_machines(tmp_path: Path) -> None:
    done = ran("detect", "-H", "local", "--root", str(tmp_path))
    assert done.returncode == 2
    assert "give --root or --host" in done.stderr
