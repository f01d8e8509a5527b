/* A file system that cannot say whether a write would wait, and is slow or not: preloaded into a backend.
 * Each write that may wait leaves a byte in $SLOW_FILE_LOG: q by the thread that tried first, t by another. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static ssize_t (*real)(int, const struct iovec *, int, off64_t, int);
static volatile pid_t first;
static int told;

__attribute__((constructor)) static void begin(void)
{
    real = dlsym(RTLD_NEXT, "pwritev64v2");
    told = open(getenv("SLOW_FILE_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
}

/* As it is called with 64-bit offsets. */
ssize_t pwritev64v2(int fd, const struct iovec *buffers, int count, off64_t offset, int flags)
{
    long nanoseconds = atol(getenv("SLOW_FILE_NS"));
    struct timespec nap = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    if (flags) {
        first = gettid();
        errno = EOPNOTSUPP;
        return -1;
    }
    if (write(told, gettid() == first ? "q" : "t", 1) != 1)
        abort();
    if (nanoseconds)
        nanosleep(&nap, NULL);
    return real(fd, buffers, count, offset, 0);
}
