/* Makes a disk slow, full or broken, for files whose path holds FAULT_PATH.
 *
 * Loaded with LD_PRELOAD.  FAULT_SYNC_MS delays every fsync and fdatasync.  A process
 * arms a fault with faults_arm(kind, skip, count, error) (ctypes.CDLL(None)): of the
 * calls of that kind, 'w'rites or 's'yncs, `skip` succeed, then `count` fail with that
 * errno.  faults_hit() is how many have failed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int armed_kind, armed_skip, armed_count, armed_error, hit;

#define REAL(result, name, ...)                                                  \
    static result (*real)(__VA_ARGS__);                                          \
    if (real == NULL)                                                            \
        real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

void faults_arm(int kind, int skip, int count, int error) {
    armed_skip = skip;
    armed_count = count;
    armed_error = error;
    hit = 0;
    armed_kind = kind;
}

int faults_hit(void) { return hit; }

static int fails(int kind, int descriptor) {
    const char *part = getenv("FAULT_PATH");
    char name[64], path[PATH_MAX];
    ssize_t length;
    if (kind != armed_kind || armed_count == 0)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    length = readlink(name, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = '\0';
    if (part == NULL || strstr(path, part) == NULL)
        return 0;
    if (armed_skip-- > 0)
        return 0;
    armed_skip = 0;
    if (armed_count > 0)
        armed_count--;
    hit++;
    errno = armed_error;
    return 1;
}

static void wait_a_while(void) {
    const char *text = getenv("FAULT_SYNC_MS");
    long milliseconds = text == NULL ? 0 : atol(text);
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    if (milliseconds > 0)
        nanosleep(&pause, NULL);
}

int fsync(int descriptor) {
    REAL(int, "fsync", int);
    wait_a_while();
    return fails('s', descriptor) ? -1 : real(descriptor);
}

int fdatasync(int descriptor) {
    REAL(int, "fdatasync", int);
    wait_a_while();
    return fails('s', descriptor) ? -1 : real(descriptor);
}

ssize_t write(int descriptor, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return fails('w', descriptor) ? -1 : real(descriptor, data, size);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return fails('w', descriptor) ? -1 : real(descriptor, data, size, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return fails('w', descriptor) ? -1 : real(descriptor, data, size, offset);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return fails('w', descriptor) ? -1 : real(descriptor, parts, count);
}
