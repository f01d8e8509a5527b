"""The machine that domains of a loopback are in: answers their calls, and serves their XenStore."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EINVAL
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from pvdrivers.complaints import RETRY, Complaints
from pvdrivers.errors import MachineError
from pvdrivers.private import Claim
from pvdrivers.transport.loopback.calls import MAP_MAX, Call, address, receive, send, store_address
from pvdrivers.transport.loopback.hypervisor import Denial, Hypervisor, Port
from pvdrivers.xenstore import tree
from pvdrivers.xenstore.domains import DOM0
from pvdrivers.xenstore.perms import NONE, READ, Perm
from pvdrivers.xenstore.server import Server

#: Words of the result, descriptors, and of those the ones that are the machine's own no longer.
Result = tuple[list[int], list[int], list[int]]
_NOTHING: Result = ([], [], [])


class Machine:
    """A machine of some domains; an asynchronous context manager.

    :param directory: where its sockets are to be, which whoever can open is a domain; there by then
    :param domids: the domains, 0 among them or not
    :param log: is told what goes wrong, a line each
    """

    def __init__(self, directory: Path, domids: Sequence[int], log: Callable[[str], object] = lambda _: None) -> None:
        self._complaints = Complaints(log)
        self.directory = directory
        self.domids = domids
        self.hypervisor = Hypervisor(domids)
        self._store = Server()
        self._listening: list[socket.socket] = []
        self._domains: dict[socket.socket, int] = {}
        self._claim: Claim | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        :raises BlockingIOError: there is a machine in that directory
        :raises OSError: when that cannot be
        """
        asyncio.get_running_loop().set_exception_handler(self._complaints)
        try:
            self._claim = Claim(self.directory / "lock")
            for domid in self.domids:
                await self._listen(domid)
        except OSError:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def _listen(self, domid: int) -> None:
        self._plant(domid)
        await self._store.listen(store_address(self.directory, domid), domid)
        path = address(self.directory, domid)
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._listening.append(listening)
        os.fchmod(listening.fileno(), 0o600)
        listening.bind(str(path))
        listening.listen()
        asyncio.get_running_loop().add_reader(listening, self._accept, listening, domid)

    def _plant(self, domid: int) -> None:
        # What a toolstack creates for each domain, as far as drivers look at it.
        store, home = self._store.store, b"/local/domain/%d" % domid
        toolstack = store.domains.known(DOM0)
        for name, value, perms in (
            (b"", b"", (Perm(NONE, DOM0), Perm(READ, domid))),
            (b"/domid", b"%d" % domid, (Perm(NONE, DOM0), Perm(READ, domid))),
            (b"/device", b"", (Perm(NONE, DOM0), Perm(READ, domid))),
            (b"/data", b"", (Perm(NONE, domid),)),
            (b"/error", b"", (Perm(NONE, domid),)),
        ):
            tree.write(store.tree, toolstack, home + name, value)
            tree.set_perms(store.tree, toolstack, home + name, perms)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for domain in list(self._domains):
            self._end(domain)
        for listening, domid in zip(self._listening, self.domids, strict=False):
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
            with suppress(OSError):
                address(self.directory, domid).unlink()
        await self._store.close()
        self.hypervisor.shut_down()
        if self._claim:
            self._claim.release()

    def _accept(self, listening: socket.socket, domid: int) -> None:
        try:
            domain, _ = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # It would be called again at once, and again.
            loop = asyncio.get_running_loop()
            loop.remove_reader(listening)
            loop.call_later(RETRY, self._resume, listening, domid)
            self._complaints.lacking(error)
            return
        domain.setblocking(False)
        self._domains[domain] = domid
        asyncio.get_running_loop().add_reader(domain, self._call, domain, domid)

    def _resume(self, listening: socket.socket, domid: int) -> None:
        if listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening, domid)

    def _end(self, domain: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(domain)
        self.hypervisor.end(domain, self._domains.pop(domain))
        domain.close()

    def _call(self, domain: socket.socket, domid: int) -> None:
        spare: list[int] = []
        try:
            words, spare = receive(domain)
            reply, fds, opened = self._reply(domain, domid, words)
            spare += opened
            send(domain, reply, fds)
        except OSError:
            # Gone, or it asks and does not take the replies.
            self._end(domain)
        finally:
            for fd in spare:
                os.close(fd)

    def _reply(self, domain: socket.socket, domid: int, words: list[int]) -> Result:
        try:
            results, fds, opened = self._answer_grant(domain, domid, words)
        except Denial as denial:
            return [denial.errno], [], []
        except OSError as error:
            # This process has no descriptors left, say.
            return [error.errno or EINVAL], [], []
        return [0, *results], fds, opened

    def _answer_grant(self, domain: socket.socket, domid: int, words: list[int]) -> Result:
        match words:
            case [Call.GRANT, peer, writable, pages]:
                region = self.hypervisor.grant(domain, domid, peer, bool(writable), pages)
                return [region.number, *region.grefs], [region.fd], []
            case [Call.REVOKE, number]:
                self.hypervisor.revoke(domain, domid, number)
            case [Call.MAP, remote, writable, *grefs] if len(grefs) <= MAP_MAX:
                return self._map(domain, domid, remote, bool(writable), grefs)
            case [Call.UNMAP, number]:
                self.hypervisor.unmap(domain, domid, number)
            case [Call.TABLE, remote]:
                return _opened([], self.hypervisor.table(remote))
            case [Call.OPEN, remote, gref]:
                region, _ = self.hypervisor.find(remote, domid, gref, writable=False)
                return _opened([region.number, len(region.grefs), int(region.writable)], region.open())
            case _:
                return self._answer_event(domain, domid, words)
        return _NOTHING

    def _answer_event(self, domain: socket.socket, domid: int, words: list[int]) -> Result:
        match words:
            case [Call.ALLOC_UNBOUND, peer]:
                return _bound(self.hypervisor.alloc_unbound(domain, domid, peer))
            case [Call.BIND_INTERDOMAIN, remote, number]:
                return _bound(self.hypervisor.bind_interdomain(domain, domid, remote, number))
            case [Call.CLOSE, number]:
                self.hypervisor.close(domain, domid, number)
                return _NOTHING
        raise Denial(EINVAL)

    def _map(self, domain: socket.socket, domid: int, remote: int, writable: bool, grefs: list[int]) -> Result:
        found = [self.hypervisor.find(remote, domid, gref, writable) for gref in grefs]
        regions = list(dict.fromkeys(region for region, _ in found))
        places = [word for region, page in found for word in (regions.index(region), page)]
        fds: list[int] = []
        try:
            for region in regions:
                fds.append(region.open())  # noqa: PERF401 - those already open must be known if one fails
        except OSError:
            for fd in fds:
                os.close(fd)
            raise
        return [self.hypervisor.map(domain, domid), *places], fds, fds


def _opened(results: list[int], fd: int) -> Result:
    return results, [fd], [fd]


def _bound(port: Port) -> Result:
    return [port.number], list(port.fds), []


@contextmanager
def machine(directory: Path, domids: Sequence[int], log: Callable[[str], object] = lambda _: None) -> Iterator[Machine]:
    """Run a machine in a thread.

    :param log: is told what goes wrong, a line each, by that thread
    :raises MachineError: its sockets cannot be made
    """
    ready: list[tuple[Machine, Callable[[], object]]] = []
    failed: list[OSError] = []
    started = threading.Event()

    async def run() -> None:
        ended = asyncio.Event()
        try:
            async with Machine(directory, domids, log) as made:
                ready.append((made, partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set)))
                started.set()
                await ended.wait()
        except OSError as error:
            failed.append(error)
            started.set()

    thread = threading.Thread(target=asyncio.run, args=[run()], name="loopback", daemon=True)
    thread.start()
    started.wait()
    if failed:
        thread.join()
        if isinstance(failed[0], BlockingIOError):
            raise MachineError(f"a loopback runs in {directory} already; choose another name")
        raise MachineError(f"no loopback in {directory}: {failed[0].strerror or failed[0]}")
    made, end = ready[0]
    try:
        yield made
    finally:
        end()
        thread.join()
