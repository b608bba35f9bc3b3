/* Clocks. All times in the project are nanoseconds in an int64_t, unless a name says otherwise. */
#ifndef GUILDFS_CLOCK_H
#define GUILDFS_CLOCK_H

#include <stdint.h>

#define GFS_NS_PER_S 1000000000LL
#define GFS_NEVER INT64_MAX /* an end that never comes */

/* Wall clock, since 1970-01-01 UTC: for what is stored or shown. */
int64_t gfs_now_ns(void);

/* Monotonic clock: for deadlines and durations. */
int64_t gfs_monotonic_ns(void);

#endif
