import gzip
import lzma
import subprocess
from pathlib import Path

import pytest

from xentool.errors import XentoolError
from xentool.lab import cpio, initramfs, modules


def test_cpio_is_the_format_that_the_kernel_documents() -> None:
    archive = cpio.pack([cpio.directory("bin"), cpio.file("bin/x", b"abc", 0o755), cpio.symlink("y", "bin/x")])
    assert archive.startswith(b"070701" + b"00000001" + b"%08X" % 0o040755)
    assert len(archive) % 4 == 0
    header = archive[archive.index(b"bin/x\0") - 110 :]
    assert int(header[54:62], 16) == 3  # file size
    assert int(header[94:102], 16) == 6  # name with its end
    assert archive.rstrip(b"\0").endswith(b"TRAILER!!!")


def test_equal_entries_give_equal_bytes() -> None:
    entries = [cpio.file("a", b"1"), cpio.file("b", b"2")]
    assert cpio.pack(entries) == cpio.pack(list(entries))


DEP = "kernel/fs/ext4.ko: kernel/fs/mbcache.ko kernel/fs/jbd2.ko kernel/lib/crc16.ko\nkernel/fs/mbcache.ko:\n" + (
    "kernel/fs/jbd2.ko: kernel/lib/crc16.ko\nkernel/lib/crc16.ko:\nkernel/x/xen-blkback.ko.xz:\n"
)


def test_modules_come_after_what_they_need() -> None:
    order = modules.load_order(modules.parse_dep(DEP), ["ext4", "xen_blkback"])
    names = [path.rpartition("/")[2] for path in order]
    assert names == ["crc16.ko", "jbd2.ko", "mbcache.ko", "ext4.ko", "xen-blkback.ko.xz"]


def test_a_builtin_needs_no_file_and_an_unknown_name_is_an_error() -> None:
    assert modules.load_order({}, ["virtio-pci"], ["kernel/drivers/virtio_pci.ko"]) == []
    with pytest.raises(XentoolError, match="no module nonsense"):
        modules.load_order(modules.parse_dep(DEP), ["nonsense"])


def test_compressed_modules_become_plain() -> None:
    assert modules.plain("a/b.ko.xz", lzma.compress(b"elf")) == ("b.ko", b"elf")
    assert modules.plain("a/b.ko", b"elf") == ("b.ko", b"elf")


def test_an_archive_holds_busybox_modules_and_init(tmp_path: Path) -> None:
    (tmp_path / "modules/guest").mkdir(parents=True)
    (tmp_path / "busybox").write_bytes(b"BUSYBOX")
    (tmp_path / "modules/guest/order").write_text("a.ko\n")
    (tmp_path / "modules/guest/a.ko").write_bytes(b"MODULE")
    (tmp_path / "modules/virtio").mkdir()
    (tmp_path / "modules/virtio/v.ko").write_bytes(b"VIRTIO")
    made = initramfs.make(tmp_path, "guest", "guest.init", {"other": "virtio"}, programs=["work"])
    unpacked = gzip.decompress(made)
    assert unpacked.index(b"other\0") < unpacked.index(b"other/v.ko\0") < unpacked.index(b"VIRTIO")
    for part in (
        b"bin/work\0",
        b"xentool-phase",
        b"BUSYBOX",
        b"MODULE",
        b"modules/order\0",
        b"xentool-guest: ready",
        b"sbin/poweroff\0",
    ):
        assert part in unpacked


@pytest.mark.parametrize("script", sorted((Path(initramfs.__file__).parent / "data").glob("*.[si][hn]*")))
def test_scripts_parse(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)
