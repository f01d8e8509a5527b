"""The committed captures: real Xen in the lab, made by `make captures` (tests/captures/README.md)."""

import lzma
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "captures"
NAMES = sorted(path.name.removesuffix(".xentrace.xz") for path in FOLDER.glob("*.xentrace.xz"))
STRANGERS = sorted(path.name.removesuffix(".xentrace.xz") for path in (FOLDER / "strangers").glob("*.xentrace.xz"))


@cache
def capture(name: str) -> bytes:
    return lzma.decompress((FOLDER / f"{name}.xentrace.xz").read_bytes())


@cache
def stranger(name: str) -> bytes:
    """Give a trace as other people's are (tests/captures/strangers/README.md)."""
    return lzma.decompress((FOLDER / "strangers" / f"{name}.xentrace.xz").read_bytes())
