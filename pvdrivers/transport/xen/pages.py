"""Pages that gntalloc has granted."""

import mmap
from collections.abc import Callable, Sequence

from pvdrivers.abi.ring import PAGE_SIZE


class Pages:
    """Granted pages.

    :param fd: of the device, with ``index`` as the offset at which it has the pages
    :param end: tells the device that they are not needed any more
    :raises OSError: the device does not give them
    """

    def __init__(self, fd: int, index: int, grefs: Sequence[int], end: Callable[["Pages"], object]) -> None:
        access = mmap.PROT_READ | mmap.PROT_WRITE
        self._mapped = mmap.mmap(fd, len(grefs) * PAGE_SIZE, mmap.MAP_SHARED, access, offset=index)
        self.memory = memoryview(self._mapped)
        self.grefs = grefs
        self._end = end

    def close(self) -> None:
        """See `base.Grant`."""
        self.memory.release()
        try:
            self._mapped.close()
        except BufferError:
            self.memory = memoryview(self._mapped)
            raise
        self._end(self)

    revoke = close
