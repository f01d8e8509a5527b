"""What is known of a frame ↔ the header before it, by which a TAP and the kernel tell each other.

Law: what is written the kernel takes; what it would refuse is refused here, with the reason. What is read can be passed
on over a ring: what has no name there is finished.

| of a frame | in the header |
|---|---|
| `Checksum.BLANK` | NEEDS_CSUM, and where the sum begins and belongs |
| `Checksum.VALIDATED` | read: DATA_VALID. Written: nothing, since the kernel does not listen; it looks itself |
| a `GsoType` | that type, the bytes of payload of a segment, and of all headers; and NEEDS_CSUM |

Ref: Linux include/linux/virtio_net.h (__virtio_net_hdr_to_skb, virtio_net_hdr_from_skb)
"""

from pvdrivers.abi.layout import Layout
from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.virtio_net import HDR, HdrFlag, HdrGso, TunOffload
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.net.errors import Unfit
from pvdrivers.net.finish import CHECKSUM_AT, finished_at, tellable
from pvdrivers.net.frame import PLAIN, Abilities, Checksum, Frame, Offload
from pvdrivers.net.headers import Data, parse

#: By our types: the header's, and IP's version.
_WRITTEN = {GsoType.TCPV4: (HdrGso.TCPV4, 4), GsoType.TCPV6: (HdrGso.TCPV6, 6)}
_READ = {0: GsoType.NONE, **{int(theirs): ours for ours, (theirs, _) in _WRITTEN.items()}}
#: The kernel's own mark of a frame that is cut elsewhere (GSO_BY_FRAGS).
_SIZE_RESERVED = 0xFFFF


def read(header: bytes | bytearray | memoryview, data: Data) -> Frame | Unfit:
    """Tell what a TAP has said of a frame.

    :param header: of the size of `HDR` or `HDR_V1`, which begin alike
    """
    flags, kind, _, size, start, offset = HDR.struct.unpack_from(header)
    # That TCP's sender has slowed down stands in the frame as well, and rings have no word for it.
    gso = _READ.get(kind & ~HdrGso.ECN)
    if gso is None:
        return Unfit.GSO_TYPE
    if gso is not GsoType.NONE:
        return Frame(data, Offload(Checksum.BLANK, gso, size)) if size else Unfit.GSO_SIZE
    if not flags & HdrFlag.NEEDS_CSUM:
        return Frame(data, Offload(Checksum.VALIDATED) if flags & HdrFlag.DATA_VALID else PLAIN)
    headers = parse(data)
    if headers is not None and headers.transport is not None and tellable(data, headers):
        transport = headers.transport
        if (start, offset) == (transport.start, CHECKSUM_AT[transport.protocol]):
            return Frame(data, Offload(Checksum.BLANK))
    # Of a VLAN, a tunnel, another protocol: the kernel leaves all to its reader, but a Linux peer drops what it cannot
    # find itself.
    whole = finished_at(data, start, offset)
    return Unfit.CHECKSUM_PLACE if whole is None else Frame(whole)


def header(frame: Frame, layout: Layout = HDR) -> bytes | Unfit:
    """Give the header of a frame that is to be written, which `fit` has made fit for the TAP.

    A blank checksum has the pseudo-header's sum in its field, or what comes out behind the kernel is wrong.

    :param layout: `HDR` or `HDR_V1`
    """
    data, (checksum, gso, size) = frame.data, frame.offload
    if gso is GsoType.NONE and checksum is not Checksum.BLANK:
        return bytes(layout.size)
    headers = parse(data, large=gso is not GsoType.NONE)
    transport = None if headers is None else headers.transport
    if headers is None or transport is None:
        return Unfit.BLANK if gso is GsoType.NONE else Unfit.GSO_TYPE
    place = CHECKSUM_AT[transport.protocol]
    if gso is GsoType.NONE:
        fields = (HdrFlag.NEEDS_CSUM, HdrGso.NONE, 0, 0, transport.start, place)
    else:
        kind, version = _WRITTEN[gso]
        if headers.version != version or transport.protocol is not IpProtocol.TCP:
            return Unfit.GSO_TYPE
        if not 0 < size < _SIZE_RESERVED:
            return Unfit.GSO_SIZE
        fields = (HdrFlag.NEEDS_CSUM, kind, transport.payload, size, transport.start, place)
    return HDR.struct.pack(*fields).ljust(layout.size, b"\0")


def readable(reader: Abilities) -> TunOffload:
    """Tell what a TAP may leave to whoever reads it, by what can be told to the one whom that is for.

    A TAP knows one word for the sums of both IPs: what only one is left for is finished in `fit`. Frames to be cut need
    their sums left too; the kernel refuses one without the other.
    """
    wanted = TunOffload(0)
    if reader.checksum_v4 or reader.checksum_v6:
        wanted |= TunOffload.CSUM
    if reader.checksum_v4 and reader.gso_v4:
        wanted |= TunOffload.TSO4
    if reader.checksum_v6 and reader.gso_v6:
        wanted |= TunOffload.TSO6
    return wanted
