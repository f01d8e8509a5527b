"""Xen's own C xenstored, on this machine: ``xenstored.c`` is the hypervisor that it starts on.

Its clients are domain 0's on its socket, and other domains through their ring pages.
"""

import atexit
import mmap
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from pvdrivers.xenstore.wire import HEADER, Op, Packet
from tests.pvdrivers.xenstore.clients import Refused
from tests.pvdrivers.xenstore.served import Raw

#: Beyond what a run reaches: whether a limit may be reached or not, 4.17 and master do not agree on.
QUOTAS = {"nodes": 1000, "watches": 128, "transaction-nodes": 1024, "node-permissions": 6}

XENSTORED = "/usr/lib/xen-4.17/bin/xenstored"
SOURCE = Path(__file__).with_suffix(".c")

# struct xenstore_domain_interface. Ref: xen/include/public/io/xs_wire.h
_RING = 1024
_REQUESTS, _RESPONSES = 0, _RING
_REQ_CONS, _REQ_PROD, _RSP_CONS, _RSP_PROD = range(2 * _RING // 4, 2 * _RING // 4 + 4)
_PAGE = 4096


@cache
def hypervisor() -> str:
    """Compile the hypervisor, and give the library's path."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    library = f"{folder.name}/hypervisor.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, SOURCE], check=True)
    return library


@contextmanager
def xenstored(*words: str) -> Iterator[Path]:
    """Run it, with further options, and give the folder with its ``socket``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.mkfifo(folder / "events")
        (folder / "0").write_bytes(bytes(_PAGE))
        environment = {"XENSTORED_RUNDIR": name, "XENSTORED_ROOTDIR": name, "LD_PRELOAD": hypervisor()}
        with subprocess.Popen([XENSTORED, "-N", *words], env=environment, stderr=subprocess.DEVNULL) as daemon:
            try:
                while not _listens(folder / "socket"):
                    assert daemon.poll() is None, "xenstored has ended"
                    time.sleep(0.01)
                yield folder
            finally:
                daemon.kill()


def _listens(path: Path) -> bool:
    try:
        Raw(path).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


class Ring(Raw):
    """A client that is a domain: its packets go through its ring page. Domain 0 introduces it."""

    def __init__(self, folder: Path, domid: int) -> None:
        path = folder / str(domid)
        path.write_bytes(bytes(_PAGE))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _PAGE)
        # Whole words: struct packs "=I" byte by byte, and xenstored, reading an index meanwhile, takes half of a carry
        # for a broken ring and never looks at that domain again.
        self._words = memoryview(self._page).cast("I")
        self._events = (folder / "events").open("wb", buffering=0)
        Raw(folder / "socket").ask(Op.INTRODUCE, b"%d\x000\x001\0" % domid)

    def send(self, op: int, payload: bytes, tx: int = 0) -> None:
        data = HEADER.pack(op, 1, tx, len(payload)) + payload
        while data:
            consumed, produced = self._words[_REQ_CONS], self._words[_REQ_PROD]
            at = produced % _RING
            part = data[: min(_RING - (produced - consumed) % 2**32, _RING - at)]
            self._page[_REQUESTS + at : _REQUESTS + at + len(part)] = part
            data = data[len(part) :]
            self._moved(_REQ_PROD, produced + len(part))

    def _exactly(self, size: int) -> bytes:
        data = b""
        end = time.monotonic() + 120
        while len(data) < size:
            assert time.monotonic() < end, "no reply"
            consumed, produced = self._words[_RSP_CONS], self._words[_RSP_PROD]
            at = consumed % _RING
            count = min((produced - consumed) % 2**32, _RING - at, size - len(data))
            if count:
                data += self._page[_RESPONSES + at : _RESPONSES + at + count]
                self._moved(_RSP_CONS, consumed + count)
        return data

    def _moved(self, index: int, value: int) -> None:
        self._words[index] = value % 2**32
        self._events.write(b"e")

    def close(self) -> None:
        """Let go of the FIFO; the domain stays."""
        self._events.close()


class Client:
    """A client as ``clients.Client`` is one.

    Takes an EIO for OK where a transaction removes what is gone by now: ours comes to the EAGAIN at the end. What
    xenstored has removed by then, and what not, is for nobody to see.

    :ivar spoilt: the transactions in which that has been
    """

    def __init__(self, raw: Raw) -> None:
        self.events: list[tuple[str, str]] = []
        self._raw = raw
        self.spoilt: set[int] = set()

    def raw(self, op: int, payload: bytes, *, tx: int = 0) -> str:
        """Send a payload, and give the reply's."""
        self._raw.send(op, payload, tx)
        while (reply := self._raw.receive()).op == Op.WATCH_EVENT:
            self._note(reply)
        text = reply.payload.decode("latin-1")
        if reply.op == Op.ERROR:
            if not (op == Op.RM and tx and text == "EIO\0"):
                raise Refused(text.removesuffix("\0"))
            self.spoilt.add(tx)
            return "OK\0"
        assert reply.op == op
        return text

    def _note(self, event: Packet) -> None:
        path, token = event.payload.decode("latin-1").split("\0")[:-1]
        self.events.append((path, token))

    def begin(self) -> int:
        return int(self.raw(Op.TRANSACTION_START, b"\0").removesuffix("\0"))

    def told(self) -> list[tuple[str, str]]:
        """Give the events since the last time: those that come before the reply to one more request."""
        self.raw(Op.GET_DOMAIN_PATH, b"0\0")
        events, self.events = self.events, []
        return events

    def close(self) -> None:
        self._raw.close()


def newer(op: Op, path: str, rest: str) -> bool:
    """Tell what 4.17 does otherwise: special nodes' permissions, DOMID_ANY, depths, UNWATCH of what is no path."""
    return (
        (op in (Op.GET_PERMS, Op.SET_PERMS) and path.startswith("@"))
        or (op == Op.SET_PERMS and "32757" in rest)
        or (op == Op.WATCH and rest.count("\0") == 3)
        or (op == Op.UNWATCH and not re.fullmatch(r"/|[/@]?\w+(/\w+)*", path))
    )
