"""Messages of the rings as a peer of any kind writes them: nothing is checked, and every figure may be wrong."""

from pvdrivers.abi.netif import (
    EXTRA,
    EXTRA_GSO,
    EXTRA_HASH,
    EXTRA_MCAST,
    EXTRA_XDP,
    RX_RESPONSE,
    TX_REQUEST,
    TX_RESPONSE,
    ExtraFlag,
    ExtraType,
    GsoType,
    HashAlgorithm,
)


def sent(ident: int, flags: int = 0, size: int = 100, offset: int = 0, gref: int | None = None) -> bytes:
    """Form a TX request, its page that of its id."""
    return TX_REQUEST.struct.pack(100 + ident if gref is None else gref, offset, flags, ident, size)


def extra(kind: int, *, more: bool = False) -> bytes:
    """Form an extra that says nothing but its type; of eight bytes, as on the RX ring."""
    return EXTRA.struct.pack(kind, ExtraFlag.MORE if more else 0, bytes(6))


def gso(size: int = 1448, kind: int = GsoType.TCPV4, *, more: bool = False) -> bytes:
    return EXTRA_GSO.struct.pack(ExtraType.GSO, more, size, kind, 0, 0)


def multicast(kind: ExtraType, address: bytes, *, more: bool = False) -> bytes:
    return EXTRA_MCAST.struct.pack(kind, more, address)


def hashed(bit: int, value: int, algorithm: int = HashAlgorithm.TOEPLITZ, *, more: bool = False) -> bytes:
    return EXTRA_HASH.struct.pack(ExtraType.HASH, more, bit, algorithm, value.to_bytes(4, "little"))


def xdp(headroom: int, *, more: bool = False) -> bytes:
    return EXTRA_XDP.struct.pack(ExtraType.XDP, more, headroom)


def wide(*extras: bytes) -> bytes:
    """Give extras as they stand on the TX ring, with what the frontend left behind them."""
    return b"".join(each + b"\xaa" * (TX_REQUEST.size - len(each)) for each in extras)


def received(status: int, flags: int = 0, offset: int = 0, ident: int = 0) -> bytes:
    """Form an RX response."""
    return RX_RESPONSE.struct.pack(ident, offset, flags, status)


def answers(responses: bytes) -> list[tuple[int, int]]:
    """Give ids and statuses of TX responses."""
    return [(ident, status) for ident, status in TX_RESPONSE.struct.iter_unpack(responses)]
