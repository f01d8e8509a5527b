"""A load of frames through our frontend: to a process of our own, to whatever a loopback serves, or on Xen."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pvdrivers.bus.end import End
from pvdrivers.bus.nodes import BadNode, Peer
from pvdrivers.errors import DriverError, MachineError, PeerError
from pvdrivers.net.front import frontend
from pvdrivers.net.front.frontqueue import PAGES
from pvdrivers.net.load.lanes import LoadLane
from pvdrivers.net.load.port import LoadPort
from pvdrivers.net.load.result import Result
from pvdrivers.net.load.traffic import frame
from pvdrivers.net.nodes import Offer, read_carrier, read_offer
from pvdrivers.net.packet.rx_back import needed
from pvdrivers.net.stats import Stats
from pvdrivers.transport.base import Transport
from pvdrivers.xenstore.client import NoStore, XenStoreError
from xentool.errors import PeerError as Broken
from xentool.errors import Unavailable, XentoolError
from xentool.tools.net import far, kernel
from xentool.tools.net.far import Counts, count
from xentool.tools.net.vifs import USER
from xentool.tools.transports import loopbacks
from xentool.tools.transports.ended import reason

DIRECTIONS = ("tx", "rx", "both")
#: Seconds that the far process may take to start and to end, that frames may be under way without a sign, between looks
#: at what has come, and for which ends run before they are measured: a page is mapped when it is seen first.
_PATIENCE, _SETTLED, _LOOK, _WARM = 15.0, 1.0, 0.02, 0.2
#: Statistics in XenStore are written once a second.
_TOLD = 2.2
#: What becomes of a measurement whose backend is plugged out, or loses its frontend.
_PARTED = "the backend has parted"


@dataclass(frozen=True)
class Load:
    """What to send, and through what; see ``xentool net bench``.

    :param size: bytes of a frame
    :param gso: frames are to be cut into segments
    :param depth: frames under way at most, as far as the rings have room
    :param direction: who sends: this end, the far one, or both: the far one sends back what comes
    :param loopback: a loopback's name; None for a process of our own
    :param front: a frontend of this Xen domain instead
    :param netback: the kernel's own backend in this dom0 instead
    """

    size: int = 64
    gso: bool = False
    depth: int = 256
    seconds: float = 5.0
    direction: str = "tx"
    loopback: str | None = None
    front: str | None = None
    netback: bool = False
    device: int = 0


class Far(Protocol):
    """The far end.

    ``tells``: whether it sends when it is told to, and counts what it makes; a stranger sends what it likes.
    """

    tells: bool

    def tell(self, word: str) -> None:
        """Have it ``begin`` or ``end`` to send, or ``forget`` latencies."""
        ...

    def count(self) -> Counts:
        """Tell what it has counted, all of what has come if nothing has come for a while."""
        ...


@dataclass
class _Process:
    # One of our own.

    directory: Path
    process: subprocess.Popen[str]
    tells = True

    def tell(self, word: str) -> None:
        assert self.process.stdin  # noqa: S101 - asked for
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def count(self) -> Counts:
        assert self.process.stdout  # noqa: S101 - asked for
        try:
            self.tell("count")
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise XentoolError("the far process has ended")
        return Counts(**json.loads(line))


@dataclass
class _Served:
    # A backend of ours that another process runs: it tells what it counts in XenStore.

    transport: Transport
    there: str
    tells = False

    def tell(self, word: str) -> None:
        pass

    def count(self) -> Counts:
        time.sleep(_TOLD)
        peer = Peer(self.transport.store, self.there)
        told = peer.numbers("statistics", 0, 2**63)
        if told is None and not peer.has("state"):
            raise XentoolError(f"{self.there} tells of nothing: it was plugged out while it was measured")
        found = {name: (told or {}).get(name.replace("_", "-"), 0) for name in Stats().document()}
        return Counts(0, found["tx_packets"], found["tx_bytes"], statistics=found)


def measure(load: Load) -> dict[str, Any]:
    """Run a load and give what was measured.

    :raises XentoolError: it cannot be, or the far end is not there
    :raises xentool.errors.PeerError: the backend broke the protocol
    """
    transport: Transport | None = None
    with ExitStack() as stack:
        try:
            made = frame(load.size, gso=load.gso)
            mine = load.loopback is None and load.front is None and not load.netback
            if load.direction == "both" and not mine:
                raise XentoolError("only a far end of our own sends back what comes: give none but --loopback")
            process = stack.enter_context(_process(load)) if mine else None
            transport, here = stack.enter_context(_way(load, process))
            window = load.depth if load.direction == "both" else 0
            port = LoadPort(lambda: LoadLane(made, window, load.depth), None if load.direction == "rx" else made)
            # As many frames can be under way as there are pages for them.
            pages = min(load.depth * needed(made), PAGES)
            end = stack.enter_context(
                frontend.joined(transport, here, port, frontend.Options(pages=max(pages, needed(made))))
            )
            features = _features(_offer(transport, end))
            there: Far = process or _Served(transport, end.there)
            if load.netback:
                there = stack.enter_context(
                    kernel.far_end(kernel.spot_of(transport), made, sends=load.direction == "rx")
                )
            result = _Run(load, port.lanes[0], _frontend(end), there, end.parts).measured()
            if end.error:
                raise end.error
            if not read_carrier(Peer(transport.store, end.there)):
                raise XentoolError(f"{end.there} has lost its link: whoever serves it says why")
        except PeerError as error:
            raise Broken(str(error)) from error
        except (DriverError, XenStoreError, ValueError) as error:
            raise XentoolError(reason(transport, error)) from error
    asked = {"direction": load.direction, "size": load.size, "gso": load.gso, "depth": load.depth}
    return {"schema": "xentool.net.bench/1", **asked, **result.document(), "features": features}


def _frontend(end: End) -> frontend.Frontend:
    assert isinstance(end.device, frontend.Frontend)  # noqa: S101 - `joined` has made it
    return end.device


def _offer(transport: Transport, end: End) -> Offer:
    try:
        return read_offer(Peer(transport.store, end.there))
    except BadNode as error:
        # It was believed once: most likely it is being plugged out.
        if end.parts(_PATIENCE):
            raise MachineError(_PARTED) from error
        raise


class _Run:
    # One measurement; `parts` waits for so long, unless the frontend is parted from.

    def __init__(
        self, load: Load, lane: LoadLane, device: frontend.Frontend, there: Far, parts: Callable[[float], bool]
    ) -> None:
        self._load, self._lane, self._device, self._far, self._parts = load, lane, device, there, parts

    def measured(self) -> Result:
        self._send(_WARM)
        self._tell("forget")
        before = self._counts()
        seconds, *meanwhile = self._send(self._load.seconds)
        after = self._counts(before)
        return self._result(before, after, seconds, meanwhile)

    def _tell(self, word: str) -> None:
        if self._load.direction == "rx":
            self._far.tell(word)
        else:
            getattr(self._lane, word)()
        if word == "forget":
            # Whoever counts frames has their latencies, and of those of one way that is the other end.
            self._far.tell(word)
            self._lane.forget()

    def _send(self, seconds: float) -> tuple[float, Counts, Counts]:
        # How long that was, and what this end had counted when it began and ended.
        first, began = self._near(), time.perf_counter()
        self._tell("begin")
        ended = self._parts(seconds)
        # Of no frame there are no figures: where others had the processors all the while, it takes longer.
        while not ended and self._idle(first) and time.perf_counter() < began + seconds + _PATIENCE:
            ended = self._parts(_LOOK)
        if ended:
            raise MachineError(_PARTED)
        self._tell("end")
        return time.perf_counter() - began, first, self._near()

    def _idle(self, before: Counts) -> bool:
        # What a stranger sends, if anything, is its own affair.
        direction = self._load.direction
        if direction == "rx":
            return self._far.tells and self._lane.counted == before.frames
        return self._lane.made == before.made or (direction == "both" and self._lane.counted == before.frames)

    def _counts(self, base: tuple[Counts, Counts] = (Counts(), Counts())) -> tuple[Counts, Counts]:
        # Once all has come since `base`, or nothing has for a while. What a stranger sends has no end.
        last, quiet = self._both(), time.monotonic()
        while not self._whole(base, last) and time.monotonic() < quiet + _SETTLED:
            time.sleep(_LOOK)
            now = self._both()
            if (now[0].frames, now[1].frames, now[0].made) != (last[0].frames, last[1].frames, last[0].made):
                quiet = time.monotonic()
            last = now
        return last

    def _whole(self, base: tuple[Counts, Counts], now: tuple[Counts, Counts]) -> bool:
        direction = self._load.direction
        near, there = (each.since(first) for first, each in zip(base, now, strict=True))
        if direction == "rx":
            return not self._far.tells or near.frames == there.made
        return there.frames == near.made and (direction == "tx" or near.frames == near.made)

    def _near(self) -> Counts:
        return count(self._lane, self._device.statistics())

    def _both(self) -> tuple[Counts, Counts]:
        return self._near(), self._far.count()

    def _result(
        self,
        before: tuple[Counts, Counts],
        after: tuple[Counts, Counts],
        seconds: float,
        meanwhile: Sequence[Counts],
    ) -> Result:
        source, sink = (1, 0) if self._load.direction == "rx" else (0, 1)
        # There and back, it is this end that can tell how long that was.
        stamped = after[0 if self._load.direction == "both" else sink]
        more = [now.since(base) for base, now in zip(before, after, strict=True)]
        done = [each.statistics for each in more]
        mine = done[0]
        reached = more[sink]
        if self._load.direction == "rx" and not self._far.tells:
            # It sends while its statistics are waited for as well.
            first, last = meanwhile
            reached = last.since(first)
        return Result(
            more[source].made,
            reached.frames,
            reached.bytes,
            seconds,
            mine["tx_packets"] + mine["rx_packets"],
            mine["tx_slots"] + mine["rx_slots"],
            sum(each.get("notifications_sent", 0) for each in done),
            sum(each.get("syscalls", 0) for each in done),
            {(begin, end): number for begin, end, number in stamped.latencies},
            stamped.longest,
        )


def _features(offer: Offer) -> dict[str, Any]:
    """Name what both ends have, by the names of their nodes; our frontend has all of it."""
    takes = offer.takes
    return {
        "sg": takes.sg,
        "gso_tcpv4": takes.gso_v4,
        "gso_tcpv6": takes.gso_v6,
        "csum_offload": takes.checksum_v4,
        "ipv6_csum_offload": takes.checksum_v6,
        "split_event_channels": offer.split,
    }


@contextmanager
def _way(load: Load, process: _Process | None) -> Iterator[tuple[Transport, str]]:
    if load.front is not None or load.netback:
        from pvdrivers.transport.xen import Xen  # noqa: PLC0415 - whoever starts a driver chooses

        try:
            xen = Xen()
        except (MachineError, NoStore) as error:
            raise Unavailable(str(error)) from error
        with xen:
            if load.front is None:
                with kernel.served(xen) as spot:
                    yield xen, spot.front
                return
            home = xen.store.domain_path(xen.domid)
            yield xen, load.front if load.front.startswith("/") else f"{home}/device/{USER}/{load.front}"
        return
    from pvdrivers.transport.loopback import Loopback  # noqa: PLC0415 - one transport is needed

    directory = process.directory if process else loopbacks.directory(load.loopback or "")
    try:
        loopback = Loopback(directory, loopbacks.GUEST)
    except MachineError as error:
        raise XentoolError(f"{error}; `xentool net serve --loopback NAME` is one") from error
    here = f"/local/domain/{loopbacks.GUEST}/device/vif/{load.device}"
    with loopback, loopbacks.joining(directory, here):
        yield loopback, here


@contextmanager
def _process(load: Load) -> Iterator[_Process]:
    told = {"size": load.size, "gso": load.gso, "direction": load.direction, "depth": load.depth}
    argv = [sys.executable, "-m", far.__name__, json.dumps(told)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin  # noqa: S101 - asked for
    assert process.stdout  # noqa: S101 - likewise
    try:
        if not (directory := process.stdout.readline().strip()):
            raise XentoolError("the far process has ended at once")
        yield _Process(Path(directory), process)
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
