"""Our backend of vifs with a mistake, as `mutants` has it of disks."""

import os
from collections.abc import Sequence
from typing import Any

from pvdrivers.abi.netif import CTRL_REQUEST, TX_REQUEST, TX_RING
from pvdrivers.abi.ring import HEADER, RingType
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus import rings
from pvdrivers.errors import BadRing
from pvdrivers.net import fit, nodes, segment, virtio
from pvdrivers.net.back import backend, backqueue, controlqueue, spread
from pvdrivers.net.back.credit import Credit
from pvdrivers.net.control import back as control
from pvdrivers.net.multicast import Multicast
from pvdrivers.net.packet import offload, rx_back, tx_back
from pvdrivers.net.packet.slots import Slot
from pvdrivers.net.steering import Steering
from pvdrivers.ring import Back
from pvdrivers.ring.waiting import Waiting
from pvdrivers.transport.base import Mapping, Transport
from pvdrivers.xenbus import NET_BACK
from tests.xentool.tools.conformance.mutants import Mutant, both, text, without
from xentool.tools.conformance import our_vifs


class Trusting(Back):
    """Believes in any producer index."""

    def take(self, limit: int = 0xFFFFFFFF) -> bytes:
        try:
            return super().take(limit)
        except BadRing:
            return bytes(TX_REQUEST.size)

    def final_check(self, batch: int = 1) -> bool:
        try:
            return super().final_check(batch)
        except BadRing:
            return True


class TrustingControl(Trusting):
    """Likewise, of the control ring."""

    def take(self, limit: int = 0xFFFFFFFF) -> bytes:
        return super().take(limit).ljust(CTRL_REQUEST.size, b"\0")


#: How often who reads twice lets others go on between.
_MOMENTS = 2000


class Refetching(backqueue.BackQueue):
    """Looks at a slot's size once more, in the ring, when its packet has been checked."""

    def __init__(self, transport: Transport, domid: int, rings: Sequence[Mapping], *others: Any, **more: Any) -> None:  # noqa: ANN401 - its base's
        super().__init__(transport, domid, rings, *others, **more)
        self.shared = rings[0].memory

    def _fetch(self, slots: Sequence[Slot]) -> tuple[memoryview, list[int]]:
        first = self._stats.tx_slots - len(slots)
        # On a machine that has other things to do, the other end's thread is seldom between both looks.
        for _ in range(_MOMENTS):
            if any(self._size(first + at) != slot.length for at, slot in enumerate(slots)):
                break
            os.sched_yield()
        return super()._fetch([slot._replace(length=self._size(first + at)) for at, slot in enumerate(slots)])

    def _size(self, slot: int) -> int:
        place = HEADER.size + slot % 256 * TX_REQUEST.size + TX_REQUEST.offsets["size"]
        return int.from_bytes(self.shared[place : place + 2], "little")


def _trusting(memory: memoryview, kind: RingType) -> Back:
    return (Trusting if kind is TX_RING else Back)(memory, kind)


