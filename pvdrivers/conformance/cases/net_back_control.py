"""What a frontend asks for of the frames that it gets: multicast addresses, hashes, queues."""

from collections.abc import Iterator
from struct import pack

from pvdrivers.abi.netif import (
    EXTRA_HASH,
    CtrlStatus,
    CtrlType,
    ExtraType,
    HashAlgorithm,
    HashType,
    NetifRsp,
    TxFlag,
)
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.conformance import waits
from pvdrivers.conformance.case import Clause, Group, Risk
from pvdrivers.conformance.cases.calm import calmed
from pvdrivers.conformance.cases.net_trying import NOBODYS, passes
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.frames import BROADCAST, FAR, Carried, packet, plain
from pvdrivers.conformance.net.front import Slots, VifFront
from pvdrivers.conformance.net.front_rig import VifFrontRig
from pvdrivers.conformance.net.messages import multicast
from pvdrivers.conformance.net.toeplitz import KEY, hash_of
from pvdrivers.conformance.observation import Noticed, Seen, Sights
from pvdrivers.conformance.raw import REQ_PROD, RSP_PROD
from pvdrivers.xenbus import Role

CASES = Group(Role.BACK, "net")
_MASK = 0xFFFFFFFF
_GROUP = bytes.fromhex("333300000f01")
#: Addresses that a list of Linux's backend has at most.
_LISTED = 64
#: Entries of the mapping that is asked for; any backend that maps has so many.
_ENTRIES = 16


@CASES.case(
    "NB20",
    "a control ring with a producer index that cannot be",
    O.DISABLED,
    O.BOUNDED,
    needs=("feature-ctrl-ring",),
    clause=Clause(
        "ring.h",
        "Ill-behaved frontend determination: Can there be this many requests?",
    ),
    why="The ring that nobody looks at is the one that keeps a processor busy for ever.",
    risk=Risk.MAY_CRASH,
)
def nb20(rig: VifFrontRig) -> Sights:
    """Sets ``req_prod`` of the control ring one further ahead than there are slots; nothing there may be answered, the
    driver has to come to rest, and frames go on.
    """
    rig.offers("feature-ctrl-ring")
    with rig.joined(control=True) as front:
        assert front.control  # noqa: S101 - it was asked for
        words, line = front.control.ring.words, front.control
        ahead, answered = line.ring.size + 1, words[RSP_PROD]
        what = f"{ahead} ahead"
        words[REQ_PROD] = line.ring.prod + ahead & _MASK
        line.channel.notify()

        def noticed() -> bool:
            return front.given_up or words[RSP_PROD] != answered

        waits.until(front.store, [f"{front.peer.path}/state"], noticed, rig.level.silence)
        moved = words[RSP_PROD] - answered & _MASK
        yield Seen(what, O.STRAYED if moved else O.DISABLED, f"{moved} answers" if moved else "")
        yield calmed(what, front.proves(), front.store, rig.bench, rig.level)


@CASES.case(
    "NB28",
    "multicast for some addresses alone",
    O.OKAY,
    O.ERROR,
    O.FOLLOWED,
    O.IGNORED,
    needs=("feature-multicast-control",),
    clause=Clause(
        "netif.h",
        'If the sampled value of "request-multicast-control" is set then the backend transmit side should no longer '
        "flood multicast packets to the frontend, it should instead drop any multicast packet that does not match in "
        "a filter list.",
        source="Linux drivers/net/xen-netback/interface.c, xenvif_mcast_add: 64 addresses",
    ),
    why="Without neighbour solicitations a guest has no IPv6; with all that there is, a guest is woken for others' "
    "streams.",
)
def nb28(rig: VifFrontRig) -> Sights:
    """Asks for listed groups alone, adds and removes one, adds more than anybody lists, and asks for all again; looks
    at what comes each time, broadcast among it.
    """
    rig.offers("feature-multicast-control")
    with rig.joined(takes={"request-multicast-control": 1}) as front:
        frame = Carried(plain(bytes(60), to=_GROUP, source=FAR))
        for what, change, wanted in (
            ("a group that is not listed", None, False),
            ("one that is", True, True),
            ("one that is no more", False, False),
        ):
            if change is not None:
                yield _listed(front, what, _GROUP, add=change)
            yield _right(what, came=passes(front, frame), wanted=wanted)
        broadcast = Carried(plain(bytes(60), to=BROADCAST, source=FAR))
        yield _right("broadcast", came=passes(front, broadcast), wanted=True)
        yield _listed(front, "removing what is not listed", _GROUP, add=False)
        for number in range(_LISTED + 6):
            seen = _listed(front, f"address {number}", b"\x33\x33\0\0\x0e" + bytes([number]), add=True)
            if seen.observation not in {O.OKAY, O.ERROR} or (seen.observation is O.ERROR and number < _LISTED):
                yield seen._replace(observation=O.LOST)
        yield front.proves()
        if front.offered("feature-dynamic-multicast-control"):
            front.write({"request-multicast-control": 0})
            followed = front.follows(front.here, lambda: passes(front, frame))
            yield Seen("all again", O.FOLLOWED if followed else O.IGNORED)


