"""What a case that fails leaves to look at: pages that were shared, what stood in XenStore when, frames that went by.

Law: it looks on. What a case gets is what it would have had, and behaves so; nothing is kept of what is only data, nor
more of anything than can be read.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pvdrivers.bus.end import error_path
from pvdrivers.bus.toolstack import Spot
from pvdrivers.conformance import waits
from pvdrivers.conformance.net.frames import Carried
from pvdrivers.conformance.net.subject import FarSide
from pvdrivers.transport.base import Grant, Mapping, Transport
from pvdrivers.xenstore.client import Client, NotFound, XenStoreError

#: Shares of pages that are kept, the last ones; and pages of one, with more of which it is data, and no ring.
_SHARES, _PAGES = 64, 16
#: Of nodes, and of frames.
_LINES = 4096


class Shared(NamedTuple):
    """Pages as they were when they were let go of.

    :param how: ``granted`` by the kit, or ``mapped`` of the driver's
    """

    how: str
    grefs: tuple[int, ...]
    content: bytes


class Stood(NamedTuple):
    """What stood in a node when it was looked at, after it had changed.

    :param seconds: since the case began
    :param value: None for a node that was gone
    """

    seconds: float
    path: str
    value: bytes | None


class Went(NamedTuple):
    """A frame at the driver's other side.

    :param inbound: whether the driver was to pass it on; else it came out
    """

    seconds: float
    inbound: bool
    data: bytes


@dataclass
class Evidence:
    """Of one case."""

    shared: deque[Shared] = field(default_factory=lambda: deque(maxlen=_SHARES))
    nodes: deque[Stood] = field(default_factory=lambda: deque(maxlen=_LINES))
    frames: deque[Went] = field(default_factory=lambda: deque(maxlen=_LINES))
    began: float = field(default_factory=waits.now)

    @property
    def seconds(self) -> float:
        """Of the case until now."""
        return waits.now() - self.began


class KeepingBench:
    """A bench whose devices are looked at.

    :param bench: which is asked for all else
    """

    def __init__(self, bench: object, evidence: Evidence) -> None:
        self._bench, self._evidence = bench, evidence

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is there
        found = getattr(self._bench, name)
        return self._kept(found) if name in {"served", "used"} else found

    def _kept(self, way: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def kept(*words: Any, **more: Any) -> Iterator[Any]:  # noqa: ANN401 - the way's own
            with way(*words, **more) as device, ExitStack() as stack:
                journal = _Journal(device.transport.store, device.spot, self._evidence)
                journal.start()
                stack.callback(journal.end)
                transport = KeepingTransport(device.transport, self._evidence)
                stack.callback(transport.keep)
                sides = {name: KeepingFar(getattr(device, name), self._evidence) for name in _sides(device)}
                yield replace(device, transport=transport, **sides)

        return kept


def _sides(device: object) -> list[str]:
    # What is at a vif's other side; who uses a disk is no such.
    return [name for name in ("far", "user") if hasattr(getattr(device, name, None), "receive")]


class KeepingTransport:
    """A transport whose small shares of pages are kept when they end."""

    def __init__(self, transport: Transport, evidence: Evidence) -> None:
        self._transport, self._evidence = transport, evidence
        self._open: list[_Share] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is there
        return getattr(self._transport, name)

    def grant(self, domid: int, pages: int = 1, *, writable: bool = True) -> Any:  # noqa: ANN401 - a `Grant`
        """Grant pages; see `Transport.grant`."""
        grant = self._transport.grant(domid, pages, writable=writable)
        return self._share("granted", grant, grant.grefs)

    def map(self, domid: int, grefs: Sequence[int], *, writable: bool = True) -> Any:  # noqa: ANN401 - a `Mapping`
        """Map pages; see `Transport.map`."""
        return self._share("mapped", self._transport.map(domid, grefs, writable=writable), grefs)

    def _share(self, how: str, pages: Grant | Mapping, grefs: Sequence[int]) -> "Grant | Mapping | _Share":
        if len(grefs) > _PAGES:
            return pages
        share = _Share(self, how, pages, tuple(grefs))
        self._open.append(share)
        return share

    def kept(self, share: "_Share") -> None:
        """Keep a share, which is ending."""
        if share in self._open:
            self._open.remove(share)
            self._evidence.shared.append(Shared(share.how, share.grefs, bytes(share.memory)))

    def keep(self) -> None:
        """Keep all that has not ended."""
        for share in list(self._open):
            self.kept(share)

    def close(self) -> None:
        """Give all back; see `Transport.close`."""
        self.keep()
        self._transport.close()


class _Share:
    # Pages of either kind.

    def __init__(self, transport: KeepingTransport, how: str, pages: Grant | Mapping, grefs: tuple[int, ...]) -> None:
        self._transport, self.how, self._pages, self.grefs = transport, how, pages, grefs

    @property
    def memory(self) -> memoryview:
        return self._pages.memory

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is there
        found = getattr(self._pages, name)
        if name in {"revoke", "unmap"}:
            self._transport.kept(self)
        return found


class KeepingFar:
    """The other side of a driver of vifs."""

    def __init__(self, side: FarSide, evidence: Evidence) -> None:
        self._side, self._evidence = side, evidence

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is there
        return getattr(self._side, name)

    def send(self, frame: Carried) -> bool:
        """Let a frame come in; see `FarSide.send`."""
        self._evidence.frames.append(Went(self._evidence.seconds, True, frame.data))
        return self._side.send(frame)

    def receive(self, seconds: float) -> Carried | None:
        """Give the next frame that has come out; see `FarSide.receive`."""
        frame = self._side.receive(seconds)
        if frame:
            self._evidence.frames.append(Went(self._evidence.seconds, False, frame.data))
        return frame


class _Journal(threading.Thread):
    # Looks at each node of a device that changes. What changes twice before it is looked at is seen once.

    def __init__(self, store: Client, spot: Spot, evidence: Evidence) -> None:
        super().__init__(name="conformance journal", daemon=True)
        self._store, self._evidence = store, evidence
        self._paths = [spot.front, spot.back, error_path(spot.front), error_path(spot.back)]
        self._awake = threading.Event()
        self._ended = False

    def run(self) -> None:
        # A transport that is closed ends this, too.
        try:
            with ExitStack() as stack:
                watches = [stack.enter_context(self._store.watch(path, self._awake.set)) for path in self._paths]
                while not self._ended:
                    self._awake.wait()
                    self._awake.clear()
                    for path in [path for watch in watches for path in watch.drain()]:
                        self._evidence.nodes.append(Stood(self._evidence.seconds, path, self._value(path)))
        except XenStoreError:
            return

    def _value(self, path: str) -> bytes | None:
        try:
            return self._store.read(path)
        except NotFound:
            return None

    def end(self) -> None:
        self._ended = True
        self._awake.set()
        self.join()
