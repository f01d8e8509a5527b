"""``xentool block serve``: which disks, and how."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pvdrivers.block.back.backend import Backend, Options
from xentool.tools.block.disk_class import Disks
from xentool.tools.block.disks import Wanted
from xentool.tools.serving import serve as serving
from xentool.tools.serving.service import Service

#: Outlives the process, not the machine.
_JOURNALS = Path("/run/xentool/block")


@dataclass(frozen=True)
class Serving:
    """What to serve, to whom, and how; see ``xentool block serve``."""

    disks: Sequence[Wanted]
    domain: str | None = None
    loopback: str | None = None
    keep: bool = False
    max_queues: int = 4
    max_order: int = 4
    max_indirect: int = 256
    persistent: bool = True
    grants: Literal["copy", "map"] = "copy"

    @property
    def options(self) -> Options:
        """As the drivers call them."""
        return Options(self.max_order, self.max_queues, self.max_indirect, self.persistent, self.grants)


def serve(wanted: Serving, log: Callable[[str], object]) -> AbstractContextManager[Service[Wanted, Backend]]:
    """Serve disks as long as the context lasts; see `serving.serve`."""
    # A loopback ends with this process.
    disks = Disks(wanted.options, None if wanted.loopback else _JOURNALS)
    return serving.serve(serving.Serving(wanted.disks, wanted.domain, wanted.loopback, wanted.keep), disks, log)
