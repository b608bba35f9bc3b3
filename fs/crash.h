/*
 * What a daemon that died has left behind. Files of fast shares that were open go on working without it, also
 * under the next daemon, and nothing can poison them any more. So each daemon notes which generation of
 * the policy is settled (revoke.h) in /run/guildfs/MAJOR-MINOR.state; the next one on that mountpoint looks for
 * processes that hold something of the dead mount before it is detached, and, when the policy is not the one that was
 * settled, at what they may do by now. Whoever may not have what it holds is killed where the share says so, else
 * named.
 */
#ifndef GUILDFS_FS_CRASH_H
#define GUILDFS_FS_CRASH_H

#include "fs/mount.h"
#include "fs/sweep.h"

struct gfs_crash {
    bool any;
    dev_t device;
    uint64_t settled; /* 0: not known */
    char user[256];   /* of a mount that was one user's view; "" */
    struct gfs_sweep_result found;
};

/* Notes what is settled. Called by the threads that settle, and at the start. */
void gfs_crash_note(struct gfs_mount *mount, uint64_t settled);
/* At the end, when nothing of the mount is left behind by a crash. */
void gfs_crash_forget(struct gfs_mount *mount);

/* Looks at a dead mount that is still mounted. */
void gfs_crash_look(dev_t device, struct gfs_crash *out);
/* Deals with what was found, and frees it. The authority must be there, and the tables. */
void gfs_crash_deal(struct gfs_mount *mount, struct gfs_crash *crash);

#endif
