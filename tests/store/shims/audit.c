/* Counts what was written below AUDIT_ROOT and is not on stable storage yet.
 *
 * Loaded with LD_PRELOAD.  For each file it keeps the octets written since the last
 * fsync or fdatasync of it, and for each directory the names made since it was synced.
 * A sync only covers what was written before it began.  AUDIT_EXEMPT holds parts of
 * paths, separated by colons, that do not count ("|" is the end of a path): locks, the
 * shared index of the log, and the database file itself, whose octets are also in the
 * log until it is synced.  AUDIT_EXEMPT_NAMES holds those whose names do not count.
 *
 * A process asks with audit_dirty() and audit_list() (ctypes.CDLL(None)).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define ENTRIES 4096

struct entry {
    dev_t device;
    ino_t inode;
    long written;
    long synced;
    char path[256];
};

static struct entry entries[ENTRIES];
static int used;
static long syncs;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(result, name, ...)                                                  \
    static result (*real)(__VA_ARGS__);                                          \
    if (real == NULL)                                                            \
        real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int is_exempt(const char *path, const char *exempt) {
    char whole[PATH_MAX + 1], part[PATH_MAX];
    size_t length;
    snprintf(whole, sizeof whole, "%s|", path);
    while (exempt != NULL && *exempt != '\0') {
        length = strcspn(exempt, ":");
        if (length > 0 && length < sizeof part) {
            memcpy(part, exempt, length);
            part[length] = '\0';
            if (strstr(whole, part) != NULL)
                return 1;
        }
        exempt += length + (exempt[length] == ':');
    }
    return 0;
}

static int counts(const char *path, int is_name) {
    const char *root = getenv("AUDIT_ROOT");
    if (root == NULL || strncmp(path, root, strlen(root)) != 0)
        return 0;
    path += strlen(root);
    if (is_name && is_exempt(path, getenv("AUDIT_EXEMPT_NAMES")))
        return 0;
    return !is_exempt(path, getenv("AUDIT_EXEMPT"));
}

static struct entry *find(const struct stat *found, const char *path) {
    int i;
    for (i = 0; i < used; i++)
        if (entries[i].device == found->st_dev && entries[i].inode == found->st_ino) {
            if (path != NULL)
                snprintf(entries[i].path, sizeof entries[i].path, "%s", path);
            return &entries[i];
        }
    if (path == NULL)
        return NULL;
    if (used == ENTRIES)
        abort();
    entries[used].device = found->st_dev;
    entries[used].inode = found->st_ino;
    snprintf(entries[used].path, sizeof entries[used].path, "%s", path);
    return &entries[used++];
}

static void wrote(int descriptor, long octets) {
    char name[64], path[PATH_MAX];
    struct stat found;
    ssize_t length;
    int saved = errno;
    if (octets <= 0)
        return;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    length = readlink(name, path, sizeof path - 1);
    if (length > 0) {
        path[length] = '\0';
        if (counts(path, 0) && fstat(descriptor, &found) == 0 && S_ISREG(found.st_mode)) {
            pthread_mutex_lock(&mutex);
            find(&found, path)->written += octets;
            pthread_mutex_unlock(&mutex);
        }
    }
    errno = saved;
}

static void named(int directory, const char *name) {
    char above[PATH_MAX], whole[PATH_MAX], real[PATH_MAX];
    struct stat found;
    char *slash;
    int saved = errno;
    if (name[0] == '/' || directory == AT_FDCWD)
        snprintf(whole, sizeof whole, "%s", name);
    else
        snprintf(whole, sizeof whole, "/proc/self/fd/%d/%s", directory, name);
    snprintf(above, sizeof above, "%s", whole);
    slash = strrchr(above, '/');
    if (slash == NULL)
        snprintf(above, sizeof above, ".");
    else
        *slash = '\0';
    if (realpath(above, real) != NULL && stat(real, &found) == 0) {
        size_t length = strlen(real);
        snprintf(real + length, sizeof real - length, "/%s",
                 slash == NULL ? name : strrchr(whole, '/') + 1);
        if (counts(real, 1)) {
            real[length] = '\0';
            pthread_mutex_lock(&mutex);
            find(&found, real)->written += 1;
            pthread_mutex_unlock(&mutex);
        }
    }
    errno = saved;
}

static int sync_with(int (*real)(int), int descriptor) {
    struct stat found;
    struct entry *entry = NULL;
    long before = 0;
    int result;
    if (fstat(descriptor, &found) == 0) {
        pthread_mutex_lock(&mutex);
        entry = find(&found, NULL);
        before = entry == NULL ? 0 : entry->written;
        pthread_mutex_unlock(&mutex);
    }
    result = real(descriptor);
    if (result == 0) {
        pthread_mutex_lock(&mutex);
        syncs++;
        /* Two threads may sync the same file. */
        if (entry != NULL && entry->synced < before)
            entry->synced = before;
        pthread_mutex_unlock(&mutex);
    }
    return result;
}

