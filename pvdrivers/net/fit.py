"""A frame, and what its receiver can be told → what the receiver gets.

Law: a frame is passed on as it is where that can be told; else it is finished, or cut; else it is `Unfit`, with the
reason, for its bearer to count. Nothing is dropped in silence, and nothing is told that the receiver does not know.

Ref: Linux drivers/net/xen-netfront.c and xen-netback (checksum_setup)
"""

from collections.abc import Sequence

from pvdrivers.abi import wire
from pvdrivers.abi.netif import GsoType
from pvdrivers.abi.wire import IpProtocol
from pvdrivers.net.errors import Unfit
from pvdrivers.net.finish import blanked, finished, tellable
from pvdrivers.net.frame import PLAIN, Abilities, Checksum, Frame, Offload
from pvdrivers.net.headers import Data, Headers, parse
from pvdrivers.net.segment import SIZE_MIN, segment

#: Bytes of an IP packet, by the 16 bits that its length has; a longer one is cut, since nobody expects it.
PACKET_MAX = 0xFFFF
_VERSIONS = {GsoType.TCPV4: 4, GsoType.TCPV6: 6}


def fit(frame: Frame, receiver: Abilities) -> Sequence[Frame] | Unfit:
    """Make a frame fit for its receiver.

    :returns: what to pass on, in order. It is the very frame that came if nothing had to be done to it
    """
    data, offload = frame.data, frame.offload
    if len(data) < wire.ETHERNET_SIZE:
        return Unfit.SHORT
    if offload.gso is not GsoType.NONE:
        return _fit_large(frame, receiver)
    if len(data) > receiver.longest:
        return Unfit.LONG
    if offload.checksum is Checksum.BLANK:
        return _fit_blank(frame, receiver)
    return (frame,)


def _fit_blank(frame: Frame, receiver: Abilities) -> Sequence[Frame] | Unfit:
    data = frame.data
    headers = parse(data)
    if headers is None or headers.transport is None:
        return Unfit.BLANK
    if _takes_blank(receiver, headers) and tellable(data, headers):
        return (_with(frame, blanked(data, headers, headers.transport), frame.offload),)
    return (_with(frame, finished(data, headers, headers.transport), PLAIN),)


def _fit_large(frame: Frame, receiver: Abilities) -> Sequence[Frame] | Unfit:
    data, size = frame.data, frame.offload.gso_size
    headers = parse(data, large=True)
    if headers is None or headers.version != _VERSIONS[frame.offload.gso]:
        return Unfit.GSO_TYPE
    transport = headers.transport
    if transport is None or transport.protocol is not IpProtocol.TCP:
        return Unfit.GSO_TYPE
    if size < SIZE_MIN:
        return Unfit.GSO_SIZE
    payload = transport.end - transport.payload
    blank = _takes_blank(receiver, headers) and tellable(data, headers)
    if payload > size and blank and _takes_large(receiver, headers) and len(data) - headers.network <= PACKET_MAX:
        # Whatever is said of its sum, whoever cuts it begins with the pseudo-header's.
        told = Offload(Checksum.BLANK, frame.offload.gso, size)
        return (_with(frame, blanked(data, headers, transport), told),)
    if transport.payload + min(size, payload) > receiver.longest:
        return Unfit.LONG
    told = Offload(Checksum.BLANK) if blank else PLAIN
    return tuple(_with(frame, each, told) for each in segment(data, headers, transport, size, blank=blank))


def _takes_blank(receiver: Abilities, headers: Headers) -> bool:
    return receiver.checksum_v4 if headers.version == 4 else receiver.checksum_v6


def _takes_large(receiver: Abilities, headers: Headers) -> bool:
    return receiver.gso_v4 if headers.version == 4 else receiver.gso_v6


def _with(frame: Frame, data: Data, offload: Offload) -> Frame:
    return frame if data is frame.data and offload == frame.offload else frame._replace(data=data, offload=offload)
