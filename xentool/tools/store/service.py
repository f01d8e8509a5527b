"""A XenStore served on UNIX sockets: its nodes kept in a file or not, until a signal comes."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from pvdrivers.complaints import Complaints
from pvdrivers.xenstore.journal import PART, Journal, JournalError
from pvdrivers.xenstore.lookout import Lookout
from pvdrivers.xenstore.server import LOCK, Server
from pvdrivers.xenstore.store import Store
from traces.plural import plural
from xentool.errors import XentoolError

#: Is told what happens, a line each.
Say: TypeAlias = Callable[[str], object]


def serve(
    sockets: Sequence[tuple[int, Path]], state: Path | None, limits: Mapping[str, int], say: Say
) -> signal.Signals:
    """Serve a store until SIGTERM or Ctrl-C; give which it was.

    :param sockets: each with the domid whose clients connect there
    :param state: the file that nodes are kept in; None: it begins empty
    :param limits: a domain's quotas, where they are others than xenstored's
    :raises XentoolError: a socket or the file can't be had, or the file can't be written any more
    """
    _apart(sockets, state)
    try:
        store = _kept(state, say) if state else Store()
        store.domains.limits.update(limits)
        return asyncio.run(_serve(store, sockets, say))
    except JournalError as error:
        raise XentoolError(str(error)) from error


def _apart(sockets: Sequence[tuple[int, Path]], state: Path | None) -> None:
    # Nobody is to find the socket replaced by the state, and the other way round.
    taken = {} if state is None else dict.fromkeys((_real(state), f"{_real(state)}{PART}"), f"--state {state}")
    for _, path in sockets:
        for name in (_real(path), f"{_real(path)}{LOCK}"):
            if name in taken:
                raise XentoolError(f"a socket on {path} and {taken[name]} want the same name, {name}")
            taken[name] = f"one on {path}"


def _real(path: Path) -> str:
    return os.path.realpath(path)


def _kept(state: Path, say: Say) -> Store:
    journal = Journal(state)
    for line in _told(journal):
        say(f"{state}: {line}")
    return Store(journal.tree, journal.commit)


def _told(journal: Journal) -> Iterator[str]:
    if journal.torn:
        kept = "" if journal.damage else f"; the file as it was is {journal.aside}"
        bytes_ = plural(journal.torn, "byte")
        yield f"left out {bytes_} at its end, a change that was never answered, or was cut off{kept}"
    if journal.damage:
        first, places = journal.damage[0].at, len(journal.damage)
        size = sum(piece.size for piece in journal.damage)
        where = f"at byte {first}" if places == 1 else f"in {places} places from byte {first} on"
        yield (
            f"damaged: {plural(size, 'byte')} {where} left out, with the changes in them; "
            f"{plural(journal.lost, 'node')} known to be lost; the file as it was is {journal.aside}"
        )


async def _serve(store: Store, sockets: Sequence[tuple[int, Path]], say: Say) -> signal.Signals:
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[signal.Signals | JournalError] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.put_nowait, number)

    complaints = Complaints(say)

    def failed(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, JournalError):
            ended.put_nowait(error)
        else:
            # What goes wrong at one client's socket is told in a line, and is no reason to end.
            complaints(loop, context)

    loop.set_exception_handler(failed)
    async with Server(store, Lookout(loop.time, loop.call_soon)) as server:
        for domid, path in sockets:
            try:
                await server.listen(path, domid)
            except OSError as error:
                raise XentoolError(f"cannot listen on {path}: {error.strerror or error}") from error
        listening = ", ".join(f"domain {domid} on {path}" for domid, path in sockets)
        say(f"serving XenStore: {listening}")
        reason = await ended.get()
        if isinstance(reason, JournalError):
            raise reason
        return reason
