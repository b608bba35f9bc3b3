/*
 * The inside of the authority: authority.c holds and swaps the current snapshot, refresher.c is
 * the thread that keeps it current, deadline.c the one that says when that fails for too long.
 *
 * Locks, in the order in which they are taken: refresh_lock, status_lock; and deadline_lock, below
 * refresh_lock. Readers take none of them.
 */
#ifndef GUILDFS_CORE_AUTHORITY_AUTHORITY_H
#define GUILDFS_CORE_AUTHORITY_AUTHORITY_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "guildfs/authority.h"
#include "guildfs/store.h"

#define GFS_STORE_WAIT_MS 1000 /* for a lock that another process holds on the database */

struct gfs_authority {
    _Atomic(struct gfs_snapshot *) current;
    /* Monotonic clock: nobody is served after it. A time and not a flag, so that it passes also
     * when the refresher hangs. */
    _Atomic int64_t deadline_ns;

    /* never change */
    char *directory;
    char *database; /* path of guildfs.db */
    struct gfs_authority_options options;
    pthread_t thread, deadline_thread;
    int wake_fd; /* eventfd: ends the refresher's pause */
    atomic_bool stopping;

    /* Held while the store is read and the snapshot swapped; for as long as that takes. */
    pthread_mutex_t refresh_lock;
    struct gfs_store *store;      /* refresh_lock; NULL while it cannot be opened */
    dev_t device;                 /* refresh_lock: of the database file that `store` has open */
    ino_t inode;                  /* refresh_lock */
    struct gfs_snapshot *retired; /* refresh_lock: swapped out, perhaps still held by readers */
    bool whole;                   /* refresh_lock: the next load has to be a whole one */
    int reported;                 /* refresh_lock: errno of the problem that was logged last; 0 */
    _Atomic int64_t next_end_ns;  /* written under refresh_lock: when something ends next, wall clock */

    pthread_mutex_t status_lock;        /* held for a copy only */
    struct gfs_authority_status status; /* status_lock */

    pthread_mutex_t deadline_lock;
    pthread_cond_t deadline_moved; /* or the authority ends */
    bool told_stale;               /* deadline_lock: what was said last */
};

/* Whether the deadline has passed. What this once said, of a deadline that is not moved, every reader sees. */
bool gfs_authority_is_stale(const struct gfs_authority *authority);

/*
 * Looks at the store: loads what changed, or (when it has to, or in any case) all of it; swaps, and
 * moves the deadline.
 * Under refresh_lock. Errors as for gfs_store_open(); the problem is recorded and logged.
 */
int gfs_authority_look(struct gfs_authority *authority, bool load, struct gfs_error *err);

/* Moves on to a snapshot of the same policy when something ended since the current one. Under
 * refresh_lock. */
void gfs_authority_pass_end(struct gfs_authority *authority);

/* Frees what was swapped out and is not held any more. Under refresh_lock. */
void gfs_authority_reclaim(struct gfs_authority *authority);

/* The thread that tells, once, when the deadline has passed, and logs when it lies ahead again; its
 * argument is the authority. To be called when the deadline was moved, or the authority ends. */
void *gfs_deadline_run(void *authority);
void gfs_deadline_moved(struct gfs_authority *authority);

/* The refresher thread; its argument is the authority. */
void *gfs_refresher_run(void *authority);

#endif
