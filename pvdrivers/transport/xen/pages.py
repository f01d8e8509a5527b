"""Pages that gntalloc has granted, or gntdev has mapped."""

import mmap
from collections.abc import Callable, Sequence

from pvdrivers.abi.ring import PAGE_SIZE


class Pages:
    """Granted or mapped pages.

    :param fd: of the device, with ``index`` as the offset at which it has the pages
    :param end: tells the device that they are not needed any more
    :raises OSError: the device does not map them
    """

    def __init__(
        self, fd: int, index: int, grefs: Sequence[int], writable: bool, end: Callable[["Pages"], object]
    ) -> None:
        access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self._mapped = mmap.mmap(fd, len(grefs) * PAGE_SIZE, mmap.MAP_SHARED, access, offset=index)
        self.memory = memoryview(self._mapped)
        self.grefs = grefs
        self._end = end

    def close(self) -> None:
        """See `base.Grant` and `base.Mapping`."""
        self.memory.release()
        try:
            self._mapped.close()
        except BufferError:
            self.memory = memoryview(self._mapped)
            raise
        self._end(self)

    revoke = unmap = close
