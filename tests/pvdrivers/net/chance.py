"""Random frames and messages; ``XENTOOL_FUZZ=1000`` makes so many examples of each, and other ones each time."""

import os
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st

from pvdrivers.abi.netif import (
    MAX_TX_SIZE,
    RX_RESPONSE,
    TX_REQUEST,
    ExtraType,
    GsoType,
    HashType,
    RxFlag,
    TxFlag,
)
from pvdrivers.abi.ring import PAGE_SIZE
from pvdrivers.net.frame import Checksum, FlowHash, Frame, Offload
from pvdrivers.net.packet import tx_back
from pvdrivers.net.packet.slots import Slot
from tests.pvdrivers.net.messages import extra, gso, hashed, multicast, received, sent, wide, xdp

EXAMPLES = int(os.environ.get("XENTOOL_FUZZ", "100"))
#: Slots of a ring.
RING = 256

fuzzed = settings(max_examples=EXAMPLES, deadline=None, derandomize="XENTOOL_FUZZ" not in os.environ)

OFFLOAD = st.one_of(
    st.sampled_from(Checksum).map(Offload),
    st.builds(
        Offload, st.just(Checksum.BLANK), st.sampled_from([GsoType.TCPV4, GsoType.TCPV6]), st.integers(1, 0xFFFF)
    ),
)
FLOW = st.one_of(st.none(), st.builds(FlowHash, st.sampled_from(list(HashType)), st.integers(0, 2**32 - 1)))
SIZE = st.one_of(st.integers(14, 200), st.integers(14, 10_000), st.integers(14, MAX_TX_SIZE))
#: Their bytes tell where they come from.
FRAME = st.builds(lambda size, offload, flow: Frame(text(size), offload, flow), SIZE, OFFLOAD, FLOW)
HEADROOM = st.sampled_from([0, 0, 1, 256, 2578])


def text(size: int) -> bytes:
    """Give bytes of which no two stretches in a packet are the same."""
    return b"".join(at.to_bytes(2, "big") for at in range(size // 2 + 1))[:size]


@st.composite
def spread(draw: st.DrawFn, frame: Frame) -> list[Slot]:
    """Spread a frame over slots, anywhere in pages, nothing in some of them."""
    size = len(frame.data)
    # As few as hold it, and then as many cuts more as may be.
    bounds = {*range(0, size, PAGE_SIZE), size}
    extra_cuts = draw(st.lists(st.integers(0, size), max_size=tx_back.FOLLOWING_MAX - len(bounds) + 1))
    cuts = sorted([*bounds, *extra_cuts])
    lengths = [after - before for before, after in pairwise(cuts)]
    ids = draw(st.lists(st.integers(0, 0xFFFF), min_size=len(lengths), max_size=len(lengths), unique=True))
    return [
        Slot(ident, gref, draw(st.integers(0, PAGE_SIZE - length)), length)
        for gref, (ident, length) in enumerate(zip(ids, lengths, strict=True), 70_000)
    ]


#: Messages that make some sense, so that chance gets deeper than their first byte.
EXTRA = st.one_of(
    st.builds(extra, st.integers(0, 255), more=st.booleans()),
    st.builds(gso, st.integers(0, 3), st.integers(0, 4), more=st.booleans()),
    st.builds(hashed, st.integers(0, 5), st.just(1), st.integers(0, 2), more=st.booleans()),
    st.builds(xdp, st.sampled_from([0, 60, 256, 0xFFFF]), more=st.booleans()),
    st.builds(
        multicast, st.sampled_from([ExtraType.MCAST_ADD, ExtraType.MCAST_DEL]), st.just(b"abcdef"), more=st.booleans()
    ),
)
TX_LENGTH = st.sampled_from([0, 1, 13, 14, 60, 100, 4095, 4096, 5000, 0xFFFF])
TX_FLAGS = st.sampled_from([0, *TxFlag, TxFlag.MORE_DATA, TxFlag.MORE_DATA | TxFlag.EXTRA_INFO, 0xFFFF])
TX_MESSAGE = st.one_of(
    st.binary(min_size=TX_REQUEST.size, max_size=TX_REQUEST.size),
    *[st.builds(sent, st.integers(0, 255), TX_FLAGS, TX_LENGTH, st.sampled_from([0, 0, 1, 4000, 4096]))] * 3,
    EXTRA.map(wide),
)
RX_FLAGS = st.sampled_from([0, *RxFlag, RxFlag.MORE_DATA, RxFlag.MORE_DATA | RxFlag.EXTRA_INFO, 0xFFFF])
RX_STATUS = st.sampled_from([-32768, -1, 0, 13, 14, 60, 256, 257, 4096, 4097, 32767])
RX_MESSAGE = st.one_of(
    st.binary(min_size=RX_RESPONSE.size, max_size=RX_RESPONSE.size),
    *[st.builds(received, RX_STATUS, RX_FLAGS, st.sampled_from([0, 0, 0, 1, 4000, 0xFFFF]))] * 3,
    EXTRA,
)
