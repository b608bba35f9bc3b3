#include "guildfs/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t clock) {
    struct timespec now = {0};

    /* Fails only for a clock that does not exist, and these two always do. */
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * GFS_NS_PER_S + now.tv_nsec;
}

int64_t gfs_now_ns(void) {
    return read_clock(CLOCK_REALTIME);
}

int64_t gfs_monotonic_ns(void) {
    return read_clock(CLOCK_MONOTONIC);
}
