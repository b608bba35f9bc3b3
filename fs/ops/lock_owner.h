/*
 * The owners of locks: who has which descriptor of which backing file. lock.c says what an owner is
 * and what is done with it; nobody else includes this.
 */
#ifndef GUILDFS_FS_OPS_LOCK_OWNER_H
#define GUILDFS_FS_OPS_LOCK_OWNER_H

#include <pthread.h>

#include "fs/ops/lock_wait.h"
#include "guildfs/hash.h"

enum gfs_lock_kind { GFS_LOCK_POSIX, GFS_LOCK_WHOLE_FILE };

enum { GFS_LOCK_BUCKETS = 1024 };

struct gfs_lock_owner {
    /* never changes */
    struct gfs_locks *locks;
    const struct gfs_backing *backing; /* only compared */
    uint64_t id;
    enum gfs_lock_kind kind;
    int fd;
    /* under the table's lock */
    const struct gfs_handle *handle; /* used last; only compared */
    pid_t pid;                       /* of the client that locked last, for F_GETLK */
    unsigned users;                  /* requests that use fd now, waiters among them */
    bool late;                       /* locked without a FLUSH to come: ends at RELEASE */
    bool holds;                      /* may hold locks; false only when it certainly holds none */
    struct gfs_lock_owner *next;
};

struct gfs_locks {
    pthread_mutex_t lock; /* number 3 of the lock order; never held across a system call */
    struct gfs_lock_owner *buckets[GFS_LOCK_BUCKETS];
    /* So that FLUSH and RELEASE cost nothing where nobody locks. */
    _Atomic size_t owners;
    _Atomic unsigned endings; /* how often locks have ended by FLUSH or RELEASE */
    pthread_cond_t ended;     /* one of these has */
    struct gfs_lock_waiters *waiters;
    bool stopped; /* no waiter is left, and none will come */
};

/* All owners of one backing share a bucket, since FLUSH, RELEASE and F_GETLK look at them all. */
static inline struct gfs_lock_owner **gfs_lock_bucket(struct gfs_locks *locks, const struct gfs_backing *backing) {
    return &locks->buckets[gfs_hash_pair((uintptr_t)backing, 0) % GFS_LOCK_BUCKETS];
}

/* Counts the caller among the users. NULL: there is none. */
struct gfs_lock_owner *gfs_lock_owner_borrow(struct gfs_locks *locks, const struct gfs_backing *backing, uint64_t id,
                                             enum gfs_lock_kind kind);
/* Finds the owner or makes it, and counts the caller among its users. */
int gfs_lock_owner_obtain(struct gfs_mount *mount, const struct gfs_handle *handle, uint64_t id,
                          enum gfs_lock_kind kind, struct gfs_lock_owner **out) GFS_MUST_CHECK;
/* Gives the owner back; the last user frees one that holds nothing. Closing its descriptor ends
 * whatever locks a race has left on it. */
void gfs_lock_owner_put(struct gfs_lock_owner *owner, bool locked);

/*
 * After a conflict that was found when there had been so many endings: waits while it may be with
 * somebody whose RELEASE is still to come, until locks have ended: then true, and to be tried again.
 */
bool gfs_locks_wait_for_late(struct gfs_locks *locks, const struct gfs_backing *backing,
                             const struct gfs_lock_owner *own, unsigned endings, int64_t deadline_ns);

#endif
