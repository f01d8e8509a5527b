"""What a vif's frontend does with packets that are none: its user gets nothing of them, and all that comes after."""

from collections.abc import Callable, Mapping

from pvdrivers.abi.netif import ExtraType, GsoType, RxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.back import VifBack
from pvdrivers.conformance.net.back_rig import VifBackRig
from pvdrivers.conformance.net.back_slots import FEATURES
from pvdrivers.conformance.net.filling import Part, flagged
from pvdrivers.conformance.net.frames import FAR, GUEST, packet, plain
from pvdrivers.conformance.net.messages import extra, gso
from pvdrivers.conformance.observation import Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.FRONT, "net")
#: As often each is tried: pages that do not come back are missed then, of 256 that a ring has.
_TIMES = 30

#: Gives the responses of a packet that is none.
Wrong = Callable[[VifBack], list[bytes]]


def _frame(back: VifBack, size: int = 200) -> bytes:
    return plain(back.chance.randbytes(size), to=GUEST, source=FAR)


def _dropped(rig: VifBackRig, wrong: Mapping[str, Wrong]) -> Sights:
    with rig.joined(FEATURES) as back:
        for what, messages in wrong.items():
            for _ in range(_TIMES):
                back.give(messages(back))
                # What follows an unfinished one too soon is its end.
                back.heard()
                if back.given_up:
                    break
            seen = back.behind(what)
            yield seen
            if seen.observation is O.DISABLED:
                return


def _slots(number: int) -> Wrong:
    return lambda back: back.fill([Part(_frame(back)), *[Part(back.chance.randbytes(40))] * (number - 1)])


def _unfinished(number: int) -> Wrong:
    def messages(back: VifBack) -> list[bytes]:
        *first, last = _slots(number)(back)
        return [*first, flagged(last, RxFlag.MORE_DATA)]

    return messages


@CASES.case(
    "NF05",
    "packets of more slots than there may be, and of such as never come",
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "The minimum value derives from older Linux kernel's MAX_SKB_FRAGS",
        must=False,
        source="Linux drivers/net/xen-netfront.c, xennet_get_responses and xennet_fill_frags: more than "
        "MAX_SKB_FRAGS are dropped",
    ),
    why="Each slot of a packet is a page of its frame: one more than its table has is written behind that.",
    risk=Risk.MAY_CRASH,
)
def nf05(rig: VifBackRig) -> Sights:
    """Passes packets of 20, 24 and 60 slots on, and such as say that there is more and have no more, each again and
    again; a sound one follows.
    """
    yield from _dropped(
        rig,
        {
            **{f"{number} slots": _slots(number) for number in (20, 24, 60)},
            **{f"{number} slots of more": _unfinished(number) for number in (1, 2, 18)},
        },
    )


def _part(part: Part, *, second: bool = False) -> Wrong:
    return lambda back: back.fill([Part(_frame(back)), part] if second else [part])


_BODY = bytes(range(200))
_PARTS = {
    "status -1": Part(_BODY, status=-1),
    "status -2": Part(_BODY, status=-2),
    "status -32768": Part(_BODY, status=-32768),
    "over the page's end by a byte": Part(_BODY, PAGE_SIZE - 199),
    "over the page's end, from its end on": Part(_BODY, PAGE_SIZE),
    "far behind the page": Part(_BODY, 0xFFFF),
    "longer than a page": Part(_BODY, status=32767),
}


@CASES.case(
    "NF06",
    "statuses that are errors, and bytes that are not in the page",
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "status: -ve: NETIF_RSP_*; +ve: Rx'ed pkt size.",
        source="Linux drivers/net/xen-netfront.c, xennet_get_responses: rx->offset + rx->status > XEN_PAGE_SIZE",
    ),
    why="What is read behind a page is a guest's own memory, which its user takes for what somebody has sent.",
    risk=Risk.MAY_CRASH,
)
def nf06(rig: VifBackRig) -> Sights:
    """Answers with negative statuses, and with offsets and sizes that lead out of the page, in the first slot of a
    packet and in the second.
    """
    for second in (False, True):
        place = "second slot" if second else "first slot"
        yield from _dropped(rig, {f"{place}, {what}": _part(part, second=second) for what, part in _PARTS.items()})


