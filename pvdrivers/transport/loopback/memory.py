"""Pages of memfds, in any order, as one piece of memory."""

import ctypes
import mmap
import os

from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.errors import MachineError

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_longlong]
_MAP_FIXED = 0x10


class Area:
    """Room for some pages, into which others are put.

    :raises MachineError: there is no memory for it
    """

    def __init__(self, pages: int) -> None:
        try:
            self._reserved = mmap.mmap(-1, pages * PAGE_SIZE)
        except OSError as error:
            raise MachineError(f"no room for {pages} pages: {error.strerror}") from error
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._reserved))
        self._writable = True
        self.memory = memoryview(self._reserved)

    def put(self, at: int, fd: int, page: int, count: int = 1, *, writable: bool) -> None:
        """Put pages of a file in place of some of these. Not more than the room has.

        :raises MachineError: the kernel does not
        """
        # Python's own mmap can neither choose a place nor let the descriptor go. What it reserved it gives back,
        # whatever lies there by then.
        access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        address, length = self._address + at * PAGE_SIZE, count * PAGE_SIZE
        if _libc.mmap(address, length, access, mmap.MAP_SHARED | _MAP_FIXED, fd, page * PAGE_SIZE) != address:
            raise MachineError(f"cannot map: {os.strerror(ctypes.get_errno())}")
        if not writable:
            self._writable = False
            self.memory = self.memory.toreadonly()

    def close(self) -> None:
        """Give all of it back.

        :raises BufferError: something uses ``memory`` still
        """
        self.memory.release()
        try:
            self._reserved.close()
        except BufferError:
            self.memory = memoryview(self._reserved)
            if not self._writable:
                self.memory = self.memory.toreadonly()
            raise
