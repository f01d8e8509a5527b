# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""xentrace bytes to rows; how they are cut is said in ``cut.pxd``, whose law is this one's too."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from traces.decode.cut cimport BETWEEN, Cutter, DAMAGES, Pcpu, Record, TRUNCATED, forget, next_record, note
from traces.formats.ids cimport PCPUS

#: In the order of ``cut.Damage``.
DAMAGE_CODES = (
    "resync", "bad_pcpu", "record_straddles_window", "window_cut_short", "truncated", "tsc_backwards", "bad_tsc",
    "lost_records", "unattributed", "clock_restart", "out_of_order",
)


cdef class Tokenizer:
    """Cuts a stream of xentrace bytes into rows; keeps what must be known from one piece to the next.

    ``tokenize`` fills columns and says how many bytes it used; ``finish`` accounts for what can't be used any more.
    """

    cdef Cutter cut

    def __cinit__(self):
        memset(&self.cut, 0, sizeof(self.cut))
        self.cut.lanes = 1
        self.cut.pcpus = <Pcpu *>calloc(PCPUS, sizeof(Pcpu))
        if self.cut.pcpus == NULL:
            raise MemoryError()
        forget(&self.cut)

    def __dealloc__(self):
        free(self.cut.pcpus)

    @property
    def offset(self):
        """Bytes used so far, in the stream's own count."""
        return self.cut.offset

    @property
    def records(self):
        """Records so far, windows' headers among them."""
        return self.cut.records

    @property
    def skipped_bytes(self):
        """Bytes that are no record."""
        return self.cut.skipped_bytes

    @property
    def lost_records(self):
        """Records that Xen says it had no room for."""
        return self.cut.lost_records

    @property
    def watermark(self):
        """No later record is older than this."""
        return self.cut.watermark

    @property
    def newest(self):
        """The highest time stamp of this run of the clock."""
        return self.cut.newest

    @property
    def clock_restarted(self):
        """Whether the next row begins another run of the clock."""
        return bool(self.cut.clock_restarted)

    @property
    def pcpus(self):
        """The pCPUs that had a window, ascending."""
        return [i for i in range(PCPUS) if self.cut.pcpus[i].seen]

    @property
    def damages(self):
        """What was wrong: code to (count, file offset of the first)."""
        cdef int i
        cdef dict found = {}
        for i in range(<int>DAMAGES):
            if self.cut.counts[i]:
                found[DAMAGE_CODES[i]] = (self.cut.counts[i], self.cut.first_offsets[i])
        return found

    def promise(self, uint64_t tsc):
        """From now on, records older than ``tsc`` are out of order."""
        self.cut.promised = tsc

    def tokenize(self, const uint8_t[::1] data, uint64_t[::1] tsc, uint32_t[::1] event, uint8_t[::1] words,
                 uint8_t[::1] timed, uint16_t[::1] pcpu, uint16_t[::1] domid, uint16_t[::1] vcpu,
                 uint64_t[::1] offset):
        """Fill the columns from ``data``, which continues the stream.

        Returns (rows filled, bytes used). It stops when a column is full, when the rest of ``data`` holds no whole
        record, or before a record of another run of the clock (``clock_restarted`` is then true; the rows returned
        end the old run).
        """
        cdef Py_ssize_t row = 0, used = 0, size = data.shape[0], capacity = tsc.shape[0]
        cdef Record r
        if size == 0:
            return 0, 0
        if self.cut.clock_restarted:
            forget(&self.cut)
        with nogil:
            while row < capacity and next_record(&self.cut, &data[0], size, &used, &r):
                tsc[row] = r.tsc
                event[row] = r.event
                words[row] = <uint8_t>r.words
                timed[row] = r.timed
                pcpu[row] = <uint16_t>self.cut.cpu
                domid[row] = <uint16_t>(r.who >> 16)
                vcpu[row] = <uint16_t>r.who
                offset[row] = r.offset
                row += 1
        self.cut.offset += used
        return row, used

    def finish(self, uint64_t rest):
        """The stream has ended with ``rest`` bytes that ``tokenize`` did not use: account for them."""
        if rest or (self.cut.place != BETWEEN and self.cut.window_left):
            if not self.cut.resyncing:
                note(&self.cut, TRUNCATED, self.cut.offset, 1)
        self.cut.skipped_bytes += rest
        self.cut.offset += rest
