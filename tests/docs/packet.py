"""What docs/packet.md shows of slots and flags, as the drivers write and read them; ``python -m tests.docs.packet``
puts it there.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from pvdrivers.abi.netif import (
    EXTRA,
    EXTRA_GSO,
    RX_RESPONSE,
    TX_REQUEST,
    TX_RESPONSE,
    ExtraType,
    GsoType,
    NetifRsp,
    RxFlag,
    TxFlag,
)
from pvdrivers.abi.virtio_net import HDR, HdrFlag, HdrGso
from pvdrivers.net import virtio
from pvdrivers.net.errors import Unfit
from pvdrivers.net.finish import blanked
from pvdrivers.net.fit import fit
from pvdrivers.net.frame import PLAIN, Abilities, Checksum, Frame, Offload
from pvdrivers.net.headers import parse
from pvdrivers.net.nodes import Takes
from pvdrivers.net.packet import rx_back, tx_back, tx_front
from pvdrivers.net.packet.offload import RX, TX, extras_of, flags_of, read_offload
from pvdrivers.net.packet.slots import Place, Slot, pages
from pvdrivers.net.ports.base import ALL

PAGE = Path(__file__).parents[2] / "docs/packet.md"
MSS = 1448
_ETHER = Ether(dst="00:16:3e:00:00:01", src="00:16:3e:00:00:02")
_IP = {4: IP(src="192.0.2.1", dst="192.0.2.2"), 6: IPv6(src="2001:db8::1", dst="2001:db8::2")}
_GSO = {4: GsoType.TCPV4, 6: GsoType.TCPV6}
#: To people, and to Xen's header.
_SAID = {Checksum.UNSAID: "nothing", Checksum.VALIDATED: "it is right", Checksum.BLANK: "it is blank"}
_NAMES = {TxFlag: "XEN_NETTXF_", RxFlag: "XEN_NETRXF_"}


def _tcp(version: int, payload: int, *tags: Packet) -> Packet:
    packet = _ETHER
    for tag in tags:
        packet = packet / tag
    return packet / _IP[version] / TCP(sport=40000, dport=80) / Raw(bytes(payload))


def _blank(packet: Packet) -> bytes:
    data = bytes(packet)
    headers = parse(data)
    assert headers
    assert headers.transport
    return bytes(blanked(data, headers, headers.transport))


def _flags(flags: int, kind: type[TxFlag] | type[RxFlag]) -> str:
    return ", ".join(f"`{flag.name.lower()}`" for flag in kind if flags & flag and flag.name) or "none"


def _gso(offload: Offload) -> str:
    return f"GSO {offload.gso.name}, size {offload.gso_size}" if offload.gso else ""


def _header(header: bytes) -> str:
    flags, kind, length, size, start, offset = HDR.struct.unpack(header)
    said = [flag.name for flag in HdrFlag if flags & flag]
    if flags & HdrFlag.NEEDS_CSUM:
        said.append(f"csum_start {start}, csum_offset {offset}")
    if kind:
        said.append(f"gso_type {HdrGso(kind).name}, gso_size {size}, hdr_len {length}")
    return "; ".join(map(str, said)) or "all 0"


def _table(*rows: Sequence[str]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body]) + "\n"


def bits() -> str:
    """Tell the flags' values, which are not the same on both rings."""
    names = [each.name for each in TxFlag if each.name]
    rows = [(f"`{name.lower()}`", *(str(int(kind[name])) for kind in (TxFlag, RxFlag))) for name in names]
    return _table(("", "guest's request (`XEN_NETTXF_`)", "backend's response (`XEN_NETRXF_`)"), *rows)