def _right(what: str, *, came: bool, wanted: bool) -> Seen:
    return Seen(what, O.OKAY if came == wanted else O.STRAYED if came else O.LOST)


def _listed(front: VifFront, what: str, address: bytes, *, add: bool) -> Seen:
    slots = front.slot(NOBODYS, 0, flags=TxFlag.EXTRA_INFO)
    asked = Slots([*slots.messages, multicast(address, add=add)], slots.idents)
    statuses = [answer.status for answer in front.send(asked) if answer.status != NetifRsp.NULL]
    return Seen(what, O.OKAY if statuses == [NetifRsp.OKAY] else O.ERROR, f"status {statuses}")


@CASES.case(
    "NB29",
    "hashes: keys, mappings, queues, and what is refused",
    O.OKAY,
    O.ERROR,
    O.EOPNOTSUPP,
    needs=("feature-ctrl-ring",),
    clause=Clause(
        "netif.h",
        "The backend should calculate the hash from the packet header, use it as an index into the table (modulo the "
        "size of the table) and then steer the packet to the queue number found at that index.",
        source="Linux drivers/net/xen-netback/hash.c, which has INVALID_PARAMETER where the header has "
        "BUFFER_OVERFLOW; XSA-270: a mapping that wraps",
    ),
    why="Frames of one connection on two queues are out of order; an entry that is no queue is memory behind them.",
    xsa=(270,),
    risk=Risk.MAY_CRASH,
)
def nb29(rig: VifFrontRig) -> Sights:
    """Asks for what has to be refused (types, keys, sizes, mappings that are none, and of a page that nobody granted),
    then for a hash of TCP over both IPs and for a mapping; frames come on the queue that the hash chooses, with the
    hash.
    """
    rig.offers("feature-ctrl-ring")
    with rig.plugged() as front:
        front.begin()
        queues = min(front.offered("multi-queue-max-queues", 1), 4)
    with rig.joined(queues=queues, control=True) as front:
        seen = _asked(front, "TOEPLITZ", CtrlType.SET_HASH_ALGORITHM, HashAlgorithm.TOEPLITZ)
        yield seen
        if seen.observation is not O.OKAY:
            return
        for what, kind, data, content in _refused(queues):
            seen = _asked(front, what, kind, *data, content=content)
            yield seen._replace(observation=O.STRAYED) if seen.observation is O.OKAY else seen
        # How long one may be is the backend's matter.
        yield _asked(front, "a key of 41 bytes", CtrlType.SET_HASH_KEY, 41, 0, content=bytes(41))
        mapping = [rig.chance.randrange(queues) for _ in range(_ENTRIES)]
        types = HashType.IPV4_TCP | HashType.IPV6_TCP
        for what, kind, data, content in (
            ("a key", CtrlType.SET_HASH_KEY, (len(KEY), 0), KEY),
            ("a mapping's size", CtrlType.SET_HASH_MAPPING_SIZE, (_ENTRIES,), b""),
            ("a mapping", CtrlType.SET_HASH_MAPPING, (_ENTRIES, 0), pack(f"<{_ENTRIES}I", *mapping)),
            ("types", CtrlType.SET_HASH_FLAGS, (types,), b""),
        ):
            seen = _asked(front, what, kind, *data, content=content)
            yield seen
            if seen.observation is not O.OKAY:
                return
        for what, data, content in _refused_parts(queues, mapping[0]):
            seen = _asked(front, what, CtrlType.SET_HASH_MAPPING, *data, content=content)
            yield seen._replace(observation=O.STRAYED) if seen.observation is O.OKAY else seen
        for version in (4, 6):
            for _ in range(12):
                yield _steered(front, version, mapping)


