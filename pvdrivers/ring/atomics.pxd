"""Single aligned accesses to memory that another process changes meanwhile, their order, and looking out for them.

Ref: linux/Documentation/memory-barriers.txt: virt_store_release is xen_wmb and a store, fence is xen_mb
"""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint32_t load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
    static inline uint32_t load_acquire(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
    static inline void store(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
    static inline void store_release(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
    static inline void fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
    #include <time.h>
    static inline uint64_t nanoseconds(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }
    #if defined(__x86_64__) || defined(__i386__)
    static inline void relax(void) { __builtin_ia32_pause(); }
    #elif defined(__aarch64__)
    static inline void relax(void) { __asm__ volatile("yield"); }
    #else
    static inline void relax(void) {}
    #endif
    """
    uint32_t load(const uint32_t *word) noexcept nogil
    uint32_t load_acquire(const uint32_t *word) noexcept nogil
    void store(uint32_t *word, uint32_t value) noexcept nogil
    void store_release(uint32_t *word, uint32_t value) noexcept nogil
    void fence() noexcept nogil
    uint64_t nanoseconds() noexcept nogil
    void relax() noexcept nogil
