"""A learning switch in memory, between frontends that one process serves.

Law: what one port does costs another nothing but the frames that go there. Each has a table of addresses and a queue of
its own, both bounded: whoever makes up addresses forgets its own, whoever does not read loses what is for it.

VLANs' tags are passed on, and not looked at. Frames are told what their reader can be told, in their reader's thread.

Ref: IEEE 802.1Q, 8.6 to 8.8
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from weakref import WeakValueDictionary

from pvdrivers.net.frame import Abilities, Frame
from pvdrivers.net.ports.base import ALL, PortStats
from pvdrivers.net.ports.fitted import Fitted
from pvdrivers.net.ports.packed import Receiving
from pvdrivers.net.ports.packed_inbox import PackedInbox
from pvdrivers.net.ports.plain.kept import stretches
from pvdrivers.net.record import RECORD, pack, unpack

#: 01-80-C2-00-00-00 to -0F are for the nearest bridge, and never go on (IEEE 802.1Q, table 8-1).
_NEAREST = bytes.fromhex("0180c20000")
#: Addresses of one port, and seconds after which one that is not seen again is anywhere (IEEE 802.1Q, table 8-6).
_ADDRESSES = 256
_AGE = 300.0

_named: WeakValueDictionary[str, "Switch"] = WeakValueDictionary()
_naming = threading.Lock()


def named(name: str) -> "Switch":
    """Give this process's switch of a name, made if there is none; it is there as long as it has ports."""
    with _naming:
        switch = _named.get(name)
        if switch is None:
            switch = _named[name] = Switch(name)
        return switch


class Switch:
    """A switch; for any thread.

    :param name: "" or what it is called where there are several
    :param clock: tells seconds
    """

    def __init__(self, name: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._ports: list[SwitchPort] = []
        self._places: dict[bytes, SwitchPort] = {}

    def port(self) -> "SwitchPort":
        """Make a port; it carries nothing until it is opened."""
        return SwitchPort(self)

    def plug(self, port: "SwitchPort") -> None:
        """Let a port send and receive."""
        with self._lock:
            self._ports.append(port)

    def unplug(self, port: "SwitchPort") -> None:
        """Part from a port, and forget who was there; not an error if it is not plugged."""
        with self._lock:
            if port in self._ports:
                self._ports.remove(port)
            for address in port.addresses:
                del self._places[address]
            port.addresses.clear()

    def forward(self, port: "SwitchPort", lane: int, arena: memoryview, records: memoryview) -> int:
        """Send frames of a port to where they belong.

        :param lane: on which of its lanes; what comes on one goes out on one, in its order
        :param arena: where they lie, for as long as this call lasts
        :returns: how many were no frames, or not for any other port ever
        """
        refused = 0
        ways: list[tuple[SwitchPort, memoryview]] = []
        with self._lock:
            now = self._clock()
            for addresses, begin, end in stretches(arena, records):
                if not addresses or (addresses.startswith(_NEAREST) and addresses[5] < 16):
                    refused += end - begin
                    continue
                self._learn(addresses[6:], port, now)
                those = records[begin * RECORD.size : end * RECORD.size]
                ways += ((target, those) for target in self._targets(addresses[:6], port, now))
        for target, those in ways:
            target.deliver(lane, arena, those)
        return refused

    def _learn(self, address: bytes, port: "SwitchPort", now: float) -> None:
        if address[0] & 1:
            # A group sends nothing.
            return
        before = self._places.get(address)
        if before is not None and before is not port:
            del before.addresses[address]
        self._places[address] = port
        port.addresses[address] = now
        port.addresses.move_to_end(address)
        if len(port.addresses) > _ADDRESSES:
            oldest, _ = port.addresses.popitem(last=False)
            del self._places[oldest]

    def _targets(self, address: bytes, source: "SwitchPort", now: float) -> Iterable["SwitchPort"]:
        place = self._places.get(address)
        if place is None or now - place.addresses[address] > _AGE:
            return [each for each in self._ports if each is not source]
        return [place] if place is not source else []


class SwitchPort:
    """One port of a switch.

    ``addresses`` are those last seen there, each with when; the switch's, under its lock.
    """

    abilities = ALL

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._lanes: Sequence[SwitchLane] = ()
        self.addresses: OrderedDict[bytes, float] = OrderedDict()

    @property
    def name(self) -> str:
        """``switch``, or with its name."""
        return f"switch:{self._switch.name}" if self._switch.name else "switch"

    @property
    def carrier(self) -> bool:
        """The switch is there, whoever else is plugged in."""
        return True

    def open(self, lanes: int, reader: Abilities) -> Sequence["SwitchLane"]:
        """Plug it in."""
        self._lanes = [SwitchLane(self, self._switch, number, reader) for number in range(lanes)]
        self._switch.plug(self)
        return self._lanes

    def deliver(self, lane: int, arena: memoryview, records: memoryview) -> None:
        """Queue frames for its frontend; from any thread."""
        self._lanes[lane % len(self._lanes)].deliver(arena, records)

    def close(self) -> None:
        """Unplug it."""
        self._switch.unplug(self)
        for lane in self._lanes:
            lane.close()


class SwitchLane:
    """One lane of a port."""

    def __init__(self, port: SwitchPort, switch: Switch, number: int, reader: Abilities) -> None:
        self._port, self._switch, self._number = port, switch, number
        self.stats = PortStats()
        self._fitted = Fitted(reader, self.stats)
        self._inbox = PackedInbox(self.stats, reader)
        kept = self._inbox.kept
        #: Where frames are received.
        self.arena = kept.arena
        self._receiving = Receiving(
            kept, self._fitted, self.stats, lambda: unpack(self.arena, memoryview(kept.left_record))[0], _never
        )

    def fileno(self) -> int:
        """Give an eventfd; -1 once it is closed."""
        return self._inbox.fileno()

    def deliver(self, arena: memoryview, records: memoryview) -> None:
        """Queue frames that come out here; from any thread."""
        self._inbox.put(arena, records)

    def receive(self, limit: int) -> Sequence[Frame]:
        """Take what waits."""
        frames = self._receiving.received(limit)
        self._rest()
        return frames

    def receive_packed(self, records: memoryview) -> int:
        """Take what waits."""
        count = self._receiving.receive(records)
        self._rest()
        return count

    def _rest(self) -> None:
        if not self._fitted:
            self.stats.syscalls += self._inbox.rest()

    def send(self, frames: Sequence[Frame]) -> None:
        """Have the switch forward frames."""
        self.send_packed(memoryview(b"".join(frame.data for frame in frames)), memoryview(pack(frames)))

    def send_packed(self, arena: memoryview, records: memoryview) -> None:
        """Have the switch forward frames."""
        refused = self._switch.forward(self._port, self._number, arena, records)
        self.stats.dropped += refused
        self.stats.sent += len(records) // RECORD.size - refused

    def close(self) -> None:
        """Forget what waits; not an error if it is closed."""
        self._inbox.close()


def _never(number: int) -> None:
    raise AssertionError(f"memory has no errors such as {number}")
