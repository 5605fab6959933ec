/* A slow disk: below SLOW_BELOW every call on a file takes 50 ms, and nothing is in
 * memory.  Databases, whose names end in .db, .db-wal or -shm, stay as fast as they are.
 *
 * Loaded into a server with LD_PRELOAD by benchmarks/ftp_peers.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NOWAIT 0x8
#define CACHED 0x20

static int is_slow(int descriptor) {
    char link[64], path[PATH_MAX];
    const char *below = getenv("SLOW_BELOW");
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (below == NULL || size < 0) return 0;
    path[size] = 0;
    if (strncmp(path, below, strlen(below)) != 0) return 0;
    return strstr(path, "/files/") != NULL || strstr(path, "/root/") != NULL;
}

static void delay(int descriptor) {
    struct timespec wait = {0, 50 * 1000 * 1000};
    int saved = errno;
    if (is_slow(descriptor)) nanosleep(&wait, NULL);
    errno = saved;
}

#define REAL(result, name, ...)                                                         \
    static result (*real)(__VA_ARGS__);                                                 \
    if (real == NULL) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int file, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    delay(file);
    return real(file, data, size);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    delay(file);
    return real(file, parts, count);
}

ssize_t pread64(int file, void *data, size_t size, off64_t offset) {
    REAL(ssize_t, "pread64", int, void *, size_t, off64_t);
    delay(file);
    return real(file, data, size, offset);
}

ssize_t preadv64v2(int file, const struct iovec *parts, int count, off64_t offset,
                   int flags) {
    REAL(ssize_t, "preadv64v2", int, const struct iovec *, int, off64_t, int);
    if (flags & NOWAIT && is_slow(file)) {
        errno = EAGAIN;
        return -1;
    }
    delay(file);
    return real(file, parts, count, offset, flags);
}

ssize_t preadv2(int file, const struct iovec *parts, int count, off_t offset,
                int flags) {
    return preadv64v2(file, parts, count, offset, flags);
}

int fsync(int file) {
    REAL(int, "fsync", int);
    delay(file);
    return real(file);
}

int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    delay(file);
    return real(file);
}

int renameat(int from, const char *old, int directory, const char *name) {
    REAL(int, "renameat", int, const char *, int, const char *);
    delay(directory);
    return real(from, old, directory, name);
}

int openat64(int directory, const char *path, int flags, ...) {
    REAL(int, "openat64", int, const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    int file = real(directory, path, flags, mode);
    if (flags & O_CREAT) delay(file);
    return file;
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    int file = real(path, flags, mode);
    if (flags & O_CREAT) delay(file);
    return file;
}

long syscall(long number, ...) {
    REAL(long, "syscall", long, ...);
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
    va_end(rest);
    /* The last word of struct open_how says how a path is resolved. */
    int is_glance = number == SYS_openat2 && ((uint64_t *)a[2])[2] & CACHED;
    if (is_glance && is_slow((int)a[0])) {
        errno = EAGAIN;
        return -1;
    }
    if (number == SYS_openat2) delay((int)a[0]);
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
