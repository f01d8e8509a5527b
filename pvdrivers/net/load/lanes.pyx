# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Lanes that make frames and count those that come, or send back what comes; at the pace of whoever asks.

Law: what comes from a ring is a stranger's: a frame's stamp is read within its bounds, and believed for what is
counted alone.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from pvdrivers.latencies cimport BUCKETS, bucket_of, counted
from pvdrivers.net.record cimport Record
from pvdrivers.ring.atomics cimport nanoseconds

import os
import threading

from pvdrivers.net.load.traffic import MARK, STAMP, stamp_at
from pvdrivers.net.ports.base import PortStats
from pvdrivers.net.record import RECORD, pack, unpack

cdef enum:
    # Bytes of frames that are given at once, and how many of them: they are made in the processor's cache.
    ARENA = 1 << 20
    FRAMES_MAX = 256
    LINE = 64

cdef struct Stamp:
    uint64_t mark
    uint64_t made           # when, in nanoseconds

if (RECORD.size, STAMP.size) != (sizeof(Record), sizeof(Stamp)):
    raise ImportError("lanes were compiled for other frames")

cdef uint64_t OURS = MARK


cdef class _Lane:
    # What both have: lists of frames by way of records.

    cdef readonly object stats
    cdef readonly object arena
    cdef Py_buffer view
    cdef bint held

    cdef make(self, Py_ssize_t size):
        self.stats = PortStats()
        arena = bytearray(size)
        self.arena = memoryview(arena)
        # Of the memory itself: Python's collector, which breaks a cycle at a view that somebody holds, dies of it.
        PyObject_GetBuffer(arena, &self.view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        self.held = True

    cdef uint8_t *at(self, size_t place) noexcept nogil:
        return <uint8_t *>self.view.buf + place

    def receive(self, limit):
        """Give frames, as `receive_packed` does."""
        records = memoryview(bytearray(limit * sizeof(Record)))
        return unpack(self.arena, records[: self.receive_packed(records) * sizeof(Record)])

    def send(self, frames):
        """Take frames, as `send_packed` does."""
        arena = memoryview(bytearray().join(frame.data for frame in frames))
        self.send_packed(arena, memoryview(pack(frames)))

    def fileno(self):
        """Give a descriptor that tells when frames come; -1 for none."""
        return -1

    def close(self):
        """Let go of the arena; not an error if that was done."""
        if self.held:
            self.held = False
            PyBuffer_Release(&self.view)

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


cdef class LoadLane(_Lane):
    """Makes frames while it is begun, and counts those that come, strangers' too.

    ``begin`` and ``end`` are for any thread; so is looking at what is counted.

    :param frame: what is made, again and again (`traffic.frame`), and known by its length and mark
    :param window: frames under way, at most: those that were made and have not come back; 0 for any number. What has not
        come back by the next beginning is lost.
    :param lot: frames that are made at once, at most; 0 for as many as the arena holds. Those that wait for room grow old,
        so that where few may be under way few are to be made.
    """

    cdef Record like
    cdef uint32_t frames, stride, stamp_at, window
    cdef uint64_t *histogram
    cdef bint going, unheard
    cdef int wake
    cdef object waking      # the lock of who wakes and who closes
    cdef uint64_t lost
    cdef readonly uint64_t made
    cdef readonly uint64_t counted, bytes_counted
    cdef readonly uint64_t strange      # of those counted, frames that are not such
    cdef readonly uint64_t longest      # in nanoseconds

    def __cinit__(self):
        self.wake = -1
        self.waking = threading.Lock()

    def __init__(self, frame, uint32_t window=0, uint32_t lot=0):
        cdef bytes data = bytes(frame.data)
        cdef uint32_t i
        cdef Stamp stamp
        self.stride = (len(data) + LINE - 1) // LINE * LINE
        self.frames = max(1, min(lot or <uint32_t>FRAMES_MAX, <uint32_t>FRAMES_MAX, <uint32_t>ARENA // self.stride))
        self.stamp_at, self.window = stamp_at(frame), window
        packed = pack([frame])
        memcpy(&self.like, <const uint8_t *>packed, sizeof(Record))
        self.make(self.frames * self.stride)
        stamp.mark, stamp.made = OURS, 0
        for i in range(self.frames):
            memcpy(self.at(i * self.stride), <const uint8_t *>data, len(data))
            memcpy(self.at(i * self.stride + self.stamp_at), &stamp, sizeof(Stamp))
        self.histogram = <uint64_t *>calloc(BUCKETS, sizeof(uint64_t))
        if self.histogram == NULL:
            raise MemoryError
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __dealloc__(self):
        free(self.histogram)

    def begin(self):
        """Make frames from now on; none, once it is closed, which a queue may do meanwhile."""
        self.lost = self.made - (self.counted - self.strange)
        self.going = self.unheard = True
        with self.waking:
            if self.wake >= 0:
                os.eventfd_write(self.wake, 1)

    def end(self):
        """Make no more."""
        self.going = False

    def fileno(self):
        """Give a descriptor that tells of the beginning."""
        return self.wake

    def receive_packed(self, records):
        """Make frames, as many as there is room for."""
        cdef Py_buffer view
        cdef uint32_t number, i
        cdef uint64_t now
        cdef Record *record
        if not self.going:
            return 0
        if self.unheard:
            self.heard()
        PyObject_GetBuffer(records, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        number = min(<uint32_t>(view.len // <Py_ssize_t>sizeof(Record)), self.frames)
        if self.window:
            number = <uint32_t>min(number, self.counted - self.strange + self.lost + self.window - self.made)
        record = <Record *>view.buf
        with nogil:
            now = nanoseconds()
            for i in range(number):
                record[i] = self.like
                record[i].place = i * self.stride
                memcpy(self.at(i * self.stride + self.stamp_at) + 8, &now, 8)
        PyBuffer_Release(&view)
        self.made += number
        self.stats.received += number
        return number

    cdef heard(self):
        # Or a queue that waits for room would be woken by it for ever.
        self.unheard = False
        try:
            os.eventfd_read(self.wake)
        except BlockingIOError:
            pass

    def send_packed(self, arena, records):
        """Count frames."""
        cdef Py_buffer view, places
        cdef uint32_t number, i
        cdef uint64_t now
        cdef Record *record
        cdef Stamp stamp
        PyObject_GetBuffer(arena, &view, PyBUF_SIMPLE)
        PyObject_GetBuffer(records, &places, PyBUF_SIMPLE)
        number = <uint32_t>(places.len // <Py_ssize_t>sizeof(Record))
        record = <Record *>places.buf
        with nogil:
            now = nanoseconds()
            for i in range(number):
                stamp.mark = 0
                if record[i].length == self.like.length:
                    memcpy(&stamp, <uint8_t *>view.buf + record[i].place + self.stamp_at, sizeof(Stamp))
                self.bytes_counted += record[i].length
                if stamp.mark != OURS:
                    self.strange += 1
                    continue
                stamp.made = now - stamp.made if now > stamp.made else 0
                self.histogram[bucket_of(stamp.made)] += 1
                self.longest = max(self.longest, stamp.made)
            self.counted += number
        PyBuffer_Release(&places)
        PyBuffer_Release(&view)
        self.stats.sent += number

    def forget(self):
        """Forget the latencies until now."""
        cdef uint32_t i
        for i in range(BUCKETS):
            self.histogram[i] = 0
        self.longest = 0

    def latencies(self):
        """Give how often each latency was seen: nanoseconds from which, to which on, within 1.6 %, and a number."""
        return counted(self.histogram)

    def close(self):
        """Let go of all."""
        with self.waking:
            if self.wake >= 0:
                os.close(self.wake)
                self.wake = -1
        _Lane.close(self)


cdef class EchoLane(_Lane):
    """Sends back what comes, in its order.

    :param frames: how many it keeps at most; what comes beyond that is dropped
    :param size: bytes that one may have
    """

    cdef Record *kept
    cdef uint32_t room, size, stride
    cdef uint64_t came, given, done     # frames taken, given, and given so long ago that their room is free
    cdef readonly uint64_t returned, bytes_returned

    def __init__(self, uint32_t frames, uint32_t size):
        # Those that were given last stay until others are asked for.
        self.room = 2 * frames
        self.size, self.stride = size, (size + LINE - 1) // LINE * LINE
        self.make(<Py_ssize_t>self.room * self.stride)
        self.kept = <Record *>calloc(self.room, sizeof(Record))
        if self.kept == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.kept)

    def receive_packed(self, records):
        """Give what has come."""
        cdef Py_buffer view
        cdef uint32_t number, i
        cdef Record *record
        PyObject_GetBuffer(records, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        number = <uint32_t>min(<uint64_t>(view.len // <Py_ssize_t>sizeof(Record)), self.came - self.given)
        record = <Record *>view.buf
        self.done = self.given
        for i in range(number):
            record[i] = self.kept[(self.given + i) % self.room]
            self.bytes_returned += record[i].length
        PyBuffer_Release(&view)
        self.given += number
        self.returned += number
        self.stats.received += number
        return number

    def send_packed(self, arena, records):
        """Keep frames."""
        cdef Py_buffer view, places
        cdef uint32_t number, i, at
        cdef uint64_t taken = 0
        cdef Record *record
        PyObject_GetBuffer(arena, &view, PyBUF_SIMPLE)
        PyObject_GetBuffer(records, &places, PyBUF_SIMPLE)
        number = <uint32_t>(places.len // <Py_ssize_t>sizeof(Record))
        record = <Record *>places.buf
        for i in range(number):
            if self.came - self.done == self.room or record[i].length > self.size:
                continue
            at = <uint32_t>(self.came % self.room)
            self.kept[at] = record[i]
            self.kept[at].place = at * self.stride
            memcpy(self.at(self.kept[at].place), <uint8_t *>view.buf + record[i].place, record[i].length)
            self.came += 1
            taken += 1
        PyBuffer_Release(&places)
        PyBuffer_Release(&view)
        self.stats.sent += taken
        self.stats.dropped += number - taken
