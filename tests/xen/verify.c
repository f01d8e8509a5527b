/*
 * Random writes by several processes at once, then reads that check them: fio's --rw=randwrite --verify, in a program
 * small enough to be sent to a guest that has no libraries.
 *
 * usage: verify DEVICE MEBIBYTES JOBS
 *
 * Each job has a part of the device of its own, and a size of its own for its writes, all of which bypass the cache: it
 * writes up to 1024 places, in random order, then half of them anew, and reads all of them in another order. Each eight
 * bytes say where they are and which turn wrote them. It prints "verified" and how many writes and reads there were, or
 * what is wrong, a line each.
 *
 * No C library: x86-64 Linux calls alone. cc -nostdlib -static -fno-stack-protector -O1
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { LARGEST = 1 << 20, PLACES_MAX = 1024 };

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

static void say(const char *text, long value, const char *unit)
{
    char line[160], *end = line + sizeof line, *at = end;
    const char *last;
    unsigned long left = value < 0 ? -value : value;
    *--at = '\n';
    for (last = unit; *last; last++)
        ;
    while (last > unit)
        *--at = *--last;
    do
        *--at = '0' + left % 10;
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    for (last = text; *last; last++)
        ;
    while (last > text)
        *--at = *--last;
    call(SYS_write, 1, (long)at, end - at, 0, 0, 0);
}

static void leave(int code)
{
    call(SYS_exit_group, code, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

static void *pages(long size)
{
    return (void *)call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static uint64_t mixed(uint64_t value)
{
    value = (value ^ value >> 31) * 0x7fb5d329728ea185;
    value = (value ^ value >> 27) * 0x81dadef4bc2dd44d;
    return value ^ value >> 33;
}

static void shuffle(uint32_t *order, uint32_t count, uint64_t seed)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = mixed(seed + i) % i, kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

static int job(int fd, int number, uint64_t start, uint64_t size)
{
    static const uint32_t SIZES[] = {4096, 16384, 65536, LARGEST, 8192, 36864};
    uint32_t unit = SIZES[number % 6], count = size / unit;
    /* Small ones are spread over their part. */
    uint32_t most = unit < 16384 ? 512 : 1024;
    uint64_t *data = pages(LARGEST);
    uint32_t *order = pages(PLACES_MAX * 4);
    uint8_t *turns = pages(PLACES_MAX);
    if (count > most)
        count = most;
    uint64_t stride = size / count / unit * unit;
    for (int turn = 1; turn <= 2; turn++) {
        shuffle(order, count, number * 1000 + turn);
        for (uint32_t i = 0; i < (turn == 1 ? count : count / 2); i++) {
            uint64_t at = start + order[i] * stride;
            for (uint32_t word = 0; word < unit / 8; word++)
                data[word] = mixed(at + 8 * word) + turn;
            long wrote = call(SYS_pwrite64, fd, (long)data, unit, at, 0, 0);
            if (wrote != unit) {
                say("WRONG: a write gave ", wrote, "");
                return 1;
            }
            turns[order[i]] = turn;
        }
    }
    if (call(SYS_fsync, fd, 0, 0, 0, 0, 0))
        return 1;
    shuffle(order, count, number);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = start + order[i] * stride;
        if (call(SYS_pread64, fd, (long)data, unit, at, 0, 0) != unit) {
            say("WRONG: no read at ", at, "");
            return 1;
        }
        for (uint32_t word = 0; word < unit / 8; word++)
            if (data[word] != mixed(at + 8 * word) + turns[order[i]]) {
                say("WRONG: other data at byte ", at + 8 * word, "");
                return 1;
            }
    }
    say("verified ", count + count / 2, " writes");
    return 0;
}

static long number(const char *text)
{
    long value = 0;
    while (*text)
        value = value * 10 + *text++ - '0';
    return value;
}

void begin(long *stack)
{
    char **argv = (char **)(stack + 1);
    if (stack[0] != 4)
        leave(2);
    int fd = call(SYS_open, (long)argv[1], O_RDWR | O_DIRECT, 0, 0, 0, 0);
    if (fd < 0) {
        say("WRONG: cannot open it: ", fd, "");
        leave(1);
    }
    long jobs = number(argv[3]);
    uint64_t size = (number(argv[2]) << 20) / jobs;
    for (int i = 0; i < jobs; i++)
        if (!call(SYS_fork, 0, 0, 0, 0, 0, 0))
            leave(job(fd, i, i * size, size));
    int failed = 0, status;
    while (call(SYS_wait4, -1, (long)&status, 0, 0, 0, 0) > 0)
        failed |= status;
    leave(failed != 0);
}

asm(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
