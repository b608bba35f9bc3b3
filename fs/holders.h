/* Who holds doomed files (revoke.h), and what is done about them. */
#ifndef GUILDFS_FS_HOLDERS_H
#define GUILDFS_FS_HOLDERS_H

#include "fs/revoke.h"
#include "fs/sweep.h"

/* A process from which something could not be taken back, with what it holds of one share in one view. */
struct gfs_holder {
    pid_t process;
    uint64_t started; /* in clock ticks since boot, which tells it from a later one of that number */
    uint32_t uid;     /* real */
    char program[17];
    gfs_id user, share;
    uint64_t generation; /* of the policy that took it away */
    unsigned descriptors, mappings;
};

/* Accounts of the system have uids up to this one on Debian (SYS_UID_MAX in login.defs(5)). */
enum { GFS_HOLDERS_MAX = 4096, GFS_VICTIMS_MAX = 1024, GFS_SYSTEM_UIDS_MAX = 999 };

struct gfs_holders {
    struct gfs_holder *list;
    size_t count;
};

/* Processes that have been sent SIGKILL and are not gone yet. */
struct gfs_victims {
    int pidfds[GFS_VICTIMS_MAX];
    size_t count;
};

/*
 * Looks for whoever holds one of the files: marks these as held, lists the processes, and kills those
 * that hold a file which says so. Processes of root and of the system's accounts are not killed, but for
 * those of the view's own: whoever has a descriptor can pass it to a service. Each is looked at again once its pidfd is
 * there, so that no other process of that number is hit. 0; a negative errno: nothing is known, everything counts as
 * held.
 */
int gfs_holders_find(dev_t device, struct gfs_doomed_list *doomed, struct gfs_holders *out,
                     struct gfs_victims *victims) GFS_MUST_CHECK;

/* A line for something that a process holds of a mount that died. 1: it had one; -ESRCH: it is gone; -ENOSPC. */
int gfs_holders_add_old(struct gfs_holders *holders, const struct gfs_sweep_found *found, gfs_id user,
                        gfs_id share) GFS_MUST_CHECK;
/* Kills a process that still holds anything of that mount, but not one of root or the system. */
void gfs_holders_kill_old(dev_t device, pid_t process, struct gfs_victims *victims);

/* Waits for the victims' end, two seconds at most, and closes what it has of them. */
void gfs_victims_await(struct gfs_victims *victims);

/* Whether the process is still there. */
bool gfs_holder_lives(const struct gfs_holder *holder);

#endif
