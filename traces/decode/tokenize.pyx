# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""xentrace bytes to rows: record boundaries, time stamps, and who ran on the pCPU.

Law: every byte of the input ends either in a decoded record or in ``skipped_bytes``, whatever the input is; nothing
here raises for what a file contains. What an event means is not known here, but for the four that say who runs.

Layouts are declared in ``traces.formats.xentrace``; the constants below are checked against it by a test.
Ref: xen/include/public/trace.h, xen/common/trace.c, tools/xentrace/xentrace.c (write_buffer).
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    CPU_CHANGE_HEADER = 0x2001F003
    CPU_CHANGE_SIZE = 12
    LOST_RECORDS = 0x0001F001
    WRAP_BUFFER = 0x0001F002
    RUNSTATE_CHANGE = 0x00021001
    RUNSTATE_BITS = 0x330
    CONTINUE_RUNNING = 0x00021002
    # Xen's own upper limit of CONFIG_NR_CPUS.
    PCPUS = 4095
    UNKNOWN_DOMID = 0x8000

# Cycles that no machine counts up to: seven years at 5 GHz. Sums of several runs of the clock stay below 64 bits.
cdef uint64_t TSC_LIMIT = <uint64_t>1 << 60

cdef enum Damage:
    RESYNC
    BAD_PCPU
    STRADDLE
    WINDOW_CUT
    TRUNCATED
    TSC_BACKWARDS
    BAD_TSC
    LOST
    UNATTRIBUTED
    CLOCK_RESTART
    DAMAGES

DAMAGE_CODES = (
    "resync", "bad_pcpu", "record_straddles_window", "window_cut_short", "truncated", "tsc_backwards", "bad_tsc",
    "lost_records", "unattributed", "clock_restart",
)