def sent() -> str:
    """Tell what becomes of what a guest says, on its way to a TAP."""
    both = TX.blank | TX.validated
    rows = []
    for flags, version, large in (
        (0, 4, False),
        (TX.validated, 4, False),
        (TX.blank, 4, False),
        (both, 4, False),
        (both, 6, False),
        (both, 4, True),
        (both, 6, True),
        (0, 4, True),
    ):
        extras = extras_of(Offload(Checksum.BLANK, _GSO[version], MSS), None) if large else []
        offload = read_offload(TX, flags, {ExtraType.GSO: extras[0]} if extras else {})
        (frame,) = _fitted(Frame(_blank(_tcp(version, 3000 if large else 100)), offload), ALL)
        header = virtio.header(frame)
        assert isinstance(header, bytes)
        rows.append(
            (f"TCP, IPv{version}", _flags(flags, TxFlag), _gso(offload), _SAID[offload.checksum], _header(header))
        )
    return _table(
        ("frame", "flags of its first slot", "extra", "of its checksum", "`virtio_net_hdr` that is written"), *rows
    )


def received() -> str:
    """Tell what becomes of what a TAP says, on its way to a guest that takes all."""
    rows = []
    for what, data, header in _readable():
        frame = virtio.read(header, data)
        assert isinstance(frame, Frame)
        (told,) = _fitted(frame, ALL)
        assert told.offload.checksum is not Checksum.UNSAID or told.offload == PLAIN
        flags = flags_of(RX, told.offload)
        done = "yes" if told.data != data else ""
        rows.append((what, _header(header), _flags(flags, RxFlag), _gso(told.offload), done))
    return _table(("frame", "`virtio_net_hdr` that is read", "flags", "extra", "finished here"), *rows)


def _readable() -> Iterator[tuple[str, bytes, bytes]]:
    def packed(flags: int, kind: int = 0, size: int = 0, start: int = 0) -> bytes:
        return HDR.struct.pack(flags, kind, 54 if kind else 0, size, start, 16 if start else 0)

    blank, valid = HdrFlag.NEEDS_CSUM, HdrFlag.DATA_VALID
    whole, large = bytes(_tcp(4, 100)), _blank(_tcp(4, 3000))
    yield "TCP, IPv4", whole, packed(0)
    yield "TCP, IPv4", whole, packed(valid)
    yield "TCP, IPv4", _blank(_tcp(4, 100)), packed(blank, start=34)
    yield "TCP, IPv6", _blank(_tcp(6, 100)), packed(blank, start=54)
    yield "TCP, IPv4", large, packed(blank, HdrGso.TCPV4, MSS, 34)
    yield "TCP, IPv4", large, packed(valid, HdrGso.TCPV4, MSS)
    yield "TCP, IPv4, VLAN", _blank(_tcp(4, 100, Dot1Q(vlan=5))), packed(blank, start=38)
    yield "ICMP, IPv4", bytes(_ETHER / _IP[4] / ICMP()), packed(0)


def _fitted(frame: Frame, receiver: Abilities) -> Sequence[Frame]:
    fitted = fit(frame, receiver)
    assert not isinstance(fitted, Unfit)
    return fitted


def untold() -> str:
    """Tell what a guest gets that cannot be told all."""
    rows = []
    for lacks, able, version, large in (
        ("`feature-no-csum-offload` = 1", ALL._replace(checksum_v4=False), 4, False),
        ("no `feature-ipv6-csum-offload`", ALL._replace(checksum_v6=False), 6, False),
        ("neither that nor `feature-gso-tcpv6`", ALL._replace(gso_v6=False, checksum_v6=False), 6, True),
        ("no `feature-gso-tcpv4`", ALL._replace(gso_v4=False), 4, True),
        ("no `feature-sg`", Takes(gso_v4=False, checksum_v6=True).abilities(), 4, True),
    ):
        offload = Offload(Checksum.BLANK, _GSO[version] if large else GsoType.NONE, MSS if large else 0)
        frames = _fitted(Frame(_blank(_tcp(version, 3000 if large else 100)), offload), able)
        (flags,) = {flags_of(RX, frame.offload) for frame in frames}
        frame = f"TCP, IPv{version}, " + (f"3000 bytes to be cut by {MSS}" if large else "blank")
        count = "one" if len(frames) == 1 else f"{len(frames)} segments"
        rows.append((lacks, frame, count, _flags(flags, RxFlag)))
    return _table(("the guest has", "a frame for it", "it gets", "with the flags"), *rows)


