"""`pvdrivers.net.fit` and `pvdrivers.net.virtio`, as far as a frame is passed on whole: in one piece, by the same facts.

Law: what these take, those pass on as these do; about what they do not take, those decide. For any bytes at all there
is an answer, after a bounded number of steps, and none beyond a frame's end is looked at.

Plain is a frame of which nothing is left to do, whatever it carries; and one of TCP or UDP right behind IP and
Ethernet, without a tag or IPv6's extensions, whose sum is left blank, or that is still to be cut.

Inlined where it is used; needs no GIL. Ref: RFC 791, 8200, 9293, 768; include/uapi/linux/virtio_net.h
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from pvdrivers.net.record cimport BLANK, UNSAID, VALIDATED, Record

cdef enum:
    ETHERNET = 14
    TYPE_AT = 12
    TYPE_IPV4 = 0x0800
    TYPE_IPV6 = 0x86DD
    IPV4 = 20
    IPV6 = 40
    TCP = 20
    UDP = 8
    IS_TCP = 6
    IS_UDP = 17
    IPV4_FRAGMENT = 0x3FFF
    # Bytes of an IP packet, and of payload of a segment, as `fit` has them.
    PACKET_MAX = 0xFFFF
    SEGMENT_MIN = 8
    SIZE_RESERVED = 0xFFFF
    NEEDS_CSUM = 1
    DATA_VALID = 2
    HDR_TCPV4 = 1
    HDR_TCPV6 = 4
    HDR_ECN = 0x80
    GSO_TCPV4 = 1
    GSO_TCPV6 = 2

cdef struct Header:         # virtio_net_hdr
    uint8_t flags
    uint8_t gso_type
    uint16_t hdr_len
    uint16_t gso_size
    uint16_t csum_start
    uint16_t csum_offset

cdef struct Told:           # `pvdrivers.net.frame.Abilities`
    bint checksum_v4
    bint checksum_v6
    bint gso_v4
    bint gso_v6
    uint32_t longest

cdef struct Found:          # `pvdrivers.net.headers.Headers`, all in one
    uint8_t version
    uint8_t protocol
    uint16_t start
    uint32_t payload
    uint32_t end
    uint32_t field          # of the sum

cdef struct Sum:            # what is to be written, if `at` is not 0, the upper half first
    uint32_t at
    uint8_t[2] value


cdef inline uint16_t u16(const uint8_t *at) noexcept nogil:
    return <uint16_t>(at[0] << 8 | at[1])


cdef inline bint find(const uint8_t *data, uint32_t length, bint large, Found *found) noexcept nogil:
    """Find the headers of plain TCP or UDP."""
    cdef uint32_t start, end, last
    if length < ETHERNET + IPV4:
        return False
    if u16(data + TYPE_AT) == TYPE_IPV4:
        start = ETHERNET + (data[ETHERNET] & 15) * 4
        end = length if large else <uint32_t>ETHERNET + u16(data + ETHERNET + 2)
        if data[ETHERNET] >> 4 != 4 or start < ETHERNET + IPV4 or u16(data + ETHERNET + 6) & IPV4_FRAGMENT:
            return False
        found.version, found.protocol = 4, data[ETHERNET + 9]
    elif u16(data + TYPE_AT) == TYPE_IPV6 and length >= ETHERNET + IPV6:
        start = ETHERNET + IPV6
        end = length if large else start + u16(data + ETHERNET + 4)
        if data[ETHERNET] >> 4 != 6:
            return False
        found.version, found.protocol = 6, data[ETHERNET + 6]
    else:
        return False
    if end > length:
        return False
    found.start = <uint16_t>start
    if found.protocol == IS_TCP and start + TCP <= end:
        found.payload = start + (data[start + 12] >> 4) * 4
        found.end, found.field = end, start + 16
        return start + TCP <= found.payload and found.payload <= end
    if found.protocol == IS_UDP and start + UDP <= end:
        last = start + u16(data + start + 4)
        found.payload, found.end, found.field = start + UDP, last, start + 6
        return found.payload <= last and last <= end
    return False


cdef inline uint16_t pseudo_sum(const uint8_t *data, const Found *found) noexcept nogil:
    """Sum up the pseudo-header: `finish.pseudo_sum`."""
    cdef uint32_t total = <uint32_t>found.protocol + (found.end - found.start)
    cdef uint32_t at = ETHERNET + (12 if found.version == 4 else 8)
    cdef uint32_t stop = ETHERNET + (IPV4 if found.version == 4 else IPV6)
    while at < stop:
        total += u16(data + at)
        at += 2
    total = (total & 0xFFFF) + (total >> 16)
    return <uint16_t>((total & 0xFFFF) + (total >> 16))


cdef inline bint fits(Record *record, const uint8_t *data, const Told *told, Found *found, Sum *sum) noexcept nogil:
    """Tell whether a frame can be passed on whole: `fit.fit`.

    :param found: is filled if a sum is blank
    :param sum: what is to be written into its field then
    """
    cdef uint32_t length = record.length
    cdef uint16_t pseudo
    cdef bint v4
    sum.at = 0
    if length < ETHERNET:
        return False
    if not record.gso:
        if length > told.longest:
            return False
        if record.checksum != BLANK:
            return True
    if not find(data, length, record.gso != 0, found) or found.end != length:
        return False
    v4 = found.version == 4
    if not (told.checksum_v4 if v4 else told.checksum_v6):
        return False
    if record.gso:
        if found.protocol != IS_TCP or record.gso != (GSO_TCPV4 if v4 else GSO_TCPV6):
            return False
        if not (told.gso_v4 if v4 else told.gso_v6) or length - ETHERNET > PACKET_MAX:
            return False
        if record.gso_size < SEGMENT_MIN or length - found.payload <= record.gso_size:
            return False
        record.checksum = BLANK
    pseudo = pseudo_sum(data, found)
    if u16(data + found.field) != pseudo:
        sum.at = found.field
        sum.value[0], sum.value[1] = <uint8_t>(pseudo >> 8), <uint8_t>(pseudo & 0xFF)
    return True


cdef inline bint read(const Header *header, const uint8_t *data, Record *record) noexcept nogil:
    """Note what a header tells of a frame whose place and length stand in its record: `virtio.read`."""
    cdef uint8_t kind = header.gso_type & ~<uint8_t>HDR_ECN
    cdef Found found
    record.checksum, record.gso, record.gso_size = BLANK, 0, 0
    if kind:
        record.gso, record.gso_size = GSO_TCPV4 if kind == HDR_TCPV4 else GSO_TCPV6, header.gso_size
        return (kind == HDR_TCPV4 or kind == HDR_TCPV6) and header.gso_size != 0
    if not header.flags & NEEDS_CSUM:
        record.checksum = VALIDATED if header.flags & DATA_VALID else UNSAID
        return True
    if not find(data, record.length, False, &found) or found.end != record.length:
        return False
    return header.csum_start == found.start and header.csum_start + header.csum_offset == <int>found.field


cdef inline bint write(const Record *record, const Found *found, Header *header) noexcept nogil:
    """Form the header of a frame that `fits`: `virtio.header`."""
    header.flags = header.gso_type = 0
    header.hdr_len = header.gso_size = header.csum_start = header.csum_offset = 0
    if not record.gso and record.checksum != BLANK:
        return True
    header.flags = NEEDS_CSUM
    header.csum_start, header.csum_offset = found.start, <uint16_t>(found.field - found.start)
    if record.gso:
        header.gso_type = HDR_TCPV4 if record.gso == GSO_TCPV4 else HDR_TCPV6
        header.hdr_len, header.gso_size = <uint16_t>found.payload, record.gso_size
    return record.gso_size != SIZE_RESERVED