NET_BACK_MUTANTS = [
    # What it believes.
    Mutant(
        "any producer index of what is sent",
        "NB19",
        "",
        lambda patch: patch.setattr(backqueue, "Back", _trusting),
        waits=True,
    ),
    Mutant(
        "any producer index of the control ring",
        "NB20",
        "",
        lambda patch: patch.setattr(controlqueue, "Back", TrustingControl),
        waits=True,
    ),
    Mutant(
        "frames of any size",
        "NB09",
        "strayed",
        both(
            text(tx_back._refused, "if whole < ETHERNET_SIZE:", "if False:"),
            text(fit.fit, "if len(data) < wire.ETHERNET_SIZE:", "if False:"),
        ),
    ),
    Mutant(
        "fewer slots than any backend takes",
        "NB10",
        "lost",
        text(tx_back._refused, "if following > FOLLOWING_MAX:", "if following > 16:"),
    ),
    Mutant("slots that are more than the packet", "NB11", "", text(tx_back._refused, "if own < 0:", "if False:")),
    Mutant(
        "the first slot has all that the packet has",
        "NB07",
        "",
        text(tx_back._packet, "own = whole - sum(slot.length for slot in following)", "own = whole"),
        waits=True,
    ),
    Mutant("extras of any type", "NB14", "strayed", text(offload.type_of, "if extra[0] not in _TYPES:", "if False:")),
    Mutant(
        "segments of no bytes",
        "NB16",
        "strayed",
        both(
            text(offload.read_offload, "if not size:", "if False:"),
            text(fit._fit_large, "if size < SIZE_MIN:", "if False:"),
            text(virtio.header, "if not 0 < size < _SIZE_RESERVED:", "if False:"),
        ),
    ),
    Mutant(
        "what is said of a checksum in the other ring's words",
        "NB17",
        "wrong-data",
        text(offload.read_offload, "if flags & ring.blank:", "if flags & ring.validated:"),
    ),
    Mutant(
        "a frame of which a part is missing",
        "NB21",
        "a frame comes out",
        text(
            backqueue.BackQueue._is_whole,
            "if packet.refused or tx_back.uncopied(packet, statuses):",
            "if packet.refused:",
        ),
    ),
    Mutant("a slot is read twice", "NB35", "mixed", lambda patch: patch.setattr(backend, "BackQueue", Refetching)),
    # How it answers.
    Mutant(
        "a page that cannot be had is no error",
        "NB21",
        "strayed",
        text(tx_back.respond, "_ERROR if slot.length and next(left) else _OKAY", "_OKAY"),
    ),
    Mutant(
        "extras are not answered", "NB15", "silent", text(tx_back.respond, "_NULL * packet.extras", 'b""'), waits=True
    ),
    Mutant(
        "extras are answered as slots",
        "NB15",
        "",
        text(tx_back.respond, "_NULL * packet.extras", "answers[0] * packet.extras"),
    ),
    Mutant(
        "never notifies", "NB03", "", text(Waiting.send, "if ring.push():", "if ring.push() and False:"), waits=True
    ),
    Mutant(
        "does not ask for pages when frames wait for some",
        "NB26",
        "silent",
        text(backqueue.BackQueue._wanted, "return line == _TX or self._waits > 0", "return line == _TX"),
        waits=True,
    ),
    # What comes to a frontend.
    Mutant(
        "answers of one frame in another order",
        "NB23",
        "misnamed",
        text(rx_back.respond, 'return b"".join(responses)', 'return b"".join(responses[::-1])'),
    ),
    Mutant(
        "a page less than a frame needs",
        "NB30",
        "",
        text(rx_back.needed, " + count_extras(frame.offload, frame.hash, headroom)", ""),
        waits=True,
    ),
    Mutant(
        "a page that cannot be written to is no error",
        "NB22",
        "strayed",
        text(rx_back.respond, "if status:", "if False:"),
    ),
    Mutant(
        "blank checksums are not told",
        "NB24",
        "misled",
        text(rx_back.lay, "flags = flags_of(RX, frame.offload) |", "flags = 0 |"),
    ),
    Mutant(
        "frames to be cut, without flags",
        "NB24",
        "misled",
        text(
            offload.flags_of,
            "if offload.gso or offload.checksum is Checksum.BLANK:",
            "if not offload.gso and offload.checksum is Checksum.BLANK:",
        ),
    ),
    Mutant(
        "blank checksums for who does not take them",
        "NB24",
        "misled",
        text(nodes._read_takes, 'peer.flag("feature-ipv6-csum-offload")', "True"),
    ),
    Mutant(
        "frames to be cut for who does not take them",
        "NB25",
        "strayed",
        text(nodes._read_takes, "sg and v4 and gso_v4", "sg and v4"),
    ),
    Mutant(
        "several slots for who takes one",
        "NB25",
        "strayed",
        text(nodes.Takes.abilities, "if self.sg else PLAIN_LONGEST", "if True else PLAIN_LONGEST"),
    ),
    Mutant(
        "segments of one sequence number",
        "NB25",
        "wrong-data",
        text(segment.segment, "following = (sequence + at - transport.payload)", "following = (sequence)"),
    ),
    # What it asks for.
    Mutant(
        "an address more than the list has",
        "NB28",
        "",
        text(Multicast.add, "return NetifRsp.ERROR", "raise IndexError"),
    ),
    Mutant(
        "all of multicast in any case",
        "NB28",
        "strayed",
        text(spread.Spread._chosen, "if wishes.filtering:", "if False:"),
    ),
    Mutant(
        "a queue that there is not",
        "NB29",
        "",
        text(control._set_mapping, "if any(entry >= steering.queues for entry in entries):", "if False:"),
    ),
    Mutant(
        "a part of a mapping that wraps",
        "NB29",
        "strayed",
        text(
            control._piece,
            "if offset + size > len(steering.mapping):",
            "if (offset + size) % 2**32 > len(steering.mapping):",
        ),
    ),
    Mutant(
        "another queue than the hash's",
        "NB29",
        "strayed",
        text(Steering.queue, "self.mapping[value % len(self.mapping)]", "value % self.queues"),
    ),
    Mutant(
        "a hash from its other end",
        "NB29",
        "misled",
        text(offload.extras_of, 'flow.value.to_bytes(4, "little")', 'flow.value.to_bytes(4, "big")'),
    ),
    Mutant(
        "no bound on what is sent",
        "NB31",
        "unbounded",
        text(Credit.due, "return max(-self._left / self._rate, 0.0)", "return 0.0"),
    ),
    # Nodes, and the handshake.
    Mutant(
        "no queues are one",
        "NB05",
        "served",
        text(rings.read_shared, '"multi-queue-num-queues", 1,', '"multi-queue-num-queues", 0,'),
    ),
    Mutant(
        "queues are counted from one",
        "NB04",
        "refused",
        text(rings.read_shared, "for number in range(count)]", "for number in range(1, count + 1)]"),
    ),
    Mutant("a page may be two rings'", "NB05", "served", text(rings._distinct, "if number in seen:", "if False:")),
    Mutant(
        "rings of who has parted stay mapped",
        "NB33",
        "mappings",
        text(backqueue.BackQueue.__init__, 'own(owned, mapping, "unmap")', "pass"),
    ),
    Mutant(
        "a frontend's parting is not seen",
        "NB33",
        "silent",
        without("NET_BACK", NET_BACK, (S.CONNECTED, S.CLOSING), (S.CONNECTED, S.CLOSED), where=our_vifs),
        waits=True,
    ),
]
