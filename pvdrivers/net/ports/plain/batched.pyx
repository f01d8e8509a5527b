# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A line that takes many frames a system call, as a packet socket does.

Law: the kernel fills a place for each frame of a batch at once. Those that nobody has asked for yet stay where they are
until somebody does, and no more are read before.

Ref: packet(7), recvmmsg(2), sendmmsg(2), Linux net/packet/af_packet.c
"""

from libc.errno cimport EAGAIN, EINTR, ENOBUFS, errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from pvdrivers.net.ports.plain.fits cimport NEEDS_CSUM, Header, Sum
from pvdrivers.net.ports.plain.line cimport PARTS, ROOM, PlainLine, iovec
from pvdrivers.net.record cimport Record

from pvdrivers.abi.netdev import TPACKET_AUXDATA

cdef extern from "<sys/socket.h>" nogil:
    cdef struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    cdef struct cmsghdr:
        int cmsg_level
        int cmsg_type
    cdef struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    cmsghdr *CMSG_FIRSTHDR(msghdr *message)
    cmsghdr *CMSG_NXTHDR(msghdr *message, cmsghdr *before)
    void *CMSG_DATA(cmsghdr *control)
    int recvmmsg(int file, mmsghdr *messages, unsigned int count, int flags, void *timeout)
    int sendmmsg(int file, mmsghdr *messages, unsigned int count, int flags)
    int SOL_SOCKET, MSG_TRUNC, MSG_DONTWAIT
    int SO_RXQ_OVFL
cdef extern from "<linux/if_packet.h>" nogil:
    cdef struct tpacket_auxdata:
        uint32_t tp_status
        uint16_t tp_vlan_tci
        uint16_t tp_vlan_tpid
    int SOL_PACKET, PACKET_AUXDATA
    uint32_t TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID

cdef enum:
    # Frames that are read, and written, by one call.
    READ = 32
    WRITTEN = 64
    # Each is read behind room for a tag, and no two begin at the same lines of the processor's caches.
    TAG = 4
    TAG_AT = 12
    TYPE_VLAN = 0x8100
    STRIDE = 65600
    # Behind them all, room for what becomes of those that are left.
    ARENA = READ * STRIDE + 4 * ROOM
    CONTROL = 128

if TPACKET_AUXDATA.size != sizeof(tpacket_auxdata):
    raise ImportError("the line was compiled for other sockets")


cdef struct Written:
    Header header
    Sum sum
    Record record
    iovec[PARTS] parts


cdef class BatchedLine(PlainLine):
    """A line.

    :param file: of a socket, which stays the caller's, and does not block
    :param abilities: what its other side can be told
    :param reader: what the frontend can be told
    """

    cdef mmsghdr[READ] messages
    cdef iovec[READ][2] parts
    cdef Header[READ] headers
    cdef uint8_t[READ][CONTROL] controls
    cdef uint32_t came, given       # frames of the last call, and those of them that were given
    cdef uint32_t kernel_lost
    cdef bint used                  # some of those that were given lie in the room of all
    cdef mmsghdr[WRITTEN] outgoing
    cdef Written[WRITTEN] written

    def __init__(self, int file, abilities, reader):
        cdef uint32_t i
        cdef msghdr *message
        self.make(file, abilities, reader, ARENA)
        self.room = ARENA
        memset(self.messages, 0, sizeof(self.messages))
        memset(self.outgoing, 0, sizeof(self.outgoing))
        for i in range(READ):
            message = &self.messages[i].msg_hdr
            message.msg_iov, message.msg_iovlen = self.parts[i], 2
            message.msg_control = self.controls[i]
            self.parts[i][0].iov_base, self.parts[i][0].iov_len = &self.headers[i], sizeof(Header)
            self.parts[i][1].iov_base, self.parts[i][1].iov_len = self.place(i * STRIDE + TAG), ROOM - TAG
        for i in range(WRITTEN):
            self.outgoing[i].msg_hdr.msg_iov = self.written[i].parts

    def clear(self):
        """Begin anew: what was read until now is overwritten, but for frames that wait to be asked for."""
        self.at = READ * STRIDE
        self.used = False

    cdef uint32_t read_some(self, Record *records, uint32_t limit) noexcept nogil:
        cdef uint32_t count = 0
        self.syscalls = self.lost = self.finished = 0
        self.left, self.failed = False, 0
        if self.given == self.came and not self.used:
            self.receive(min(limit, <uint32_t>READ))
        while count < limit and self.given < self.came and not self.left:
            count += self.give(self.given, records + count)
            self.given += 1
        self.used |= count > 0
        return count

    cdef void receive(self, uint32_t limit) noexcept nogil:
        cdef int count = -1
        cdef uint32_t i
        for i in range(limit):
            self.messages[i].msg_hdr.msg_controllen = CONTROL
        while count < 0:
            count = recvmmsg(self.file, self.messages, limit, MSG_DONTWAIT, NULL)
            self.syscalls += 1
            if count < 0 and errno != EINTR:
                self.failed = 0 if errno == EAGAIN else errno
                count = 0
        self.given, self.came = 0, <uint32_t>count

    cdef bint give(self, uint32_t number, Record *record) noexcept nogil:
        cdef mmsghdr *message = &self.messages[number]
        cdef tpacket_auxdata tag
        tag.tp_status = 0
        self.note(&message.msg_hdr, &tag)
        if message.msg_hdr.msg_flags & MSG_TRUNC or message.msg_len < sizeof(Header):
            self.lost += 1
            return False
        record.place, record.length = number * STRIDE + TAG, message.msg_len - <uint32_t>sizeof(Header)
        if tag.tp_status & TP_STATUS_VLAN_VALID and record.length >= TAG_AT:
            self.put_back(&tag, &self.headers[number], record)
        return self.take(&self.headers[number], self.place(record.place), record)

    cdef void note(self, msghdr *message, tpacket_auxdata *tag) noexcept nogil:
        # What the kernel says besides.
        cdef cmsghdr *control = CMSG_FIRSTHDR(message)
        cdef uint32_t lost
        while control != NULL:
            if control.cmsg_level == SOL_PACKET and control.cmsg_type == PACKET_AUXDATA:
                memcpy(tag, CMSG_DATA(control), sizeof(tpacket_auxdata))
            elif control.cmsg_level == SOL_SOCKET and control.cmsg_type == SO_RXQ_OVFL:
                memcpy(&lost, CMSG_DATA(control), sizeof(lost))
                # Its counter has 32 bits.
                self.lost += <uint32_t>(lost - self.kernel_lost)
                self.kernel_lost = lost
            control = CMSG_NXTHDR(message, control)

    cdef void put_back(self, const tpacket_auxdata *tag, Header *header, Record *record) noexcept nogil:
        # A tag that the kernel, or the interface itself, has taken out.
        cdef uint8_t *data
        cdef uint16_t kind = TYPE_VLAN
        if tag.tp_status & TP_STATUS_VLAN_TPID_VALID:
            kind = tag.tp_vlan_tpid
        record.place -= TAG
        record.length += TAG
        data = self.place(record.place)
        memmove(data, data + TAG, TAG_AT)
        data[TAG_AT], data[TAG_AT + 1] = <uint8_t>(kind >> 8), <uint8_t>(kind & 0xFF)
        data[TAG_AT + 2], data[TAG_AT + 3] = <uint8_t>(tag.tp_vlan_tci >> 8), <uint8_t>(tag.tp_vlan_tci & 0xFF)
        if header.flags & NEEDS_CSUM:
            # Both are counted from the frame's beginning.
            header.hdr_len += TAG
            header.csum_start += TAG

    cdef uint32_t write_some(
        self, const uint8_t *arena, uint64_t size, const Record *records, uint32_t count
    ) noexcept nogil:
        cdef uint32_t done = 0, formed, sent, at
        self.syscalls = self.dropped = self.finished = 0
        self.left = False
        while done < count and not self.left:
            formed = self.form_some(arena, size, records + done, min(count - done, <uint32_t>WRITTEN))
            sent = self.send(formed)
            for at in range(sent):
                self.finished += self.written[at].sum.at != 0
            done += sent
            # The next is left if it is not plain, or the kernel has refused it.
            self.left = done < count and (sent < formed or formed < WRITTEN)
        return done

    cdef uint32_t form_some(
        self, const uint8_t *arena, uint64_t size, const Record *records, uint32_t limit
    ) noexcept nogil:
        cdef uint32_t at = 0
        cdef int number
        cdef Written *each
        while at < limit:
            each = &self.written[at]
            each.record = records[at]
            if <uint64_t>each.record.place + each.record.length > size:
                break
            number = self.form(&each.record, arena, &each.header, &each.sum, each.parts)
            if not number:
                break
            self.outgoing[at].msg_hdr.msg_iovlen = number
            at += 1
        return at

    cdef uint32_t send(self, uint32_t count) noexcept nogil:
        # Gives how many were sent or dropped.
        cdef uint32_t done = 0
        cdef int sent
        while done < count:
            sent = sendmmsg(self.file, self.outgoing + done, count - done, MSG_DONTWAIT)
            self.syscalls += 1
            if sent > 0:
                done += sent
            elif errno == EAGAIN or errno == ENOBUFS:
                # Its queue is full.
                self.dropped += 1
                done += 1
            elif errno != EINTR:
                break
        return done
