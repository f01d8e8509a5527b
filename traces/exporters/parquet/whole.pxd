"""``rint`` of numbers from 0 on, without the call that it is where a processor may be as old as x86-64 is."""

cdef extern from *:
    """
    #include <math.h>
    #if defined(__x86_64__) && !defined(__SSE4_1__)
    /* From 2^52 on no double has a fraction, and what is added to a smaller one leaves no room for any. */
    #define WHOLE 4503599627370496.0
    static inline double rounded(double x) { return x < WHOLE ? x + WHOLE - WHOLE : x; }
    #else
    #define rounded rint
    #endif
    """
    double rounded(double x) noexcept nogil
