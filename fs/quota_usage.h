/*
 * What the shares with a quota use: the records behind quota.h, shared by quota.c, which keeps
 * them by differences, and quota_count.c, which counts.
 *
 * Locks. A change holds the size lock of its file from before the system call until it is
 * charged, so that two writers of one file do not both claim the same growth. The size locks are
 * striped, since most files are never written; a thread holds one at most. Below it, and held for
 * a few instructions only, is `lock`: it guards the count that is running and the queue.
 * A share's record is never freed before the end, so finding one takes no lock.
 */
#ifndef GUILDFS_FS_QUOTA_USAGE_H
#define GUILDFS_FS_QUOTA_USAGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "fs/count.h"
#include "fs/mount.h"
#include "guildfs/hash.h"

enum { GFS_USAGE_BUCKETS = 256, GFS_SIZE_LOCKS = 1024 };

/* A file that is open for writing in data mode fast, see quota_written.c. Under its size lock. */
struct gfs_written {
    struct gfs_file_id file;
    gfs_id share;
    unsigned handles;
    bool nameless;   /* has no name (any more), and so is not charged */
    int64_t charged; /* the size that the share's usage has of it */
    struct gfs_written *next;
};

enum gfs_usage_state { GFS_USAGE_IDLE, GFS_USAGE_QUEUED, GFS_USAGE_COUNTING };

struct gfs_usage {
    gfs_id share; /* never changes */
    _Atomic int64_t bytes;
    _Atomic int64_t tried_ns; /* monotonic, when the last count ended, well or not; 0: never */
    atomic_bool counted;      /* bytes is a count and the differences since; else differences only */
    _Atomic int state;        /* written under `lock` */
    struct gfs_usage *next_queued;
    struct gfs_usage *next; /* in its bucket; never changes */
};

struct gfs_quotas {
    struct gfs_usage *_Atomic buckets[GFS_USAGE_BUCKETS];
    _Atomic size_t usages;
    pthread_mutex_t size_locks[GFS_SIZE_LOCKS];
    struct gfs_written *written[GFS_SIZE_LOCKS]; /* each list under the size lock of that number */
    _Atomic size_t written_files;
    pthread_mutex_t lock;
    /* under `lock`; quota_count.c */
    pthread_cond_t queued;
    struct gfs_usage *queue;
    bool has_thread;
    pthread_t thread;
    struct gfs_mount *mount;
    struct gfs_count *count; /* of the share whose state is GFS_USAGE_COUNTING */
    uint64_t count_number;
    atomic_bool stopping;
};

static inline size_t gfs_size_lock_of(struct gfs_file_id file) {
    return gfs_hash_pair(file.device, file.inode) % GFS_SIZE_LOCKS;
}

/* With the file's size lock held; NULL: it is not open for writing in data mode fast. */
struct gfs_written *gfs_written_find(struct gfs_quotas *quotas, struct gfs_file_id file);
/* A count of the share has begun: tells it the sizes that are charged, which the walk could not
 * find any more. Takes the size locks. */
void gfs_written_tell(struct gfs_quotas *quotas, gfs_id share);

/* Puts the share into the queue of the counting thread, and starts that if need be. Never blocks
 * for long. When no thread can be had, nothing happens, and a later question tries again. */
void gfs_usage_ask_count(struct gfs_mount *mount, struct gfs_usage *usage);

/* Ends the counting thread, in the middle of a count if need be. */
void gfs_usage_stop_counting(struct gfs_quotas *quotas);

#endif
