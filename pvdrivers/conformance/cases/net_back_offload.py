"""What frames leave to be done: checksums, and cutting; sent, and got."""

from collections.abc import Sequence

from pvdrivers.abi.netif import EXTRA_GSO, ExtraType, GsoType, RxFlag, TxFlag
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.net_trying import outcome, passes, tried
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.frames import (
    FAR,
    GUEST,
    Carried,
    Packet,
    finished,
    packet,
    plain,
    same_segments,
    unsound,
)
from pvdrivers.conformance.net.front import VifFront
from pvdrivers.conformance.net.front_rig import VifFrontRig
from pvdrivers.conformance.net.messages import gso
from pvdrivers.conformance.net.posting import Came
from pvdrivers.conformance.observation import Noticed, Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "net")
TCP, UDP = IpProtocol.TCP, IpProtocol.UDP
_BLANK = int(TxFlag.CSUM_BLANK | TxFlag.DATA_VALIDATED)
#: Of a frame that is to be cut: pages that it and its extras may take.
_MANY = 20


@CASES.case(
    "NB15",
    "large frames of TCP, to be cut",
    O.OKAY,
    O.CUT,
    needs=("feature-gso-tcpv4", "feature-gso-tcpv6"),
    clause=Clause(
        "netif.h",
        "Maximum payload size of each segment. For example, for TCP this is just the path MSS.",
    ),
    why="Most of what a guest sends goes so: a frame with wrong segments or sums is sent again and again, and nobody "
    "sees why it is slow.",
    seeded=True,
)
def nb15(rig: VifFrontRig) -> Sights:
    """Sends frames of TCP over IPv4 and IPv6 to be cut into 536 and 1448 bytes; at the far side they are whole and said
    to be so, or right segments.
    """
    with rig.joined() as front:
        for version in (4, 6):
            rig.needs(front, f"feature-gso-tcpv{version}")
            for size in (536, 1448):
                for length in (size + 1, 8000, rig.chance.randrange(9000, 60000)):
                    whole = packet(version, TCP, rig.chance.randbytes(length), options=12)
                    data = whole.blanked()
                    slots = front.slots(data, flags=_BLANK, extras=[gso(size, whole.gso)])
                    front.send(slots)
                    what = f"{length} bytes of IPv{version}, of {size}"
                    yield _large(what, outcome(front, what), whole, size)


def _large(what: str, frames: Sequence[Carried], whole: Packet, size: int) -> Seen:
    if not frames:
        return Seen(what, O.LOST)
    if len(frames) == 1 and frames[0].gso:
        said = frames[0]
        wanted = whole.carried(size)
        if said == wanted:
            return Seen(what, O.OKAY)
        wrong = "the frame is another" if said[1:] == wanted[1:] else f"it is said to be {said[1:]}"
        return Seen(what, O.WRONG_DATA if said[1:] == wanted[1:] else O.MISLED, wrong)
    if any(frame.gso for frame in frames):
        return Seen(what, O.MISLED, "segments that are to be cut")
    wrong = same_segments([finished(frame) for frame in frames], whole, size)
    return Seen(what, O.WRONG_DATA if wrong else O.CUT, wrong)


