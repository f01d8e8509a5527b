"""What a vif's frontend does with backends that behave: few features or many, packets in few slots or many."""

from pvdrivers.abi.netif import NR_SLOTS_MIN, RxFlag
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.abi.xenbus import XenbusState as S
from pvdrivers.bus.device import Nodes
from pvdrivers.conformance.case import Clause, Group
from pvdrivers.conformance.cases.words import O
from pvdrivers.conformance.net.back import VifBack
from pvdrivers.conformance.net.back_rig import VifBackRig
from pvdrivers.conformance.net.back_slots import FEATURES, all_features
from pvdrivers.conformance.net.filling import Part
from pvdrivers.conformance.net.frames import FAR, GUEST, Carried, packet, plain
from pvdrivers.conformance.net.messages import gso
from pvdrivers.conformance.observation import Inconclusive, Noticed, Seen, Sights
from pvdrivers.xenbus import Role

CASES = Group(Role.FRONT, "net")
#: Bytes of payload that fit a wire of the usual MTU, by IPv6 too.
_MSS = 1400
#: As many responses to one packet may be headers alone: Linux takes one slot more then.
_HEADERS = 256


def _used(back: VifBack, what: str) -> Sights:
    # Short and long, plain and to be finished or cut.
    for version in (4, 6):
        udp = packet(version, IpProtocol.UDP, back.chance.randbytes(300))
        tcp = packet(version, IpProtocol.TCP, back.chance.randbytes(4 * _MSS + 7))
        for name, frame, whole in (
            (f"UDP over IPv{version}", Carried(udp.data), None),
            (f"UDP over IPv{version}, blank", udp.carried(), None),
            (f"TCP over IPv{version}, to be cut", tcp.carried(_MSS), tcp),
        ):
            yield back.sent(f"{what}: {name}", frame, whole)
        if (
            back.peer.flag("feature-ipv6-csum-offload")
            if version == 6
            else not back.peer.flag("feature-no-csum-offload")
        ):
            udp = packet(version, IpProtocol.UDP, back.chance.randbytes(300), to_guest=True)
            yield back.received(f"{what}: UDP over IPv{version} that comes, blank", udp.carried())
    for size in (46, 1500):
        data = plain(back.chance.randbytes(size))
        yield back.sent(f"{what}: a frame of {len(data)} bytes", Carried(data))
        data = plain(back.chance.randbytes(size), to=GUEST, source=FAR)
        yield back.received(f"{what}: a frame of {len(data)} bytes that comes", Carried(data))


@CASES.case(
    "NF01",
    "a backend without anything that is optional",
    O.OKAY,
    O.CUT,
    clause=Clause(
        "netif.h",
        "Neither frontends nor backends are assumed to be capable unless the flags are present.",
        source="Linux drivers/net/xen-netfront.c, xennet_fix_features",
    ),
    why="Small backends offer to copy, and no more: what a guest sends them in several slots, or uncut, is lost.",
)
def nf01(rig: VifBackRig) -> Sights:
    """Offers to copy, and nothing else; has frames go both ways, those that are to be cut or finished among them, and
    more than a ring has slots.
    """
    with rig.joined() as back:
        yield from _used(back, "plain")
        for _ in range(min(rig.level.rounds, 600)):
            if (seen := back.proves()).observation is not O.OKAY:
                yield seen
        yield from _used(back, "again")


@CASES.case(
    "NF02",
    "a backend that does not offer to copy",
    O.REFUSED,
    O.WAITS,
    O.SERVED,
    clause=Clause(
        "netif.h",
        must=False,
        source='Linux drivers/net/xen-netfront.c, xennet_connect: "backend does not support copying receive path"',
    ),
    why="Pages that are given away are gone: a frontend that posts them all the same has none soon.",
)
def nf02(rig: VifBackRig) -> Sights:
    """Offers not to copy, says nothing of it, or what is no number."""
    for what, value in (("feature-rx-copy 0", 0), ("no feature-rx-copy", None), ("no number", "yes")):
        with rig.plugged() as back:
            state = back.offer({"feature-rx-copy": value}, rig.level.silence)
            if state in {S.INITIALISED, S.CONNECTED}:
                yield Seen(what, O.SERVED)
            elif state in {S.CLOSING, S.CLOSED} or back.complaint():
                yield Seen(what, O.REFUSED, back.complaint())
            else:
                yield Seen(what, O.WAITS, f"it stays in state {state.name}")


_OFFERS: dict[str, Nodes] = {
    "slots": {"feature-sg": 1},
    "cutting of IPv4": {"feature-sg": 1, "feature-gso-tcpv4": 1},
    "cutting of IPv6": {"feature-sg": 1, "feature-gso-tcpv6": 1, "feature-ipv6-csum-offload": 1},
    "cutting of IPv6, and finished checksums": {"feature-sg": 1, "feature-gso-tcpv6": 1},
    "blank checksums of IPv6": {"feature-ipv6-csum-offload": 1},
    "two channels": {"feature-split-event-channels": 1},
    "a list of addresses": {"feature-multicast-control": 1, "feature-dynamic-multicast-control": 1},
    "a ring for control": {"feature-ctrl-ring": 1},
    "headroom": {"feature-xdp-headroom": 1},
    "1 queue": {"multi-queue-max-queues": 1},
    "8 queues": {"multi-queue-max-queues": 8},
    "2^32 - 1 queues": {"multi-queue-max-queues": 2**32 - 1},
    "0 queues": {"multi-queue-max-queues": 0},
    "all": all_features(8),
    "no blank checksums": {"feature-no-csum-offload": 1},
}


