"""What `xentool trace` and `record` are asked for, the same of a dom0 and of a KVM host."""

from pathlib import Path

from traces.choice.where import Kinds, Where
from traces.plain import frozen


@frozen
class Tracing:
    """A trace that is wanted.

    :param where: what of it
    :param seconds: None for no limit
    :param keep: the file that the raw trace goes to
    :param live: rates are shown while it runs; with ``dump`` its records, and with neither a report at its end
    """

    where: Where
    seconds: float | None
    keep: Path | None
    live: bool
    dump: bool
    as_json: bool

    @property
    def reported(self) -> bool:
        """Whether a report is wanted."""
        return not self.live and not self.dump


@frozen
class Recording:
    """A file that is wanted.

    :param path: "-" for standard output
    :param seconds: None for no limit
    :param buffer_pages: 4 KiB pages per CPU
    :param bundled: whether it is to be a bundle
    """

    path: str
    kinds: Kinds
    seconds: float | None
    buffer_pages: int
    bundled: bool
    as_json: bool
