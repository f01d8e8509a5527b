"""Takes out of a root's tar what is needed before that root is mounted: Xen, the kernel, modules, busybox.

The unpacked kernel is put back in, for guests.
"""

import gzip
import io
import re
import tarfile
from pathlib import Path

from xentool.errors import XentoolError
from xentool.lab import kernel, modules, releases

# What start-up archives are made of, by the name that its list of modules begins with.
ARCHIVES = ("root", "guest", "virtio", "emulated")

_XEN = re.compile(r"\./boot/xen-[\d.]+-amd64\.gz")
_KERNEL = re.compile(r"\./boot/vmlinuz-(.+)")
#: The unpacked kernel in dom0, by its release.
UNPACKED = "/boot/vmlinux-{}"
_PYTHON = re.compile(r"\./usr/bin/python(3\.\d+)")


def extract(archive: Path, target: Path) -> tuple[str, str]:
    """Write ``xen.elf``, ``vmlinux``, ``busybox`` and ``modules/`` into ``target``, and ``vmlinux`` into the tar.

    :returns: the kernel's release and dom0's Python version
    :raises XentoolError: the root lacks one of them
    """
    with tarfile.open(archive) as tar:
        names = tar.getnames()

        def read(name: str) -> bytes:
            member = tar.extractfile(name)
            if member is None:
                raise XentoolError(f"{name} in dom0's root is no file")
            return member.read()

        # QEMU boots an ELF, not what Debian gzips around it.
        (target / "xen.elf").write_bytes(gzip.decompress(read(_only(names, _XEN)[0])))
        vmlinuz, version = _only(names, _KERNEL)
        vmlinux = kernel.unpacked(read(vmlinuz))
        (target / "vmlinux").write_bytes(vmlinux)
        (target / "busybox").write_bytes(read("./usr/bin/busybox" if "./usr/bin/busybox" in names else "./bin/busybox"))

        base = next(name for name in names if name.endswith(f"/lib/modules/{version}/modules.dep")).removesuffix(
            "modules.dep"
        )
        table = modules.parse_dep(read(f"{base}modules.dep").decode())
        builtin = read(f"{base}modules.builtin").decode().split()
        for name in ARCHIVES:
            folder = target / "modules" / name
            folder.mkdir(parents=True)
            order = []
            for path in modules.load_order(table, releases.listed(f"{name}-modules.list"), builtin):
                plain, content = modules.plain(path, read(base + path))
                (folder / plain).write_bytes(content)
                order.append(plain)
            (folder / "order").write_text("".join(f"{plain}\n" for plain in order))
        python = _only(names, _PYTHON)[1]
    with tarfile.open(archive, "a") as tar:
        member = tarfile.TarInfo(f".{UNPACKED.format(version)}")
        member.size, member.mode = len(vmlinux), 0o644
        tar.addfile(member, io.BytesIO(vmlinux))
    return version, python


def _only(names: list[str], pattern: re.Pattern[str]) -> tuple[str, str]:
    for name in names:
        if match := pattern.fullmatch(name):
            return name, match[pattern.groups]
    raise XentoolError(f"dom0's root has no {pattern.pattern}: the package lists in xentool/lab/data lack something")
