"""Files of other machines, read with a limit to every wait: what hangs is told, and held up nothing but a thread.

Law: no call to a file system that is not ours is made but by ``within``.
"""

import io
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from xentool import extras
from xentool.errors import XentoolError
from xentool.tools.fleet.extra import needed

#: Seconds that a store may take for an answer, or for the next bytes.
LIMIT_S = 60.0
#: Bytes that are asked for at once.
PIECE = 4 << 20
#: What is read and written by s3fs.
S3 = ("s3://", "s3a://")
_SSH = ("ssh://", "sftp://")
_T = TypeVar("_T")


class Slow(XentoolError):
    """Nothing came for too long."""


class _Asked:
    """Does in a thread what it is asked for, one after the other; who asks waits only so long."""

    def __init__(self, name: str, limit_s: float) -> None:
        self._name, self._limit = name, limit_s
        self._calls: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        # One that hangs for ever keeps no process from its end.
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                self._answers.put((call(), None))
            except BaseException as error:  # noqa: BLE001 - it is raised where it was asked
                self._answers.put((None, error))

    def ask(self, call: Callable[[], _T]) -> _T:
        self._calls.put(call)
        try:
            value, error = self._answers.get(timeout=self._limit)
        except queue.Empty:
            raise Slow(f"{self._name}: nothing came for {self._limit:g} s") from None
        if error is not None:
            raise error
        return cast(_T, value)

    def end(self) -> None:
        self._calls.put(None)


def within(name: str, call: Callable[[], _T], limit_s: float = LIMIT_S) -> _T:
    """Make a call that may hang.

    :param name: of what is asked, for messages
    :raises Slow: it took longer than the limit
    """
    asked = _Asked(name, limit_s)
    try:
        return asked.ask(call)
    finally:
        asked.end()


class _Raw(io.RawIOBase):
    # A file of fsspec's that is waited for only so long.
    def __init__(self, fs: Any, path: str, name: str, limit_s: float) -> None:  # noqa: ANN401 - fsspec's
        self._fs, self._path = fs, path
        self._asked = _Asked(name, limit_s)
        try:
            self._file = self._asked.ask(lambda: fs.open(path, "rb", block_size=PIECE))
        except BaseException:
            self._asked.end()
            raise
        self._at = 0
        #: Of a web server that sends a file from its beginning only.
        self._streamed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            self._at = self._asked.ask(lambda: self._file.seek(offset, whence))
        except ValueError as error:
            raise XentoolError(
                "such a file is read here and there, and its server sends it from its beginning only: copy it here"
            ) from error
        return self._at

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - as typeshed has it
        data = self._asked.ask(lambda: self._read(len(buffer)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _read(self, size: int) -> bytes:
        try:
            return cast(bytes, self._file.read(size))
        except ValueError:
            # That is how fsspec's driver says that the server knows no ranges.
            if self._streamed or "http" not in self._fs.protocol:
                raise
            self._stream()
            return cast(bytes, self._file.read(size))

    def _stream(self) -> None:
        # One request for all of it.
        self._streamed = True
        self._file = self._fs.open(self._path, "rb", block_size=0)
        left = self._at
        while left and (skipped := len(self._file.read(min(left, PIECE)))):
            left -= skipped

    def close(self) -> None:
        if not self.closed:
            # Not waited for.
            self._asked._calls.put(self._file.close)
            self._asked.end()
        super().close()


def file_system(url: str) -> tuple[Any, str]:
    """Give fsspec's file system for a URL, and the path there.

    :raises XentoolError: a library for it is missing, or there is no such kind
    """
    fsspec = needed("fsspec")
    if url.startswith(S3):
        extras.need("s3fs", url)
    try:
        return cast(tuple[Any, str], fsspec.url_to_fs(url, **_options(url)))
    except ImportError as error:
        raise XentoolError(f"cannot read {url}: {error}") from error
    except ValueError as error:
        raise XentoolError(f"{url}: {error}") from error


def _options(url: str) -> dict[str, Any]:
    if url.startswith(_SSH):
        return {}  # it keeps no lists, and hands on what it does not know to paramiko, which refuses it
    # Lists that are kept show objects that are gone, and none that are new.
    options: dict[str, Any] = {"use_listings_cache": False}
    if not url.startswith(("http://", "https://")):
        return options
    from aiohttp import ClientTimeout  # noqa: PLC0415 - what fsspec's driver is made of, which may be missing

    # However long a request takes: it is for the next bytes that the limit is.
    return options | {"client_kwargs": {"timeout": ClientTimeout(total=None)}}


def opened(url: str, limit_s: float = LIMIT_S) -> io.BufferedReader:
    """Open a URL's file to read.

    :raises XentoolError: it can't be read
    """
    fs, path = within(url, lambda: file_system(url), limit_s)
    return io.BufferedReader(_Raw(fs, path, url, limit_s), PIECE)


def contents(url: str, most: int, limit_s: float = LIMIT_S) -> bytes | None:
    """Read a small file; None where there is none.

    :raises XentoolError: it is larger than ``most``, or nothing comes
    """

    def read() -> bytes | None:
        fs, path = file_system(url)
        try:
            size = fs.info(path)["size"]
            if size is not None and size > most:
                return b" " * (most + 1)
            # By their names: s3fs has another argument between.
            return cast(bytes, fs.cat_file(path, start=0, end=most + 1))
        except FileNotFoundError:
            return None

    data = within(url, read, limit_s)
    if data is not None and len(data) > most:
        raise XentoolError(f"{url} has more than {most >> 20} MiB; no such file needs that")
    return data
