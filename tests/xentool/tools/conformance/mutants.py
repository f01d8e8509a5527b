"""Drivers of ours with a mistake: which text stands in place of which in one function, and which case finds it.

A function gets other code for as long as a test runs; nothing of a driver knows of it. Queues are run by their
readable way, which is the specification of the compiled one.
"""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.abi.ring import HEADER
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.block import execute, nodes, request
from pvdrivers.block.back import backend, backqueue, pages
from pvdrivers.block.back.backqueue import BackQueue
from pvdrivers.block.front import client, frontqueue
from pvdrivers.block.front import frontend as front
from pvdrivers.block.request import Segment
from pvdrivers.bus import rings
from pvdrivers.conformance import run as kit
from pvdrivers.errors import BadRing
from pvdrivers.net.back import backend as net_backend
from pvdrivers.net.back.backend import OFFER
from pvdrivers.net.front import frontend as net_frontend
from pvdrivers.ring import Back
from pvdrivers.ring.waiting import Waiting
from pvdrivers.transport.base import Mapping, Transport
from pvdrivers.xenbus import BACK, FRONT, Action, Step, Table
from xentool.tools.conformance import our_disks, our_vifs
from xentool.tools.conformance.ours import OurBench

#: Drivers, by what their cases' numbers begin with.
_SUBJECTS: dict[str, Callable[[Any], Any]] = {
    "BB": our_disks.block_backend,
    "BF": our_disks.block_frontend,
    "NB": lambda offered: our_vifs.net_backend(offered or OFFER, compiled=False),
    "NF": lambda options: our_vifs.net_frontend(options, compiled=False),
}


class Mutant(NamedTuple):
    """A mistake.

    :param name: what is wrong
    :param case: that finds it, whatever the machine does
    :param word: what that sees, among others
    :param mistake: makes it, for as long as a patch lasts
    :param waits: whether something does not come for it, which is not to be waited for as long as for a slow machine
    """

    name: str
    case: str
    word: str
    mistake: Callable[[pytest.MonkeyPatch], object]
    options: Any = None
    waits: bool = False

    @property
    def subject(self) -> Any:  # noqa: ANN401 - a `Subject`
        """The driver that it is a mistake of."""
        return _SUBJECTS[self.case[:2]](self.options)


def text(function: Callable[..., object], old: str, new: str) -> Callable[[pytest.MonkeyPatch], object]:
    """Have other text in a function.

    :raises ValueError: when it is done: that does not stand there once
    """
    return lambda patch: patch.setattr(function, "__code__", changed(function, old, new))


def changed(function: Callable[..., object], old: str, new: str) -> CodeType:
    """Compile a function with other text in it.

    :raises ValueError: it does not stand there once
    """
    assert isinstance(function, FunctionType)
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(old) != 1:
        raise ValueError(f"{old!r} stands {source.count(old)} times in {function.__qualname__}")
    lines = textwrap.indent(source.replace(old, new), "    ")
    # A method that says `super()` has its class in a cell, and so has its new code then.
    scope = "".join(f"    {name} = None\n" for name in function.__code__.co_freevars)
    module: CodeType = compile(f"def made():\n{scope}{lines}", function.__code__.co_filename, "exec")
    outer = next(each for each in module.co_consts if isinstance(each, CodeType))
    return next(each for each in outer.co_consts if isinstance(each, CodeType) and each.co_name == function.__name__)


def both(*mistakes: Callable[[pytest.MonkeyPatch], object]) -> Callable[[pytest.MonkeyPatch], object]:
    """Make mistakes of which each alone is made up for elsewhere."""
    return lambda patch: [mistake(patch) for mistake in mistakes]


def without(
    table: str, original: Table, *pairs: tuple[S, S], where: ModuleType = our_disks
) -> Callable[[pytest.MonkeyPatch], object]:
    """Leave rows out of a table of the handshake.

    :param where: it is taken from
    """
    rows = {pair: step for pair, step in original.items() if pair not in pairs}
    return lambda patch: patch.setattr(where, table, rows)


