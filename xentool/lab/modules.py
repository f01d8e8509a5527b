"""Which kernel module files a list of module names needs, in an order in which insmod can load them."""

import lzma
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from xentool.errors import XentoolError


def parse_dep(text: str) -> dict[str, list[str]]:
    """Read ``modules.dep``: a module's path, relative to the modules' directory, to the paths that it needs.

    depmod writes the needed paths so that each comes before those which it needs itself.
    """
    table = {}
    for line in text.splitlines():
        path, _, needs = line.partition(":")
        table[path] = needs.split()
    return table


def load_order(table: Mapping[str, list[str]], names: Iterable[str], builtin: Iterable[str] = ()) -> list[str]:
    """Give the paths for ``names``, each once and after all that it needs.

    Raises XentoolError for a name that is neither a module nor among the ``builtin`` paths.
    """
    by_name = {_name(path): path for path in table}
    inside = {_name(path) for path in builtin}
    order: dict[str, None] = {}
    for name in names:
        wanted = name.replace("-", "_")
        if wanted in by_name:
            path = by_name[wanted]
            for needed in [*reversed(table[path]), path]:
                order.setdefault(needed)
        elif wanted not in inside:
            raise XentoolError(f"the image's kernel has no module {name}: correct the module list in xentool/lab/data")
    return list(order)


def plain(path: str, content: bytes) -> tuple[str, bytes]:
    """Undo Debian 13's compression, which busybox's insmod does not know: a file name and its content."""
    name = PurePosixPath(path).name
    if name.endswith(".xz"):
        return name.removesuffix(".xz"), lzma.decompress(content)
    return name, content


def _name(path: str) -> str:
    # The kernel takes - and _ in a module's name for the same.
    return PurePosixPath(path).name.split(".ko")[0].replace("-", "_")