@CASES.case(
    "NB16",
    "frames that cannot be cut as they say",
    O.ERROR,
    O.DROPPED,
    O.DISABLED,
    O.OKAY,
    needs=("feature-gso-tcpv4",),
    clause=Clause(
        "netif.h",
        "This determines the protocol of the packet and any extra features required to segment the packet properly.",
        source='Linux drivers/net/xen-netback/netback.c, xenvif_set_skb_gso: "GSO size must not be zero", "Bad GSO '
        'type", the vif is given up',
    ),
    why="Segments of no bytes are a division by zero, or a loop, in whatever kernel cuts them.",
)
def nb16(rig: VifFrontRig) -> Sights:
    """Sends large frames whose segments are to have no bytes, of types that there are not, or of what is no TCP of that
    kind; they may come out as they are, but not so that they are to be cut.
    """
    rig.offers("feature-gso-tcpv4")
    large = bytes(range(250)) * 12
    tcp, udp = packet(4, TCP, large), packet(4, UDP, large)
    kinds = {
        "of no bytes": (tcp, 0, GsoType.TCPV4),
        "of type 0": (tcp, 1448, GsoType.NONE),
        "of type 3": (tcp, 1448, 3),
        "of type 255": (tcp, 1448, 255),
        "of TCP over IPv6, and it is IPv4": (tcp, 1448, GsoType.TCPV6),
        "of TCP, and it is UDP": (udp, 1448, GsoType.TCPV4),
    }
    for what, (whole, size, kind) in kinds.items():
        with rig.joined() as front:
            slots = front.slots(whole.blanked(), flags=_BLANK, extras=[gso(size, kind)])
            yield from _uncut(front, f"segments {what}", taken=front.decided(slots) is not None, whole=whole)
    with rig.joined() as front:
        data = plain(large)
        slots = front.slots(data, flags=_BLANK, extras=[gso(1448, GsoType.TCPV4)])
        yield from tried(front, "segments of TCP, and it is no IP", slots, data)


def _uncut(front: VifFront, what: str, *, taken: bool, whole: Packet) -> Sights:
    # What a large frame may be that was not refused: itself, and nobody is told to cut it.
    if not taken:
        yield Seen(what, O.DISABLED, front.complaint())
        return
    frames = outcome(front, what)
    if not frames:
        yield Seen(what, O.DROPPED)
    elif any(frame.gso for frame in frames):
        yield Seen(what, O.STRAYED, f"it is passed on to be cut into {frames[0].gso_size} bytes, type {frames[0].gso}")
    else:
        right = [finished(frame) for frame in frames] == [whole.data]
        yield Seen(what, O.OKAY if right else O.WRONG_DATA)


@CASES.case(
    "NB17",
    "blank checksums of TCP and UDP, over IPv4 and IPv6",
    O.OKAY,
    O.ERROR,
    O.DROPPED,
    clause=Clause(
        "netif.h",
        "Protocol checksum field is blank in the packet (hardware offload)?",
        source="Linux drivers/net/xen-netback/netback.c, checksum_setup: the field holds the pseudo-header's sum",
    ),
    why="A frame whose checksum nobody has made is thrown away by whoever gets it, far from here.",
    seeded=True,
)
def nb17(rig: VifFrontRig) -> Sights:
    """Sends frames whose checksum is blank, their field holding the pseudo-header's sum, and nothing; once a far side
    that is told so has finished them, they are right.
    """
    with rig.joined() as front:
        versions = [4, 6] if front.offered("feature-ipv6-csum-offload") else [4]
        for version in versions:
            for protocol in (TCP, UDP):
                for zero, flags in ((False, _BLANK), (True, _BLANK), (False, TxFlag.CSUM_BLANK)):
                    # Of odd and even lengths.
                    whole = packet(version, protocol, rig.chance.randbytes(rig.chance.randrange(1, 1400)))
                    front.send(front.slots(whole.blanked(zero=zero), flags=flags))
                    what = f"{protocol.name} over IPv{version}, {'nothing' if zero else 'a sum'} in its field"
                    yield _summed(what, outcome(front, what), whole)


def _summed(what: str, frames: Sequence[Carried], whole: Packet) -> Seen:
    if not frames:
        return Seen(what, O.DROPPED)
    right = [finished(frame) for frame in frames] == [whole.data]
    return Seen(what, O.OKAY if right else O.WRONG_DATA, "" if right else "its checksum is wrong once it is finished")