@CASES.case(
    "NF22",
    "packets that are too short for a frame, or of nothing",
    O.DROPPED,
    O.DISABLED,
    O.OKAY,
    clause=Clause("netif.h", must=False, source="Linux drivers/net/xen-netfront.c: has no least size of its own"),
    why="A frame's header has 14 bytes: who reads them from what has fewer reads what lay there before.",
    risk=Risk.MAY_CRASH,
)
def nf22(rig: VifBackRig) -> Sights:
    """Passes on 0, 1 and 13 bytes, and a slot of nothing in a packet that is whole without."""
    with rig.joined(FEATURES) as back:
        for size in (0, 1, 13):
            data = _BODY[:size]
            back.give(back.fill([Part(data)]))
            yield back.behind(f"{size} bytes", data)
        data = _frame(back)
        back.give(back.fill([Part(data[:100]), Part(b"", 17), Part(data[100:])]))
        yield back.behind("a slot of nothing", data)


def _with(*extras: bytes, flags: int = 0) -> Wrong:
    return lambda back: back.fill([Part(_frame(back))], flags=flags, extras=extras)


def _unfollowed(*extras: bytes) -> Wrong:
    # It says that there is an extra, or one more, and ends.
    def messages(back: VifBack) -> list[bytes]:
        first, *rest = back.fill([Part(_frame(back))], extras=extras)
        return [flagged(first, RxFlag.EXTRA_INFO), *rest]

    return messages


@CASES.case(
    "NF07",
    "extras that do not come, of types that there are not, and packets to be cut into nothing",
    O.DROPPED,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "Can be present if initial request or response has NET{T,R}XF_extra_info,",
        must=False,
        source="Linux drivers/net/xen-netfront.c, xennet_get_extras and xennet_set_skb_gso: such packets are dropped",
    ),
    why="A size of segments of nothing is divided by; a type of extra is an index into a table.",
    risk=Risk.MAY_CRASH,
)
def nf07(rig: VifBackRig) -> Sights:
    """Passes on packets with extras that are missing, of types 0 and 255, and of a GSO that has no size or no type."""
    yield from _dropped(
        rig,
        {
            "no extra": _unfollowed(),
            "one extra of two": _unfollowed(gso(1448, GsoType.TCPV4, more=True)),
            "type 0": _with(extra(ExtraType.NONE)),
            "type 255": _with(extra(255)),
            "type 255, then GSO": _with(extra(255, more=True), gso(1448, GsoType.TCPV4)),
            "GSO of size 0": _with(gso(0, GsoType.TCPV4), flags=RxFlag.CSUM_BLANK),
            "GSO of type 9": _with(gso(1448, 9), flags=RxFlag.CSUM_BLANK),
            "GSO of type 0": _with(gso(1448, GsoType.NONE), flags=RxFlag.CSUM_BLANK),
        },
    )


@CASES.case(
    "NF09",
    "blank checksums of what has none, or none that can be found",
    O.DROPPED,
    O.OKAY,
    O.DISABLED,
    clause=Clause(
        "netif.h",
        "Protocol checksum field is blank in the packet (hardware offload)?",
        must=False,
        source="Linux drivers/net/xen-netfront.c, checksum_setup: what is no TCP or UDP is an error (rx_errors)",
    ),
    why="Where a checksum is to be written follows from what a packet says of itself: it may say any place.",
    risk=Risk.MAY_CRASH,
)
def nf09(rig: VifBackRig) -> Sights:
    """Says that checksums are blank of a frame that is not of IP, of a fragment, of ICMP, and of headers that end
    before their checksum; its user may get them as they are, or not at all.
    """
    with rig.joined(FEATURES) as back:
        udp = packet(4, IpProtocol.UDP, back.chance.randbytes(100), to_guest=True)
        icmp = bytearray(udp.data)
        icmp[udp.start - 20 + 9] = 1
        fragment = packet(4, IpProtocol.UDP, back.chance.randbytes(100), to_guest=True, fragment=True)
        for what, data in (
            ("no IP", _frame(back)),
            ("a fragment", fragment.data),
            ("ICMP", bytes(icmp)),
            ("a header that ends", udp.data[: udp.start + 4]),
            ("IP's header alone", udp.data[: udp.start]),
        ):
            back.give(back.fill([Part(data)], flags=RxFlag.CSUM_BLANK | RxFlag.DATA_VALIDATED))
            seen = back.behind(what, data)
            yield seen
            if seen.observation is O.DISABLED:
                return
