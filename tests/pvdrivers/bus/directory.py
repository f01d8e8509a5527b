"""A peer's directory that is a mapping: nodes are read there without a XenStore."""

import errno
from collections.abc import Mapping

from pvdrivers.bus.nodes import Peer
from pvdrivers.xenstore.client import NotFound


class Directory:
    """Nodes, as a view has them; of None there are none."""

    def __init__(self, nodes: Mapping[str, object]) -> None:
        self._nodes = {f"/d/{name}": str(value).encode() for name, value in nodes.items() if value is not None}

    def directory(self, path: str) -> list[str]:
        names = [name.removeprefix(f"{path}/").partition("/")[0] for name in self._nodes if name.startswith(f"{path}/")]
        if not names and path not in self._nodes:
            raise NotFound(errno.ENOENT, path)
        return sorted(set(names))

    def read(self, path: str) -> bytes:
        if path not in self._nodes:
            raise NotFound(errno.ENOENT, path)
        return self._nodes[path]


def peer(nodes: Mapping[str, object]) -> Peer:
    return Peer(Directory(nodes), "/d")  # type: ignore[arg-type] # all that a peer asks of a view
