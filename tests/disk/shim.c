/* Stands between the program and the C library, by LD_PRELOAD: writes down, in the order in which
 * they happen, everything that the program does to the files below one directory and the beginning of
 * everything that it sends to its clients; and lets the disk be full, fail, or be the last thing that
 * the program sees.
 *
 * DISK_ROOT     the directory, absolute and without links.
 * DISK_JOURNAL  the file that is appended to; without it nothing is written down. A record is a byte
 *               that says what, the length of the rest in 32 bits, and the rest. Each is appended by
 *               one call, so the file has the one order in which things happened, of all threads,
 *               and of the test, which appends too.
 * DISK_CONTROL  a file with `struct control`, which the test changes while the program runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES 4096
/* Of an answer: its head, which has the request id. */
#define TOLD 384

static struct control {
    /* The program is killed instead of doing this many-th operation; 0: never. */
    volatile uint64_t die_at;
    /* Files may grow by one byte less than this; 0: without limit. */
    volatile uint64_t room;
    /* Not 0: every sync fails. */
    volatile uint64_t sync_fails;
    /* Operations so far. */
    volatile uint64_t operations;
} *control;

static struct control without_control;
static char root[PATH_MAX];
static size_t root_length;
static int journal = -1;
/* By descriptor: whether the file is one of ours. */
static volatile char ours[FILES];

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_mkdir)(const char *, mode_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_writev)(int, const struct iovec *, int);

static void put(char kind, const void *first, size_t first_length, const void *rest, size_t length)
{
    if (journal < 0)
        return;
    char head[5] = { kind };
    uint32_t all = (uint32_t)(first_length + length);
    memcpy(head + 1, &all, 4);
    struct iovec parts[3] = {
        { head, sizeof head }, { (void *)first, first_length }, { (void *)rest, length }
    };
    if (syscall(SYS_writev, journal, parts, 3) != (long)(sizeof head + all))
        abort();
}

static void put_file(char kind, int fd, uint64_t number, const void *rest, size_t length)
{
    char first[12];
    uint32_t file = (uint32_t)fd;
    memcpy(first, &file, 4);
    memcpy(first + 4, &number, 8);
    put(kind, first, sizeof first, rest, length);
}

__attribute__((constructor)) static void begin(void)
{
    real_open = dlsym(RTLD_NEXT, "open");
    real_close = dlsym(RTLD_NEXT, "close");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_mkdir = dlsym(RTLD_NEXT, "mkdir");
    real_send = dlsym(RTLD_NEXT, "send");
    real_writev = dlsym(RTLD_NEXT, "writev");
    const char *directory = getenv("DISK_ROOT");
    if (directory && strlen(directory) < sizeof root) {
        strcpy(root, directory);
        root_length = strlen(root);
    }
    const char *path = getenv("DISK_JOURNAL");
    if (path)
        journal = real_open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    control = &without_control;
    path = getenv("DISK_CONTROL");
    int fd = path ? real_open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED)
            control = page;
        real_close(fd);
    }
    put('S', NULL, 0, NULL, 0);
}

static int below_root(const char *path)
{
    return root_length && strncmp(path, root, root_length) == 0
        && (path[root_length] == '/' || path[root_length] == 0);
}

static int is_ours(int fd)
{
    return fd >= 0 && fd < FILES && ours[fd];
}

static void operation(void)
{
    uint64_t number = __atomic_add_fetch(&control->operations, 1, __ATOMIC_SEQ_CST);
    if (control->die_at && number >= control->die_at)
        kill(getpid(), SIGKILL);
}

/* Takes room for so many bytes, or for fewer, and tells for how many. */
static uint64_t take_room(uint64_t bytes)
{
    uint64_t room = control->room;
    if (!room || !bytes)
        return bytes;
    uint64_t taken = bytes < room - 1 ? bytes : room - 1;
    control->room = room - taken;
    return taken;
}

static uint64_t size_of(int fd)
{
    struct stat found;
    return fstat(fd, &found) == 0 ? (uint64_t)found.st_size : 0;
}

static int open_file(const char *path, int flags, mode_t mode)
{
    if (!below_root(path))
        return real_open(path, flags, mode);
    struct stat found;
    char made = (flags & O_CREAT) && stat(path, &found) != 0;
    if (made)
        operation();
    int fd = real_open(path, flags, mode);
    if (fd < 0)
        return fd;
    if (fd >= FILES)
        abort();
    ours[fd] = 1;
    put_file('O', fd, (uint64_t)made | ((flags & O_TRUNC) ? 2 : 0), path, strlen(path));
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_file(path, flags, mode);
}

int close(int fd)
{
    if (is_ours(fd))
        ours[fd] = 0;
    return real_close(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset)
{
    if (!is_ours(fd))
        return real_pwrite(fd, bytes, length, offset);
    operation();
    uint64_t size = size_of(fd), end = (uint64_t)offset + length;
    if (end > size) {
        uint64_t growth = end - size, room = take_room(growth);
        if (room < growth) {
            if (growth - room >= length) {
                errno = ENOSPC;
                return -1;
            }
            length -= growth - room;
        }
    }
    ssize_t written = real_pwrite(fd, bytes, length, offset);
    if (written > 0)
        put_file('W', fd, (uint64_t)offset, bytes, (size_t)written);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite64(fd, bytes, length, offset);
}

int ftruncate64(int fd, off_t size)
{
    if (!is_ours(fd))
        return real_ftruncate(fd, size);
    operation();
    int result = real_ftruncate(fd, size);
    if (result == 0)
        put_file('T', fd, (uint64_t)size, NULL, 0);
    return result;
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

static int sync_file(int fd, int (*real)(int))
{
    if (!is_ours(fd))
        return real(fd);
    operation();
    if (control->sync_fails) {
        put_file('F', fd, 0, NULL, 0);
        errno = EIO;
        return -1;
    }
    /* The disk of a test is in memory, or need not work for nothing: what counts is the order. */
    put_file('Y', fd, 0, NULL, 0);
    return 0;
}

int fsync(int fd)
{
    return sync_file(fd, real_fsync);
}

int fdatasync(int fd)
{
    return sync_file(fd, real_fdatasync);
}

int unlink(const char *path)
{
    if (!below_root(path))
        return real_unlink(path);
    operation();
    int result = real_unlink(path);
    if (result == 0)
        put('U', path, strlen(path), NULL, 0);
    return result;
}

int rename(const char *from, const char *to)
{
    /* Nobody renames anything today. Whoever does has to teach the test what that means. */
    if (below_root(from) || below_root(to))
        abort();
    return real_rename(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    if (!below_root(path))
        return real_mkdir(path, mode);
    operation();
    int result = real_mkdir(path, mode);
    if (result == 0)
        put('M', path, strlen(path), NULL, 0);
    return result;
}

/* What is sent is written down first: nobody can have been told of it earlier. */
ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    put('A', bytes, length < TOLD ? length : TOLD, NULL, 0);
    return real_send(fd, bytes, length, flags);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (count > 0)
        put('A', parts[0].iov_base, parts[0].iov_len < TOLD ? parts[0].iov_len : TOLD, NULL, 0);
    return real_writev(fd, parts, count);
}
