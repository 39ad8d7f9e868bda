/* A wall clock that is wrong, for one program: loaded before the C library (LD_PRELOAD). CLOCK_OFFSET_S shifts it,
   CLOCK_JUMP_S makes it jump so far forth and back with every look. The monotonic clock stays as it is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static long seconds(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    static int looks;
    if (!real) {
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int failed = real(clock, at);
    if (!failed && clock == CLOCK_REALTIME) {
        long jump = seconds("CLOCK_JUMP_S");
        at->tv_sec += seconds("CLOCK_OFFSET_S") + (__sync_fetch_and_add(&looks, 1) % 2 ? jump : -jump);
    }
    return failed;
}