long audit_dirty(void) {
    long total = 0;
    int i;
    pthread_mutex_lock(&mutex);
    for (i = 0; i < used; i++)
        total += entries[i].written - entries[i].synced;
    pthread_mutex_unlock(&mutex);
    return total;
}

long audit_syncs(void) { return syncs; }

void audit_list(char *text, size_t size) {
    size_t at = 0;
    int i;
    text[0] = '\0';
    pthread_mutex_lock(&mutex);
    for (i = 0; i < used && at < size; i++)
        if (entries[i].written != entries[i].synced)
            at += (size_t)snprintf(text + at, size - at, "%ld %s\n",
                                   entries[i].written - entries[i].synced,
                                   entries[i].path);
    pthread_mutex_unlock(&mutex);
}

int fsync(int descriptor) {
    REAL(int, "fsync", int);
    return sync_with(real, descriptor);
}

int fdatasync(int descriptor) {
    REAL(int, "fdatasync", int);
    return sync_with(real, descriptor);
}

ssize_t write(int descriptor, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    ssize_t result = real(descriptor, data, size);
    wrote(descriptor, result);
    return result;
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    ssize_t result = real(descriptor, data, size, offset);
    wrote(descriptor, result);
    return result;
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    ssize_t result = real(descriptor, data, size, offset);
    wrote(descriptor, result);
    return result;
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    ssize_t result = real(descriptor, parts, count);
    wrote(descriptor, result);
    return result;
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
    ssize_t result = real(descriptor, parts, count, offset);
    wrote(descriptor, result);
    return result;
}

ssize_t sendfile(int out, int in, off_t *offset, size_t size) {
    REAL(ssize_t, "sendfile", int, int, off_t *, size_t);
    ssize_t result = real(out, in, offset, size);
    wrote(out, result);
    return result;
}

ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t size,
                        unsigned flags) {
    REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned);
    ssize_t result = real(in, from, out, to, size, flags);
    wrote(out, result);
    return result;
}

#define OPEN(function)                                                           \
    int function(const char *path, int flags, ...) {                             \
        REAL(int, #function, const char *, int, ...);                            \
        va_list rest;                                                            \
        mode_t mode;                                                             \
        va_start(rest, flags);                                                   \
        mode = (flags & O_CREAT) ? (mode_t)va_arg(rest, int) : 0;                \
        va_end(rest);                                                            \
        int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;               \
        int result = real(path, flags, mode);                                    \
        if (result >= 0 && is_new)                                               \
            named(AT_FDCWD, path);                                               \
        return result;                                                           \
    }

#define OPENAT(function)                                                         \
    int function(int directory, const char *path, int flags, ...) {              \
        REAL(int, #function, int, const char *, int, ...);                       \
        va_list rest;                                                            \
        mode_t mode;                                                             \
        va_start(rest, flags);                                                   \
        mode = (flags & O_CREAT) ? (mode_t)va_arg(rest, int) : 0;                \
        va_end(rest);                                                            \
        int is_new = (flags & O_CREAT) && faccessat(directory, path, F_OK, 0) != 0; \
        int result = real(directory, path, flags, mode);                         \
        if (result >= 0 && is_new)                                               \
            named(directory, path);                                              \
        return result;                                                           \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int link(const char *old, const char *name) {
    REAL(int, "link", const char *, const char *);
    int result = real(old, name);
    if (result == 0)
        named(AT_FDCWD, name);
    return result;
}

int linkat(int from, const char *old, int directory, const char *name, int flags) {
    REAL(int, "linkat", int, const char *, int, const char *, int);
    int result = real(from, old, directory, name, flags);
    if (result == 0)
        named(directory, name);
    return result;
}

int rename(const char *old, const char *name) {
    REAL(int, "rename", const char *, const char *);
    int result = real(old, name);
    if (result == 0)
        named(AT_FDCWD, name);
    return result;
}

int renameat(int from, const char *old, int directory, const char *name) {
    REAL(int, "renameat", int, const char *, int, const char *);
    int result = real(from, old, directory, name);
    if (result == 0)
        named(directory, name);
    return result;
}

int renameat2(int from, const char *old, int directory, const char *name,
              unsigned flags) {
    REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
    int result = real(from, old, directory, name, flags);
    if (result == 0)
        named(directory, name);
    return result;
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    int result = real(path, mode);
    if (result == 0)
        named(AT_FDCWD, path);
    return result;
}

int mkdirat(int directory, const char *path, mode_t mode) {
    REAL(int, "mkdirat", int, const char *, mode_t);
    int result = real(directory, path, mode);
    if (result == 0)
        named(directory, path);
    return result;
}