def _words(flags: int, kind: type[TxFlag] | type[RxFlag]) -> str:
    return " ".join(flag.name.lower() for flag in kind if flags & flag and flag.name)


def _places(count: int, first: int) -> list[Place]:
    return [(first + at, 800 + first + at) for at in range(count)]


def _tx(offload: Offload, lengths: Sequence[int]) -> str:
    places = _places(len(lengths), 0)
    slots = [Slot(ident, gref, 0, length) for (ident, gref), length in zip(places, lengths, strict=True)]
    messages = tx_front.requests(slots, offload)
    (packet,) = tx_back.parse(messages).packets
    answers = [
        "NULL" if status == NetifRsp.NULL else f"id {ident} {NetifRsp(status).name}"
        for ident, status in TX_RESPONSE.struct.iter_unpack(tx_back.respond(packet, [0] * len(packet.pieces)))
    ]
    lines = [f"{'slot':<6}{'request':<42}{'flags':<50}response"]
    extras = packet.extras
    for at, answer in enumerate(answers):
        message = messages[at * TX_REQUEST.size :][: TX_REQUEST.size]
        if 1 <= at <= extras:
            lines.append(f"{at:<6}{_extra(message):<92}{answer}")
            continue
        gref, _, flags, ident, size = TX_REQUEST.struct.unpack(message)
        own = packet.pieces[0].length if at == 0 else size
        said = f"id {ident}  gref {gref}  size {size}"
        said += f" (own {own})" if own != size else ""
        lines.append(f"{at:<6}{said:<42}{_words(flags, TxFlag):<50}{answer}")
    return "\n".join(line.rstrip() for line in lines)


def _extra(message: bytes) -> str:
    kind, _, _ = EXTRA.struct.unpack(message[: EXTRA.size])
    assert kind == ExtraType.GSO
    _, _, size, gso, _, _ = EXTRA_GSO.struct.unpack(message[: EXTRA_GSO.size])
    return f"extra GSO: type {GsoType(gso).name}, size {size}"


def _rx(frame: Frame) -> str:
    places = _places(rx_back.needed(frame), 40)
    laid = rx_back.lay(frame, places)
    responses = rx_back.respond(laid, [0] * len(laid.pieces))
    lines = [f"{'slot':<6}{'request':<20}response"]
    for at, (ident, gref) in enumerate(places):
        message = responses[at * RX_RESPONSE.size :][: RX_RESPONSE.size]
        if 1 <= at <= laid.extras:
            said = f"{_extra(message)} (page unused)"
        else:
            answered, _, flags, status = RX_RESPONSE.struct.unpack(message)
            said = f"id {answered}  status {status}  {_words(flags, RxFlag)}"
        lines.append(f"{at:<6}{f'id {ident}  gref {gref}':<20}{said}")
    return "\n".join(line.rstrip() for line in lines)


def _figure(text: str) -> str:
    return f"```text\n{text}\n```\n"


def parts() -> dict[str, str]:
    """Give all that stands there so, by name."""
    size = 66 + 6000
    large = Frame(_blank(_tcp(4, 6000)), Offload(Checksum.BLANK, GsoType.TCPV4, MSS))
    assert pages(len(large.data)) == 2
    return {
        "tx-plain": _figure(_tx(Offload(Checksum.BLANK), [98])),
        "tx-fragments": _figure(_tx(Offload(Checksum.BLANK), [66, 4096, 438])),
        "tx-gso": _figure(_tx(large.offload, [66, 4096, size - 66 - 4096])),
        "rx-plain": _figure(_rx(Frame(bytes(98), Offload(Checksum.VALIDATED)))),
        "rx-gso": _figure(_rx(large)),
        "bits": bits(),
        "sent": sent(),
        "received": received(),
        "untold": untold(),
    }


def written(page: str) -> str:
    """Give a page with all of it where its names are."""
    for name, text in parts().items():
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->\n")
        if not (begin and end):
            raise ValueError(f"no place for {name}")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