@CASES.case(
    "NB18",
    "blank checksums of what has none that could be found",
    O.OKAY,
    O.ERROR,
    O.DROPPED,
    clause=Clause(
        "netif.h",
        must=False,
        source="Linux net/core/skbuff.c, skb_checksum_setup: -EPROTO for what is neither TCP nor UDP, whole and "
        "without a tag, and netback drops it",
    ),
    why="Whoever looks for TCP's header in a fragment or behind a tag writes a sum over data.",
)
def nb18(rig: VifFrontRig) -> Sights:
    """Sends frames that say that their checksum is blank, of a VLAN, of a fragment, of ICMP and of no IP, and whose
    headers end before they are whole; they are dropped, as they were, or right.
    """
    with rig.joined() as front:
        tagged, part = packet(4, UDP, bytes(60), tagged=True), packet(4, UDP, bytes(60), fragment=True)
        icmp = bytearray(packet(4, UDP, bytes(60)).data)
        # The sum of IP's header stays right: what its word lost another has.
        icmp[23], icmp[25] = 1, (icmp[25] + 16) & 0xFF
        kinds = {
            "of a VLAN": tagged.blanked(),
            "of a fragment": part.blanked(),
            "of ICMP": bytes(icmp),
            "of no IP": plain(bytes(60)),
            "of an IP header without an end": packet(4, TCP, b"").data[:30],
            "of half of TCP's header": packet(4, TCP, b"").data[:44],
        }
        for what, data in kinds.items():
            slots = front.slots(data, flags=_BLANK)
            statuses = {answer.status for answer in front.send(slots)}
            found = [finished(frame) for frame in outcome(front, what)]
            if not found:
                yield Seen(what, O.ERROR if statuses != {0} else O.DROPPED)
            else:
                right = found in ([data], [tagged.data])
                yield Seen(what, O.OKAY if right else O.WRONG_DATA)


@CASES.case(
    "NB24",
    "what is said of frames that come: checksums, and cutting",
    O.OKAY,
    O.CUT,
    clause=Clause(
        "netif.h",
        '"feature-no-csum-offload" should be used to turn IPv4 TCP/UDP checksum offload off or on. If it is missing '
        'then the feature is assumed to be on. "feature-ipv6-csum-offload" should be used to turn IPv6 TCP/UDP '
        "checksum offload on or off. If it is missing then the feature is assumed to be off.",
        source="win-xenvif: what is to be cut has both flags of a checksum that is blank, and one that is blank is "
        "valid too; Linux drivers/net/xen-netback/rx.c says both",
    ),
    why="A checksum that is blank and not said to be is a frame that its guest throws away, and TCP crawls.",
    seeded=True,
)
def nb24(rig: VifFrontRig) -> Sights:
    """Lets frames with blank checksums, and large ones, come in for frontends that take such and that do not; each is
    said to be what it is, or finished and cut.
    """
    for what, takes in (
        ("all", {}),
        ("no blank checksums of IPv4", {"feature-no-csum-offload": 1}),
        ("no blank checksums of IPv6", {"feature-ipv6-csum-offload": 0}),
    ):
        with rig.joined(takes=takes) as front:
            for version in (4, 6):
                blank = not (takes and str(version) in what)
                for protocol in (TCP, UDP):
                    payload = rig.chance.randbytes(rig.chance.randrange(1, 1400))
                    yield from _told(front, what, packet(version, protocol, payload, to_guest=True), 0, blank)
                payload = rig.chance.randbytes(rig.chance.randrange(5000, 50000))
                if not front.offered(f"feature-gso-tcpv{version}"):
                    # None comes in, either.
                    continue
                yield from _told(front, what, packet(version, TCP, payload, to_guest=True, options=12), 1448, blank)


