/*
 * The inode table, as the files that make it up see it: stripe.c (the table itself), backing.c
 * (descriptors), node.c (the views' nodes). Nobody else includes this.
 *
 * 64 stripes by (device, inode), each with its own lock, so that lookups of different files do not
 * wait for each other. A stripe also keeps its share of the descriptor cache.
 */
#ifndef GUILDFS_FS_STRIPE_H
#define GUILDFS_FS_STRIPE_H

#include <pthread.h>

#include "fs/mount.h"
#include "fs/node.h"
#include "guildfs/hash.h"

enum { GFS_STRIPES = 64, GFS_DEVICES_MAX = 256 };

struct gfs_stripe {
    pthread_mutex_t lock;
    struct gfs_backing **buckets;
    size_t bucket_count, backing_count, node_count;
    size_t descriptors;                  /* cached, pinned or not */
    size_t evictable;                    /* in the LRU list */
    struct gfs_backing *newest, *oldest; /* LRU list of backings whose descriptor is not pinned */
};

/* A filesystem, to open file handles by. */
struct gfs_device {
    uint64_t id;
    int fd;                  /* a folder in it, O_RDONLY; -1: the filesystem has no handles */
    _Atomic int passthrough; /* 0: not tried yet; 1: it works; -1: it does not */
};

/* What is cached of a backing, when it has been taken out of the table: to be closed outside the
 * lock by gfs_descriptor_close(), which does nothing when there is none. */
struct gfs_descriptor {
    int fd; /* -1: none */
    int32_t backing_id;
};

struct gfs_nodes {
    struct gfs_stripe stripes[GFS_STRIPES];
    size_t descriptors_per_stripe;
    pthread_mutex_t device_lock; /* for adding; readers take the count with acquire */
    _Atomic size_t device_count;
    struct gfs_device devices[GFS_DEVICES_MAX];
};

static inline uint64_t gfs_stripe_hash(uint64_t device, uint64_t inode) {
    return gfs_hash_pair(device, inode);
}

static inline struct gfs_stripe *gfs_stripe_of(struct gfs_mount *mount, uint64_t device, uint64_t inode) {
    return &mount->nodes->stripes[gfs_stripe_hash(device, inode) % GFS_STRIPES];
}

static inline struct gfs_stripe *gfs_stripe_of_backing(struct gfs_mount *mount, const struct gfs_backing *backing) {
    return gfs_stripe_of(mount, backing->device, backing->inode);
}

static inline struct gfs_backing **gfs_bucket_of(struct gfs_stripe *stripe, uint64_t device, uint64_t inode) {
    return &stripe->buckets[(gfs_stripe_hash(device, inode) / GFS_STRIPES) % stripe->bucket_count];
}

/* ---- stripe.c; all with the stripe locked ---- */

struct gfs_backing *gfs_backing_find(struct gfs_stripe *stripe, const struct gfs_backing_key *key);
/* NULL: out of memory. */
struct gfs_backing *gfs_backing_add(struct gfs_stripe *stripe, const struct gfs_backing_key *key);
/* Takes out a backing that nobody names or uses any more; the caller frees it. */
struct gfs_descriptor gfs_backing_take_out(struct gfs_stripe *stripe, struct gfs_backing *backing);

/* ---- backing.c ---- */

/* With the stripe locked: whether the descriptor may be closed to make room, and the list of those
 * that may. gfs_lru_evict() takes the oldest out when there are too many. */
bool gfs_lru_may_evict(const struct gfs_backing *backing);
void gfs_lru_add(struct gfs_stripe *stripe, struct gfs_backing *backing);
void gfs_lru_remove(struct gfs_stripe *stripe, struct gfs_backing *backing);
struct gfs_descriptor gfs_lru_evict(struct gfs_nodes *nodes, struct gfs_stripe *stripe);

void gfs_descriptor_close(struct gfs_mount *mount, struct gfs_descriptor descriptor);

/* Whether passthrough works on the filesystem of a regular file; tried once, with that file. */
bool gfs_device_passes_through(struct gfs_mount *mount, uint64_t id, int fd);
const struct gfs_device *gfs_device_find(struct gfs_nodes *nodes, uint64_t id);
/* The name that the filesystem has for the file behind fd: fills the key's handle. */
int gfs_backing_name(int fd, struct gfs_backing_key *key) GFS_MUST_CHECK;
/* The whole key. root_fd is any folder of the filesystem. */
int gfs_backing_key(struct gfs_mount *mount, int root_fd, int fd, const struct stat *st,
                    struct gfs_backing_key *key) GFS_MUST_CHECK;

#endif