def _refused(queues: int) -> Iterator[tuple[str, CtrlType, tuple[int, ...], bytes]]:
    one = pack("<I", 0)
    yield "an algorithm that there is not", CtrlType.SET_HASH_ALGORITHM, (5,), b""
    yield "types that there are not", CtrlType.SET_HASH_FLAGS, (0xFFFF,), b""
    yield "a key of 4097 bytes", CtrlType.SET_HASH_KEY, (4097, 0), bytes(41)
    yield "a key in a page that nobody granted", CtrlType.SET_HASH_KEY, (NOBODYS, 40, 0), b""
    yield "a mapping before its size", CtrlType.SET_HASH_MAPPING, (1, 0), one
    yield "a mapping of 2^31 entries", CtrlType.SET_HASH_MAPPING_SIZE, (2**31,), b""
    yield "a queue that there is not", CtrlType.SET_HASH_MAPPING, (1, 0), pack("<I", queues)


def _refused_parts(queues: int, first: int) -> Iterator[tuple[str, tuple[int, ...], bytes]]:
    # Of a mapping that there is; nothing of one that is refused may hold, not even the first of its entries.
    other = pack("<I", (first + 1) % queues)
    yield "a part of a mapping beyond it", (2, _ENTRIES), other * 2
    yield "a part of a mapping that wraps", (2, _MASK), other * 2
    yield "2^30 entries, which wrap as bytes", (2**30, 0), other
    yield "a queue that there is not, behind one that there is", (2, 0), other + pack("<I", queues)


def _asked(front: VifFront, what: str, kind: CtrlType, *data: int, content: bytes = b"") -> Seen:
    assert front.control  # noqa: S101 - it was asked for
    seconds = front.level.deadline
    if content:
        answer = front.control.ask_page(kind, content, *data, seconds=seconds)
    else:
        answer = front.control.ask(kind, *data, seconds=seconds)
    refused = O.EOPNOTSUPP if answer.status == CtrlStatus.NOT_SUPPORTED else O.ERROR
    return Seen(what, refused if answer.status else O.OKAY, f"status {answer.status}")


def _steered(front: VifFront, version: int, mapping: list[int]) -> Seen:
    ports = front.chance.randrange(1, 0x10000), front.chance.randrange(1, 0x10000)
    whole = packet(version, IpProtocol.TCP, bytes(40), to_guest=True, ports=ports)
    value = hash_of(whole)
    queue, what = mapping[value % len(mapping)], f"TCP over IPv{version}, ports {ports}"
    front.post(2)
    front.served.far.send(Carried(whole.data))
    found, came = front.come_any()
    if came.data != whole.data:
        raise Noticed(O.WRONG_DATA, "another frame comes", what)
    if found != queue:
        return Seen(what, O.STRAYED, f"it comes on queue {found}, not {queue}")
    said = [each for each in came.extras if each[0] == ExtraType.HASH]
    wanted = (HashType.IPV4_TCP if version == 4 else HashType.IPV6_TCP).bit_length() - 1
    hashed = (ExtraType.HASH, wanted, HashAlgorithm.TOEPLITZ, value.to_bytes(4, "little"))
    right = [EXTRA_HASH.struct.unpack(each)[:1] + EXTRA_HASH.struct.unpack(each)[2:] for each in said] in ([], [hashed])
    return Seen(what, O.OKAY if right else O.MISLED, "" if right else f"its hash is said to be {said[0].hex()}")
