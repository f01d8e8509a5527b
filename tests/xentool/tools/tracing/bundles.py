"""Bundles as xentool makes them, and such as it never would."""

import io
import struct
import zipfile
from pathlib import Path

from xentool.tools.tracing import bundle

SAID = {
    bundle.SIDECAR: b'{"schema": "xentool.capture/1", "host": "xen1", "xen_version": "4.17.5", "hz": 2.4e9, "mask": 1, '
    b'"domains": [{"domid": 1, "name": "web", "type": "pv"}]}',
    "xl-info.txt": b"host : xen1\n",
}


def made(path: Path, trace: bytes, texts: dict[str, bytes] = SAID) -> Path:
    with path.open("wb") as file:
        bundle.write(file, io.BytesIO(trace), texts)
    return path


def of_members(path: Path, *members: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive of any members; a name may come twice."""
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def changed(path: Path, at: int, form: str, value: int) -> Path:
    """Change a number of the record that ends an archive.

    :param at: where it is in that
    """
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, len(data) - 22 + at, value)
    path.write_bytes(data)
    return path
