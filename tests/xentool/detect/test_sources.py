"""Trees that somebody hostile or careless made: nothing blocks, escapes, grows or breaks."""

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.xentool.detect.machines import build, device, x86, xen
from xentool.detect import detect
from xentool.detect.sources import FILES, FOLDERS, read


def test_a_fifo_or_folder_in_a_files_place_is_no_file(tmp_path: Path) -> None:
    build({"sys/hypervisor/guest_type/": None}, tmp_path)
    os.mkfifo(tmp_path / "sys/hypervisor/type")
    assert read(tmp_path).files == {}


def test_links_lead_nowhere_outside_of_the_root(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("xen\n")
    root = tmp_path / "root"
    build(device("pci", "0000:00:01.0", DRIVER="virtio-pci"), root)
    (root / "sys/hypervisor").mkdir()
    (root / "sys/hypervisor/type").symlink_to(secret)
    (root / "sys/hypervisor/guest_type").symlink_to("../../../secret")
    (root / "proc").symlink_to("/proc")
    (root / "sys/module").symlink_to("/")
    facts = read(root)
    assert (facts.files, facts.folders, facts.namespaces) == ({}, {}, {})
    assert [each.uevent for each in facts.devices["pci"]] == [{"DRIVER": "virtio-pci"}]


def test_links_inside_of_the_root_are_followed(tmp_path: Path) -> None:
    build({"sys/devices/pci0000:00/0000:00:01.0/uevent": "DRIVER=e1000\n"}, tmp_path)
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    (tmp_path / "sys/bus/pci/devices/0000:00:01.0").symlink_to("../../../devices/pci0000:00/0000:00:01.0")
    assert read(tmp_path).devices["pci"][0].uevent == {"DRIVER": "e1000"}


def test_reads_are_bounded(tmp_path: Path) -> None:
    with (build({"proc/": None}, tmp_path) / "proc/cpuinfo").open("wb") as file:
        file.truncate(1 << 40)
    for number in range(1100):
        build({f"sys/module/m{number}/": None}, tmp_path)
    facts = read(tmp_path)
    assert facts.text("/proc/cpuinfo") == ""  # 64 KiB of NULs, and no more
    assert len(facts.folders["/sys/module"]) == 1024


@pytest.mark.parametrize("filler", ["\xff\0\x1b[2J", "x" * 5000, "=:\n=\n:", "[", "-1", "9" * 5000, "٣"], ids=repr)
def test_any_content_gives_an_answer_of_short_printable_lines(filler: str, tmp_path: Path) -> None:
    content = filler.encode("utf-8", "surrogateescape").decode("latin-1")
    build({path[1:]: content for path in FILES if not path.startswith(FOLDERS)}, tmp_path)
    build(device("pci", "d0", DRIVER=content, PCI_ID=content, sriov_totalvfs=content), tmp_path)
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/pid").symlink_to(f"pid:[{filler[:50].replace(chr(0), '') or 'x'}]")
    found = detect(tmp_path)
    for layer in found.layers:
        assert layer.name.isprintable()
        assert all(each.value.isprintable() and len(each.value) < 200 for each in layer.evidence)


def test_an_unreadable_file_is_told_and_no_error() -> None:
    with TemporaryDirectory() as name:
        root = build({**x86("hypervisor"), **xen("PV", features=None)}, Path(name))
        root.chmod(0o755)
        (root / "proc/xen").chmod(0)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            if os.getuid() == 0:  # who may read everything
                os.setresuid(65534, 65534, 65534)
            os.write(writer, json.dumps([layer.mode for layer in detect(root).layers] + [*read(root).unread]).encode())
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        with os.fdopen(reader) as told:
            assert json.load(told) == ["PV", "/proc/xen/capabilities"]
        (root / "proc/xen").chmod(0o700)