cdef class Tokenizer:
    """Cuts a stream of xentrace bytes into rows; keeps what must be known from one piece to the next.

    ``tokenize`` fills columns and says how many bytes it used; ``finish`` accounts for what can't be used any more.
    """

    cdef readonly uint64_t offset          # bytes used so far, in the stream's own count
    cdef readonly uint64_t records
    cdef readonly uint64_t skipped_bytes
    cdef readonly uint64_t watermark       # no later record is older than this
    cdef readonly uint64_t lost_records
    cdef readonly bint clock_restarted     # the next row begins another run of the clock
    cdef uint64_t counts[DAMAGES]
    cdef uint64_t first_offsets[DAMAGES]
    cdef uint64_t last_tsc[PCPUS]
    cdef uint64_t window_tsc[PCPUS]
    cdef uint16_t domid[PCPUS]
    cdef uint16_t vcpu[PCPUS]
    cdef uint8_t seen[PCPUS]
    cdef uint32_t cpu
    cdef uint64_t window_left
    cdef bint in_window
    cdef bint window_is_new
    cdef bint resyncing
    cdef uint64_t round_max                # newest time stamp so far
    cdef uint64_t previous_max             # the same when the running round of windows began

    def __cinit__(self):
        cdef int i
        for i in range(<int>DAMAGES):
            self.counts[i] = 0
            self.first_offsets[i] = 0
        self.offset = self.records = self.skipped_bytes = self.lost_records = 0
        self.window_left = 0
        self.in_window = self.window_is_new = self.resyncing = self.clock_restarted = False
        self.cpu = 0
        for i in range(<int>PCPUS):
            self.seen[i] = 0
        self._forget()

    cdef void _forget(self) noexcept nogil:
        cdef int i
        self.round_max = self.previous_max = self.watermark = 0
        for i in range(<int>PCPUS):
            self.last_tsc[i] = 0
            self.window_tsc[i] = 0
            self.domid[i] = UNKNOWN_DOMID
            self.vcpu[i] = <uint16_t>i

    cdef void _note(self, int damage, uint64_t at, uint64_t count=1) noexcept nogil:
        if self.counts[damage] == 0:
            self.first_offsets[damage] = at
        self.counts[damage] += count

    @property
    def pcpus(self):
        """The pCPUs that had a window, ascending."""
        cdef int cpu
        cdef list found = []
        for cpu in range(<int>PCPUS):
            if self.seen[cpu]:
                found.append(cpu)
        return found

    @property
    def damages(self):
        """What was wrong: code to (count, file offset of the first)."""
        cdef int i
        cdef dict found = {}
        for i in range(<int>DAMAGES):
            if self.counts[i]:
                found[DAMAGE_CODES[i]] = (self.counts[i], self.first_offsets[i])
        return found

    def tokenize(self, const uint8_t[::1] data, uint64_t[::1] tsc, uint32_t[::1] event, uint8_t[::1] words,
                 uint8_t[::1] timed, uint16_t[::1] pcpu, uint16_t[::1] domid, uint16_t[::1] vcpu,
                 uint64_t[::1] offset):
        """Fill the columns from ``data``, which continues the stream.

        Returns (rows filled, bytes used). It stops when a column is full, when the rest of ``data`` holds no whole
        record, or before a record of another run of the clock (``clock_restarted`` is then true; the rows returned
        end the old run).
        """
        cdef Py_ssize_t rows, used
        if data.shape[0] == 0:
            return 0, 0
        with nogil:
            rows = self._run(&data[0], data.shape[0], tsc, event, words, timed, pcpu, domid, vcpu, offset, &used)
        self.offset += used
        return rows, used

    def finish(self, uint64_t rest):
        """The stream has ended with ``rest`` bytes that ``tokenize`` did not use: account for them."""
        if rest or (self.in_window and self.window_left):
            if self.resyncing:
                pass
            else:
                self._note(TRUNCATED, self.offset)
        self.skipped_bytes += rest
        self.offset += rest

    cdef Py_ssize_t _run(self, const uint8_t *data, Py_ssize_t size, uint64_t[::1] tsc, uint32_t[::1] event,
                         uint8_t[::1] words, uint8_t[::1] timed, uint16_t[::1] pcpu, uint16_t[::1] domid,
                         uint16_t[::1] vcpu, uint64_t[::1] offset, Py_ssize_t *used) noexcept nogil:
        cdef Py_ssize_t pos = 0, row = 0, capacity = tsc.shape[0], skip
        cdef uint32_t header, id_, extra, length, cpu, word
        cdef uint32_t[3] change
        cdef uint64_t stamp
        cdef uint16_t[2] half
        cdef bint is_change
        self.clock_restarted = False
        while row < capacity:
            if self.in_window and self.window_left == 0:
                self.in_window = False
            if not self.in_window:
                if size - pos < CPU_CHANGE_SIZE:
                    break
                memcpy(change, data + pos, CPU_CHANGE_SIZE)
                if change[0] != CPU_CHANGE_HEADER or change[1] >= PCPUS:
                    # Whatever lies here is no window: go on at the next thing that looks like one.
                    if not self.resyncing:
                        self._note(BAD_PCPU if change[0] == CPU_CHANGE_HEADER else RESYNC, self.offset + pos)
                        self.resyncing = True
                    skip = _find_window(data, pos + 1, size) - pos
                    self.skipped_bytes += skip
                    pos += skip
                    continue
                self._open_window(change[1], change[2])
                pos += CPU_CHANGE_SIZE
                continue

            if size - pos < 4:
                break
            memcpy(&header, data + pos, 4)
            if header == CPU_CHANGE_HEADER:
                # A window's size lied, or its end was lost.
                self._note(WINDOW_CUT, self.offset + pos)
                self.in_window = False
                continue
            id_ = header & 0x0FFFFFFF
            extra = (header >> 28) & 7
            length = 4 + 4 * extra + (8 if header >> 31 else 0)
            if length > self.window_left:
                self._note(STRADDLE, self.offset + pos)
                skip = size - pos if <uint64_t>(size - pos) < self.window_left else <Py_ssize_t>self.window_left
                self.skipped_bytes += skip
                self.window_left -= skip
                pos += skip
                continue
            if size - pos < <Py_ssize_t>length:
                break

            cpu = self.cpu
            if header >> 31:
                memcpy(&stamp, data + pos + 4, 8)
                if stamp >= TSC_LIMIT:
                    self._note(BAD_TSC, self.offset + pos)
                    stamp = self.last_tsc[cpu]
                elif self.window_is_new:
                    if self.window_tsc[cpu] and stamp <= self.window_tsc[cpu]:
                        # Not younger than the last window's beginning: another capture or boot starts here.
                        self._note(CLOCK_RESTART, self.offset + pos)
                        self._forget()
                        self.clock_restarted = True
                        break
                    self.window_is_new = False
                    self.window_tsc[cpu] = stamp
                if stamp < self.last_tsc[cpu]:
                    self._note(TSC_BACKWARDS, self.offset + pos)
                self.last_tsc[cpu] = stamp
                if stamp > self.round_max:
                    self.round_max = stamp
            else:
                stamp = self.last_tsc[cpu]

            if id_ != WRAP_BUFFER:
                if extra >= 1:
                    memcpy(half, data + pos + length - 4 * extra, 4)
                is_change = extra >= 1 and (id_ & ~<uint32_t>RUNSTATE_BITS) == RUNSTATE_CHANGE
                if (is_change and (id_ >> 4) & 3 == 0) or (extra >= 1 and id_ == CONTINUE_RUNNING):
                    # The low half is the vCPU.
                    self.domid[cpu] = half[1]
                    self.vcpu[cpu] = half[0]
                tsc[row] = stamp
                event[row] = id_
                words[row] = <uint8_t>extra
                timed[row] = <uint8_t>(header >> 31)
                pcpu[row] = <uint16_t>cpu
                domid[row] = self.domid[cpu]
                vcpu[row] = self.vcpu[cpu]
                offset[row] = self.offset + pos
                row += 1
                if self.domid[cpu] == UNKNOWN_DOMID:
                    self._note(UNATTRIBUTED, self.offset + pos)
                if is_change and (id_ >> 4) & 3 != 0 and (id_ >> 8) & 3 == 0:
                    self.domid[cpu] = UNKNOWN_DOMID
                    self.vcpu[cpu] = <uint16_t>cpu
                elif id_ == LOST_RECORDS and extra == 4:
                    # Here the domain is the low half.
                    memcpy(&word, data + pos + length - 16, 4)
                    memcpy(half, data + pos + length - 12, 4)
                    self._note(LOST, self.offset + pos, word)
                    self.lost_records += word
                    self.domid[cpu] = half[0]
                    self.vcpu[cpu] = half[1]
            self.records += 1
            self.window_left -= length
            pos += length
        used[0] = pos
        return row

    cdef void _open_window(self, uint32_t cpu, uint32_t size) noexcept nogil:
        # xentrace reads the pCPUs' buffers in rounds, lowest first. What a round leaves behind is younger than
        # all that the round before it wrote.
        if self.records and cpu <= self.cpu:
            self.watermark = self.previous_max
            self.previous_max = self.round_max
        self.cpu = cpu
        self.seen[cpu] = 1
        self.window_left = size
        self.in_window = True
        self.window_is_new = True
        self.resyncing = False
        self.records += 1


cdef Py_ssize_t _find_window(const uint8_t *data, Py_ssize_t pos, Py_ssize_t size) noexcept nogil:
    # The next place from pos on where a CPU_CHANGE header stands, or may stand once more bytes come.
    cdef uint32_t header
    while pos + 4 <= size:
        memcpy(&header, data + pos, 4)
        if header == CPU_CHANGE_HEADER:
            return pos
        pos += 1
    return pos
