/* What one process holds, see sweep.h: by /proc/PID/fd, maps and map_files. */
#ifndef GUILDFS_FS_SWEEP_PROCESS_H
#define GUILDFS_FS_SWEEP_PROCESS_H

#include "fs/sweep.h"

struct gfs_sweep_list {
    struct gfs_sweep_found *list;
    size_t count;
    bool failed; /* memory was out: something is missing */
};

void gfs_sweep_list_add(struct gfs_sweep_list *list, const struct gfs_sweep_found *found);

/* Adds what the process holds. May hang. A process that is gone holds nothing. */
void gfs_sweep_process(pid_t process, dev_t device, const uint64_t *nodes, size_t count, struct gfs_sweep_list *out);

#endif