def instead(table: str, original: Table, own: S, peer: S, step: Step) -> Callable[[pytest.MonkeyPatch], object]:
    """Have another row in a table of the handshake, and none that leads out of the state that it ends in."""
    rows = {pair: each for pair, each in original.items() if pair[0] is not step.state}
    return lambda patch: patch.setattr(our_disks, table, {**rows, (own, peer): step})


class Trusting(Back):
    """Believes in any producer index."""

    def take(self, limit: int = 0xFFFFFFFF) -> bytes:
        try:
            return super().take(limit)
        except BadRing:
            return b"\x04" * 112

    def final_check(self, batch: int = 1) -> bool:
        try:
            return super().final_check(batch)
        except BadRing:
            return True


class Refetching(BackQueue):
    """Looks at a request's last sector once more, in the ring, when it has been checked and read."""

    def __init__(self, transport: Transport, domid: int, ring: Mapping, *others: Any, **options: Any) -> None:  # noqa: ANN401 - its base's
        super().__init__(transport, domid, ring, *others, **options)
        self.shared = ring.memory

    def _perform(self, job: pages.Pending) -> None:
        super()._perform(job)
        number, asked = len(job.request.segments), job.request
        if number != 1 or asked.operation != BlkifOp.READ or job.arena is None:
            return
        layout = self._layout
        index = self._stats.requests % self._ring.size
        last = self.shared[HEADER.size + index * layout.request.size + layout.request.offsets["seg"] + 5]
        size = (last % 8 + 1) * 512
        if size > asked.segments[0].length:
            job.arena, job.place = memoryview(bytearray(b"x" * size)), 0
            job.request = asked._replace(segments=(Segment(asked.segments[0].gref, asked.segments[0].offset, size),))