def _told(front: VifFront, what: str, whole: Packet, size: int, blank: bool) -> Sights:
    what = f"a frontend that takes {what}: {'large ' if size else ''}{whole.protocol.name} over IPv{whole.version}"
    front.post(60 if size else 1)
    if not front.served.far.send(whole.carried(size)):
        yield Seen(what, O.SILENT, "the far side takes no more frames")
        return
    came = [front.come_any()[1]]
    while (rest := sum(len(each.data) - whole.payload for each in came)) < len(whole.data) - whole.payload:
        if came[-1].failed or not came[-1].data:
            yield Seen(what, O.WRONG_DATA, f"{rest} bytes of payload less come")
            return
        came.append(front.come_any()[1])
    wrong = [each for each in (_misled(one, whole, size, blank) for one in came) if each]
    if wrong:
        yield Seen(what, O.MISLED, wrong[0])
        return
    if len(came) == 1 and came[0].extras:
        yield Seen(what, O.OKAY if came[0].data == whole.blanked() else O.WRONG_DATA)
        return
    found = [_whole(one, whole) for one in came]
    if size:
        bad = same_segments(found, whole, size)
        yield Seen(what, O.WRONG_DATA if bad else O.CUT, bad)
    else:
        yield Seen(what, O.OKAY if found == [whole.data] else O.WRONG_DATA)


def _misled(came: Came, whole: Packet, size: int, blank: bool) -> str:
    # Tells what is said of a frame that is not so.
    flags = RxFlag(came.flags)
    cut = [EXTRA_GSO.struct.unpack(each)[2:4] for each in came.extras if each[0] == ExtraType.GSO]
    if not flags & RxFlag.CSUM_BLANK:
        wrong = unsound(came.data, whole)
        return "it is to be cut, and its checksum is not blank" if cut else wrong and f"it is not blank, and {wrong}"
    if not blank:
        return "a blank checksum, which it does not take"
    if not flags & RxFlag.DATA_VALIDATED:
        return "a blank checksum that is not valid"
    return "" if cut in ([], [(size, whole.gso)]) else f"it is to be cut into {cut[0][0]} bytes, type {cut[0][1]}"


def _whole(came: Came, whole: Packet) -> bytes:
    return finished(Carried(came.data, whole.blank)) if came.flags & RxFlag.CSUM_BLANK else came.data


@CASES.case(
    "NB25",
    "frontends that take one slot, or nothing that is to be cut",
    O.OKAY,
    O.CUT,
    clause=Clause(
        "netif.h",
        "Neither frontends nor backends are assumed to be capable unless the flags are present.",
        source="Linux drivers/net/xen-netback/interface.c, xenvif_fix_features",
    ),
    why="A small frontend (a boot loader's, a unikernel's) has one page for a frame, and takes the rest for another "
    "one.",
)
def nb25(rig: VifFrontRig) -> Sights:
    """Lets large frames of TCP come in for frontends without sg and without either way of cutting; what comes is right
    segments, each in one slot where that is all that it takes; what is longer and cannot be cut does not come.
    """
    nothing = {"feature-gso-tcpv4": 0, "feature-gso-tcpv6": 0}
    for what, takes, slots in (("nothing to be cut", nothing, 18), ("one slot", {"feature-sg": 0, **nothing}, 1)):
        with rig.joined(takes=takes) as front:
            rig.needs(front, "feature-gso-tcpv4")
            for version in (4, 6):
                whole = packet(version, TCP, rig.chance.randbytes(6000), to_guest=True)
                front.post(40)
                front.served.far.send(whole.carried(1400))
                came: list[Came] = []
                while sum(len(one.data) - whole.payload for one in came) < 6000:
                    came.append(front.come_any()[1])
                    if came[-1].extras or came[-1].slots > slots:
                        raise Noticed(O.STRAYED, f"{came[-1].slots} slots, {len(came[-1].extras)} extras", what)
                wrong = same_segments([_whole(one, whole) for one in came], whole, 1400)
                yield Seen(f"{what}, IPv{version}", O.WRONG_DATA if wrong else O.CUT, wrong)
            if slots == 1:
                long = Carried(plain(rig.chance.randbytes(9000), to=GUEST, source=FAR))
                came_in = passes(front, long)
                yield Seen("9000 bytes, for one slot", O.STRAYED if came_in else O.OKAY)
            yield front.proves()
