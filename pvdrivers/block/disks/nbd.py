"""A disk that an NBD server has, over a UNIX socket: the way to every format that QEMU knows.

Ref: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md: fixed newstyle handshake, simple replies
"""

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from errno import EIO
from itertools import count as counting
from pathlib import Path
from struct import Struct

from pvdrivers.abi.blkif import SECTOR_SIZE
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.block.disks.base import Medium
from pvdrivers.block.errors import NoDisk

_GREETING = Struct(">8s8sH")
_OPTION = Struct(">8sIIIH")
_OPTION_REPLY = Struct(">QIII")
_EXPORT = Struct(">HQH")
_REQUEST = Struct(">IHHQQI")
_REPLY = Struct(">IIQ")

_MAGIC, _OPTIONS = b"NBDMAGIC", b"IHAVEOPT"
_REPLY_MAGIC = 0x3E889045565A9
_FIXED, _NO_ZEROES = 1, 2
_OPT_GO, _REP_ACK, _REP_INFO = 7, 1, 3
_REQUEST_MAGIC, _SIMPLE_REPLY_MAGIC = 0x25609513, 0x67446698
_READ, _WRITE, _DISCONNECT, _FLUSH, _TRIM = range(5)
_CAN_READONLY, _CAN_FLUSH, _CAN_TRIM = 2, 4, 32
#: Bytes of the longest request that every server takes.
_LONGEST = 32 << 20


class Nbd:
    """The default export of a server.

    :raises NoDisk: there is no such server, or it does not speak the protocol
    """

    secure = False
    granularity = PAGE_SIZE
    parallel = 8
    medium = Medium()

    def __init__(self, path: Path, *, readonly: bool = False, sector_size: int = SECTOR_SIZE) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sending = threading.Lock()
        self._cookies = counting()
        self._waiting: dict[int, tuple[Future[None], Sequence[memoryview]]] = {}
        self.trouble: str | None = None
        try:
            self._socket.connect(str(path))
            size, flags = self._negotiate()
        except OSError as error:
            self._socket.close()
            raise NoDisk(f"no NBD server at {path}: {error.strerror or error}") from error
        self.readonly = readonly or bool(flags & _CAN_READONLY)
        self.flushes = bool(flags & _CAN_FLUSH)
        self.discards = bool(flags & _CAN_TRIM) and not self.readonly
        self.sector_size = sector_size
        self.sectors = size // sector_size * (sector_size // SECTOR_SIZE)
        self._receiver = threading.Thread(target=self._receive, name="nbd", daemon=True)
        self._receiver.start()

    def _negotiate(self) -> tuple[int, int]:
        magic, options, flags = _GREETING.unpack(self._take(_GREETING.size))
        if (magic, options) != (_MAGIC, _OPTIONS) or not flags & _FIXED:
            raise ConnectionError("it greets as no NBD server does")
        answer = (_FIXED | _NO_ZEROES).to_bytes(4, "big")
        self._socket.sendall(answer + _OPTION.pack(_OPTIONS, _OPT_GO, 6, 0, 0))
        export = b""
        while True:
            magic, _, kind, length = _OPTION_REPLY.unpack(self._take(_OPTION_REPLY.size))
            if magic != _REPLY_MAGIC or length > PAGE_SIZE:
                raise ConnectionError("it answers as no NBD server does")
            data = self._take(length)
            if kind == _REP_INFO and data[:2] == b"\0\0" and length == _EXPORT.size:
                export = data
            elif kind == _REP_ACK and export:
                break
            elif kind != _REP_INFO:
                raise ConnectionError("it has no export for us")
        _, size, flags = _EXPORT.unpack(export)
        return size, flags

    def _take(self, size: int) -> bytes:
        data = bytearray(size)
        self._fill(memoryview(data))
        return bytes(data)

    def _fill(self, buffer: memoryview) -> None:
        while buffer:
            if not (size := self._socket.recv_into(buffer)):
                raise ConnectionResetError("the NBD server is gone")
            buffer = buffer[size:]

    def _receive(self) -> None:
        try:
            while True:
                magic, error, cookie = _REPLY.unpack(self._take(_REPLY.size))
                if magic != _SIMPLE_REPLY_MAGIC or cookie not in self._waiting:
                    raise ConnectionError("the NBD server answers what nobody asked")
                future, buffers = self._waiting[cookie]
                if error:
                    future.set_exception(OSError(error, "the NBD server says so"))
                else:
                    for buffer in buffers:
                        self._fill(buffer)
                    future.set_result(None)
                del self._waiting[cookie]
        except OSError as error:
            self.trouble = self._ended(error)
            # Who sends to one that reads no more is to learn of it.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            with self._sending:
                self._socket.close()
                for future, _ in self._waiting.values():
                    if not future.done():
                        future.set_exception(OSError(EIO, str(error)))

    def _ended(self, error: OSError) -> str:
        return f"{error.strerror or error}: all requests fail"

    def abandon(self) -> None:
        """Part from a server that does not answer."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _ask(self, command: int, at: int, length: int, out: Sequence[memoryview], into: Sequence[memoryview]) -> None:
        future: Future[None] = Future()
        with self._sending:
            cookie = next(self._cookies)
            self._waiting[cookie] = future, into
            self._socket.sendall(_REQUEST.pack(_REQUEST_MAGIC, 0, command, cookie, at, length))
            for each in out:
                self._socket.sendall(each)
        future.result()

    def read(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Fill buffers."""
        self._ask(_READ, sector * SECTOR_SIZE, sum(map(len, buffers)), (), buffers)

    def write(self, sector: int, buffers: Sequence[memoryview]) -> None:
        """Write buffers."""
        self._ask(_WRITE, sector * SECTOR_SIZE, sum(map(len, buffers)), buffers, ())

    def flush(self) -> None:
        """Make durable what was written."""
        self._ask(_FLUSH, 0, 0, (), ())

    def discard(self, sector: int, count: int, *, secure: bool = False) -> None:  # noqa: ARG002 - not offered
        """Trim."""
        start, end = sector * SECTOR_SIZE, (sector + count) * SECTOR_SIZE
        for at in range(start, end, _LONGEST):
            self._ask(_TRIM, at, min(_LONGEST, end - at), (), ())

    def refresh(self) -> bool:
        """NBD tells a size once."""
        return False

    def close(self) -> None:
        """Part from the server."""
        with suppress(OSError), self._sending:
            self._socket.sendall(_REQUEST.pack(_REQUEST_MAGIC, 0, _DISCONNECT, 0, 0, 0))
            self._socket.shutdown(socket.SHUT_RDWR)
        self._receiver.join()
        self._socket.close()
