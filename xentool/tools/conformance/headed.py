"""Frames behind a virtio_net_hdr each, as TAPs and packet sockets have them, and what the kit says of them."""

from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.virtio_net import HDR, HdrFlag, HdrGso
from pvdrivers.conformance.net.frames import Blank, Carried

_GSOS = {HdrGso.NONE: GsoType.NONE, HdrGso.TCPV4: GsoType.TCPV4, HdrGso.TCPV6: GsoType.TCPV6}
_HDR_GSOS = {ours: theirs for theirs, ours in _GSOS.items()}


def read(message: bytes) -> Carried:
    """Read a frame and its header.

    :raises KeyError, ValueError: it is to be cut in a way that no vif knows
    """
    flags, kind, _, size, start, offset = HDR.struct.unpack_from(message)
    blank = Blank(start, offset) if flags & HdrFlag.NEEDS_CSUM else None
    # That a sender has slowed down is said nowhere else.
    gso = _GSOS[HdrGso(kind & ~HdrGso.ECN)]
    return Carried(message[HDR.size :], blank, gso, size if gso else 0)


def written(frame: Carried) -> bytes:
    """Write a frame behind its header."""
    blank = frame.blank or Blank(0, 0)
    flags = HdrFlag.NEEDS_CSUM if frame.blank else HdrFlag(0)
    # TCP's header, whose length stands in its upper half, ends where the payload begins.
    head = blank.start + (frame.data[blank.start + 12] >> 4) * 4 if frame.gso else 0
    return HDR.struct.pack(flags, _HDR_GSOS[frame.gso], head, frame.gso_size, *blank) + frame.data