@CASES.case(
    "NF03",
    "each feature alone, and all of them; queues that nobody could want",
    O.OKAY,
    O.CUT,
    O.REFUSED,
    clause=Clause(
        "netif.h",
        "which must be greater than zero, and no more than the value reported by the backend",
        source="Linux drivers/net/xen-netfront.c, talk_to_netback: the smaller of both; xennet_create_queues: none is "
        "-EINVAL",
    ),
    why="What a frontend sends and its backend did not offer is dropped, or ends the vif; and what a backend offers "
    "is a number that a hostile one chooses.",
)
def nf03(rig: VifBackRig) -> Sights:
    """Offers one thing at a time, then all at once; each packet is held to what was offered."""
    for what, nodes in _OFFERS.items():
        try:
            with rig.joined(nodes, queues=64) as back:
                yield from _held_to(back, what)
        except Inconclusive as reason:
            # Who is offered no queue at all need not have one.
            if nodes.get("multi-queue-max-queues") != 0:
                raise
            yield Seen(what, O.REFUSED, str(reason))


def _held_to(back: VifBack, what: str) -> Sights:
    try:
        yield from _used(back, what)
    except Noticed as noticed:
        # Of this offer alone, unless it is that nothing comes any more.
        if noticed.seen.observation is O.SILENT:
            raise
        yield noticed.seen._replace(what=what)


@CASES.case(
    "NF04",
    "packets of 1 to 18 slots, and 19 of which the first has headers alone; anywhere in their pages",
    O.OKAY,
    O.DROPPED,
    clause=Clause(
        "netif.h",
        "packet the size of the packet can only be determined by summing the sizes of fragments 1..N.",
        source="Linux drivers/net/xen-netfront.c, xennet_get_responses; CVE-2024-27393: pages that were not given back",
    ),
    why="A page that does not come back after a long packet is missed after some hundred of them: nothing is "
    "received any more.",
    seeded=True,
)
def nf04(rig: VifBackRig) -> Sights:
    """Passes packets on in as many slots as there may be, from page to page at other offsets, as often as the level
    says; its user must get all of those of 18 slots and less.
    """
    with rig.joined(FEATURES) as back:
        back.takes("feature-sg")
        for number in range(rig.level.rounds):
            slots = number % NR_SLOTS_MIN + 1
            seen = _in_slots(back, slots)
            if seen.observation is not O.OKAY:
                # 18 slots are what each end has to take.
                yield seen._replace(observation=O.LOST) if seen.observation is O.DROPPED else seen
        yield Seen(f"1 to {NR_SLOTS_MIN} slots", O.OKAY)
        for _ in range(20):
            yield _in_slots(back, NR_SLOTS_MIN + 1)


def _in_slots(back: VifBack, slots: int) -> Seen:
    chance = back.chance
    sizes = [chance.randint(60, _HEADERS), *(chance.randint(1, 200) for _ in range(slots - 1))]
    # One of them is as long as most of a page: all of them would be for nothing but the time that they take.
    sizes[-1] = max(sizes[-1], chance.randint(1, 3500)) if slots > 1 else sizes[0]
    data = plain(chance.randbytes(sum(sizes) - 14), to=GUEST, source=FAR)
    parts, place = [], 0
    for size in sizes:
        parts.append(Part(data[place : place + size], chance.randint(0, PAGE_SIZE - size)))
        place += size
    back.give(back.fill(parts))
    return back.behind(f"{slots} slots", data)


@CASES.case(
    "NF08",
    "packets to be cut, with the flags for that and without",
    O.OKAY,
    O.CUT,
    O.DROPPED,
    clause=Clause(
        "netif.h",
        "Protocol checksum field is blank in the packet (hardware offload)?",
        must=False,
        source="Linux drivers/net/xen-netfront.c, checksum_setup: a packet to be cut whose checksum is not said to be "
        "blank is mended, and counted (rx_gso_checksum_fixup)",
    ),
    why="A guest that takes such a packet for finished tells its user of wrong checksums, and is slow by a hundred.",
)
def nf08(rig: VifBackRig) -> Sights:
    """Passes on packets of TCP that are to be cut, with `csum_blank`, `data_validated`, both and none of them."""
    with rig.joined(FEATURES) as back:
        for version in (4, 6):
            back.takes(f"feature-gso-tcpv{version}")
            whole = packet(version, IpProtocol.TCP, back.chance.randbytes(3 * _MSS + 1), to_guest=True)
            frame = whole.carried(_MSS)
            for flags in (RxFlag.CSUM_BLANK | RxFlag.DATA_VALIDATED, RxFlag.CSUM_BLANK, RxFlag.DATA_VALIDATED, 0):
                what = f"IPv{version}, flags {int(flags)}"
                back.give(
                    back.fill(
                        [Part(frame.data[:1000]), Part(frame.data[1000:])], flags=flags, extras=[gso(_MSS, frame.gso)]
                    )
                )
                seen = back.came(what, frame, whole)
                yield seen
                if seen.observation is O.DISABLED:
                    return
