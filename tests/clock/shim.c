/* Sets the wall clock of one program: stands between it and the C library (LD_PRELOAD), and adds the
 * seconds at the beginning of the file CLOCK_OFFSET to what CLOCK_REALTIME shows. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *offset;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CLOCK_OFFSET");
    int fd = path ? open(path, O_RDONLY) : -1;
    void *shared = MAP_FAILED;
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (fd >= 0)
        shared = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        abort();
    offset = shared;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = real_clock_gettime(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && offset)
        time->tv_sec += *offset;
    return result;
}