MAPPED, MANY = backend.Options(grants="map"), front.Options(max_queues=4)
MUTANTS = [
    # What a backend believes.
    Mutant("any producer index", "BB13", "", lambda patch: patch.setattr(backqueue, "Back", Trusting), waits=True),
    Mutant("a request is read twice", "BB23", "mixed", lambda patch: patch.setattr(backend, "BackQueue", Refetching)),
    Mutant("a last sector before the first", "BB15", "", text(request._transfer, "first <= last", "last"), waits=True),
    Mutant("no segments are some", "BB14", "strayed", text(request._transfer, "if not table:", "if False:")),
    Mutant(
        "more segments than there is room for",
        "BB14",
        "strayed",
        text(request._direct, "if number > MAX_SEGMENTS_PER_REQUEST:", "if number > 255:"),
    ),
    Mutant("requests over the end", "BB16", "", text(request._misplaced, "sector + count >", "sector >")),
    Mutant(
        "writes on a disk that is read-only",
        "BB18",
        "strayed",
        text(request._transfer, "operation != BlkifOp.READ and limits.readonly", "False"),
    ),
    Mutant(
        "discards on a disk that is read-only", "BB18", "", text(request._discard, "if limits.readonly:", "if False:")
    ),
    Mutant(
        "discards over the end",
        "BB20",
        "strayed",
        text(request._discard, "if wrong := _misplaced(sector, count, limits):", "if wrong := ():"),
    ),
    Mutant(
        "any operation wrapped",
        "BB22",
        "",
        text(request._indirect, "if code not in {BlkifOp.READ, BlkifOp.WRITE}:", "if False:"),
        waits=True,
    ),
    Mutant(
        "more indirect segments than were offered",
        "BB22",
        "strayed",
        text(request._indirect, "if not 0 < number <= limits.max_indirect:", "if not 0 < number:"),
    ),
    Mutant(
        "operations that it does not know are reads",
        "BB21",
        "misnamed",
        text(request.parse, "raise _refusal(message, layout)(operation,", "raise _refusal(message, layout)(0,"),
    ),
    # How it answers.
    Mutant("half of an id", "BB09", "misnamed", text(request.respond, "pack(ident,", "pack(ident & 2**32 - 1,")),
    Mutant(
        "what lay there, in a response",
        "BB25",
        "foreign",
        text(
            request.respond,
            "return packer.pack(ident, operation, status)",
            'return packer.pack(ident, operation, status)[:12] + b"leak"[: packer.size - 12]',
        ),
    ),
    Mutant(
        "INDIRECT is answered as such",
        "BB05",
        "misnamed",
        text(
            BackQueue._finished,
            "job.request.operation, job.status",
            "6 if len(job.request.segments) > 11 else job.request.operation, job.status",
        ),
    ),
    Mutant(
        "errors are not answered",
        "BB14",
        "silent",
        text(BackQueue._begin, "self._waiting.send(respond(", "(respond("),
        waits=True,
    ),
    Mutant(
        "answers twice", "BB01", "", text(BackQueue._finished, "for job in jobs\n", "for job in jobs * 2\n"), waits=True
    ),
    Mutant(
        "never notifies", "BB08", "", text(Waiting.send, "if ring.push():", "if ring.push() and False:"), waits=True
    ),
    Mutant(
        "a barrier is a write",
        "BB10",
        "unordered",
        text(BackQueue._begin, "if request.operation == BlkifOp.WRITE_BARRIER:", "if False:"),
    ),
    Mutant(
        "a flush is nothing",
        "BB10",
        "unordered",
        text(execute.execute, "disk.flush()\n                if buffers:", "pass\n                if buffers:"),
    ),
    # Pages.
    Mutant("one bad page is all", "BB24", "strayed", text(pages.Copied._copy, "if status:", "if any(statuses):")),
    Mutant(
        "a page that cannot be had is no error", "BB24", "strayed", text(pages.Copied._copy, "if status:", "if False:")
    ),
    Mutant(
        "answers come before pages are let go",
        "BB07",
        "kept",
        text(pages.Mapped.end, "if job.mapped:", "if False:"),
        MAPPED,
    ),
    Mutant(
        "keeps pages of who never said so",
        "BB07",
        "kept",
        text(backend.Backend._join, "persistent=front.persistent and self.options.persistent", "persistent=True"),
    ),
    Mutant(
        "kept pages stay mapped",
        "BB06",
        "",
        text(pages.Persistent.close, "for gref in list(self._kept):", "for gref in ():"),
    ),
    # Nodes, and the handshake.
    Mutant(
        "no queues are one",
        "BB04",
        "served",
        text(rings.read_shared, '"multi-queue-num-queues", 1,', '"multi-queue-num-queues", 0,'),
    ),
    Mutant(
        "queues are counted from one",
        "BB03",
        "refused",
        text(rings.read_shared, "for number in range(count)]", "for number in range(1, count + 1)]"),
    ),
    Mutant("a page may be two rings'", "BB04", "served", text(rings._distinct, "if number in seen:", "if False:")),
    Mutant(
        "rings of any order",
        "BB04",
        "",
        text(nodes.read_front, "offered.max_order", "offered.max_order + 1"),
        waits=True,
    ),
    Mutant(
        "what a refused frontend had mapped stays",
        "BB04",
        "mappings",
        text(backend.Backend._join, "        ring.unmap()\n        raise", "        raise"),
    ),
    Mutant(
        "a frontend's parting is not seen",
        "BB27",
        "silent",
        without("BACK_TABLE", BACK, (S.CONNECTED, S.CLOSING), (S.CONNECTED, S.CLOSED)),
        waits=True,
    ),
    # What a frontend believes, and asks for.
    Mutant(
        "whatever is not unsupported is done",
        "BF06",
        "strayed",
        text(client._finish, "if status == BlkifRsp.OKAY:", "if status != BlkifRsp.EOPNOTSUPP:"),
    ),
    Mutant(
        "any id is somebody's",
        "BF08",
        "",
        text(
            frontqueue.FrontQueue._answered,
            "slot = self._slots.get(ident)",
            "ident, slot = next(iter(self._slots.items()))",
        ),
    ),
    Mutant(
        "pages of two requests",
        "BF01",
        "",
        text(
            frontqueue.FrontQueue.submit,
            "[self._free_pages.pop() for _ in range(needed)]",
            "self._free_pages[:needed]",
        ),
    ),
    Mutant(
        "pages that do not come back",
        "BF01",
        "",
        text(frontqueue.FrontQueue._answered, "self._free_pages += reversed(slot.pages)", "pass"),
        waits=True,
    ),
    Mutant(
        "what is no payload, in a page",
        "BF14",
        "foreign",
        text(
            frontqueue.FrontQueue._fill,
            "= some\n",
            "= some\n        self._data.memory[(page + 1) * PAGE_SIZE - 1] = 0xE7\n",
        ),
    ),
    Mutant(
        "as large a ring as it likes",
        "BF01",
        "strayed",
        text(front.Frontend.publish, "order=min(offer.max_order, options.max_order)", "order=options.max_order"),
    ),
    Mutant(
        "as many queues as it likes",
        "BF01",
        "strayed",
        text(front.Frontend.publish, "range(min(offer.max_queues, options.max_queues))", "range(options.max_queues)"),
        MANY,
    ),
    Mutant(
        "indirect requests that nobody offered",
        "BF01",
        "strayed",
        text(front.Frontend.publish, "max_indirect=indirect", "max_indirect=options.max_indirect"),
    ),
    Mutant(
        "flushes what cannot be flushed",
        "BF02",
        "strayed",
        text(client.Client._check, "if not (geometry.flush or geometry.barrier):", "if False:"),
    ),
    Mutant(
        "discards what cannot be discarded",
        "BF02",
        "strayed",
        text(client.Client._check, "operation == BlkifOp.DISCARD and not geometry.discard", "False"),
    ),
    Mutant(
        "sectors of any size",
        "BF11",
        "",
        text(nodes.read_back, '"sector-size", SECTOR_SIZE,', '"sector-size", 0,'),
    ),
    Mutant(
        "a backend's parting is not seen",
        "BF13",
        "silent",
        without("FRONT_TABLE", FRONT, (S.CONNECTED, S.CLOSING), (S.CONNECTED, S.CLOSED)),
        waits=True,
    ),
    # States that follow on others.
    Mutant(
        "a frontend that is gone is not parted from",
        "BBS0",
        "silent",
        without("BACK_TABLE", BACK, *((S.CLOSING, peer) for peer in (S.UNKNOWN, S.INITIALISING, S.CLOSED))),
        waits=True,
    ),
    Mutant(
        "a backend that is connected with nobody",
        "BBS1",
        "strayed",
        lambda patch: patch.setattr(
            our_disks, "BACK_TABLE", {**BACK, (S.INIT_WAIT, S.UNKNOWN): Step(Action.REREAD, S.CONNECTED)}
        ),
        waits=True,
    ),
    Mutant(
        "a backend that takes a frontend's state for one of its own",
        "BBS4",
        "it stays in state RECONFIGURING",
        instead("BACK_TABLE", BACK, S.CONNECTED, S.CLOSED, Step(Action.CLOSE, S.RECONFIGURING)),
        waits=True,
    ),
    Mutant(
        "a frontend that waits for who waits for it",
        "BFS4",
        "silent",
        without("FRONT_TABLE", FRONT, *((S.CLOSING, peer) for peer in (S.UNKNOWN, S.CLOSING, S.CLOSED))),
        waits=True,
    ),
    Mutant(
        "a frontend that takes a backend's state for one of its own",
        "BFS4",
        "it stays in state RECONFIGURED",
        instead("FRONT_TABLE", FRONT, S.CONNECTED, S.CLOSED, Step(Action.CLOSE, S.RECONFIGURED)),
        waits=True,
    ),
]


@contextmanager
def mistaken(mutant: Mutant) -> Iterator[None]:
    """Have the mistake, for as long as the context lasts; queues go the readable way."""
    with pytest.MonkeyPatch.context() as patch:
        mutant.mistake(patch)
        # Some never end.
        patch.setattr(OurBench, "patience", 1.0)
        patch.setattr(kit, "BACK_WITHIN", 1.0)
        for each, queue in ((backend, "BackQueue"), (net_backend, "BackQueue"), (net_frontend, "FrontQueue")):
            patch.setattr(each, queue, partial(vars(each)[queue], compiled=False))
        yield
