#include "fs/ops/lock_owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/ops/ops.h"
#include "guildfs/clock.h"

static void init_ended(struct gfs_locks *locks) {
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&locks->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int gfs_locks_new(struct gfs_locks **out) {
    struct gfs_locks *locks = calloc(1, sizeof(*locks));

    if (!locks)
        return -ENOMEM;
    int status = gfs_lock_waiters_new(&locks->waiters);
    if (status != 0) {
        free(locks);
        return status;
    }
    pthread_mutex_init(&locks->lock, NULL);
    init_ended(locks);
    *out = locks;
    return 0;
}

void gfs_locks_stop(struct gfs_locks *locks) {
    locks->stopped = gfs_lock_waiters_stop(locks->waiters);
}

void gfs_locks_free(struct gfs_locks *locks) {
    if (!locks)
        return;
    gfs_locks_stop(locks);
    /* A waiter that hangs in the backing filesystem still uses the table: the process is about
     * to end, and its end frees both. */
    if (!locks->stopped)
        return;
    gfs_lock_waiters_free(locks->waiters);
    for (size_t i = 0; i < GFS_LOCK_BUCKETS; i++) {
        for (struct gfs_lock_owner *owner = locks->buckets[i], *next; owner; owner = next) {
            next = owner->next;
            close(owner->fd);
            free(owner);
        }
    }
    pthread_cond_destroy(&locks->ended);
    pthread_mutex_destroy(&locks->lock);
    free(locks);
}

/* Under the lock. Counts the caller among the users. */
static struct gfs_lock_owner *find_owner(struct gfs_locks *locks, const struct gfs_backing *backing, uint64_t id,
                                         enum gfs_lock_kind kind) {
    for (struct gfs_lock_owner *owner = *gfs_lock_bucket(locks, backing); owner; owner = owner->next) {
        if (owner->backing == backing && owner->id == id && owner->kind == kind) {
            owner->users++;
            return owner;
        }
    }
    return NULL;
}

struct gfs_lock_owner *gfs_lock_owner_borrow(struct gfs_locks *locks, const struct gfs_backing *backing, uint64_t id,
                                             enum gfs_lock_kind kind) {
    pthread_mutex_lock(&locks->lock);
    struct gfs_lock_owner *owner = find_owner(locks, backing, id, kind);
    pthread_mutex_unlock(&locks->lock);
    return owner;
}

void gfs_lock_owner_put(struct gfs_lock_owner *owner, bool locked) {
    struct gfs_locks *locks = owner->locks;

    pthread_mutex_lock(&locks->lock);
    owner->users--;
    owner->holds = owner->holds || locked;
    bool idle = owner->users == 0 && !owner->holds;
    if (idle) {
        struct gfs_lock_owner **at = gfs_lock_bucket(locks, owner->backing);
        while (*at != owner)
            at = &(*at)->next;
        *at = owner->next;
        locks->owners--;
    }
    pthread_mutex_unlock(&locks->lock);
    if (idle) {
        close(owner->fd);
        free(owner);
    }
}

/*
 * The owner's descriptor. Writable where possible even for a shared lock, since an exclusive POSIX
 * lock needs that, and the owner may take one later through another handle. For flock the owner is
 * the open file itself, and its access mode says all.
 */
static int open_descriptor(struct gfs_mount *mount, const struct gfs_handle *handle, enum gfs_lock_kind kind, int *fd) {
    struct gfs_backing *backing = handle->node->backing;
    bool writable = kind == GFS_LOCK_POSIX || handle->writes;
    int path_fd;
    int status = gfs_backing_get(mount, backing, &path_fd);

    if (status != 0)
        return status;
    status = writable ? gfs_path_reopen(path_fd, O_RDWR | O_CLOEXEC | O_NOCTTY, fd) : -EACCES;
    if (status != 0)
        status = gfs_path_reopen(path_fd, O_RDONLY | O_CLOEXEC | O_NOCTTY, fd);
    gfs_backing_put(mount, backing);
    return status;
}

/* Under the lock. Puts `fresh` into the table, unless another thread of the same owner was faster:
 * then returns that one. */
static struct gfs_lock_owner *insert_owner(struct gfs_locks *locks, struct gfs_lock_owner *fresh) {
    struct gfs_lock_owner *owner = find_owner(locks, fresh->backing, fresh->id, fresh->kind);

    if (owner)
        return owner;
    struct gfs_lock_owner **bucket = gfs_lock_bucket(locks, fresh->backing);
    fresh->users = 1;
    fresh->next = *bucket;
    *bucket = fresh;
    locks->owners++;
    return fresh;
}

int gfs_lock_owner_obtain(struct gfs_mount *mount, const struct gfs_handle *handle, uint64_t id,
                          enum gfs_lock_kind kind, struct gfs_lock_owner **out) {
    struct gfs_locks *locks = mount->locks;
    struct gfs_lock_owner *owner = gfs_lock_owner_borrow(locks, handle->node->backing, id, kind);

    if (owner) {
        *out = owner;
        return 0;
    }
    struct gfs_lock_owner *fresh = calloc(1, sizeof(*fresh));
    if (!fresh)
        return -ENOLCK;
    *fresh = (struct gfs_lock_owner){.locks = locks, .backing = handle->node->backing, .id = id, .kind = kind};
    int status = open_descriptor(mount, handle, kind, &fresh->fd);
    if (status != 0) {
        free(fresh);
        return status == -ENOSYS ? -EOPNOTSUPP : status;
    }
    pthread_mutex_lock(&locks->lock);
    owner = insert_owner(locks, fresh);
    pthread_mutex_unlock(&locks->lock);
    if (owner != fresh) {
        close(fresh->fd);
        free(fresh);
    }
    *out = owner;
    return 0;
}

/* ---- conflicts with who has closed the file already ---- */

/* Under the lock. Whether somebody else's lock may be about to end by a RELEASE; one that is just
 * ending has users and holds nothing. */
static bool any_late(struct gfs_locks *locks, const struct gfs_backing *backing, const struct gfs_lock_owner *own) {
    const struct gfs_lock_owner *owner = *gfs_lock_bucket(locks, backing);

    while (owner && !(owner->backing == backing && owner != own && owner->late && (owner->holds || owner->users)))
        owner = owner->next;
    return owner != NULL;
}

bool gfs_locks_wait_for_late(struct gfs_locks *locks, const struct gfs_backing *backing,
                             const struct gfs_lock_owner *own, unsigned endings, int64_t deadline_ns) {
    const struct timespec deadline = {.tv_sec = deadline_ns / GFS_NS_PER_S, .tv_nsec = deadline_ns % GFS_NS_PER_S};
    bool again = gfs_monotonic_ns() < deadline_ns;

    pthread_mutex_lock(&locks->lock);
    while (again && locks->endings == endings && any_late(locks, backing, own))
        again = pthread_cond_timedwait(&locks->ended, &locks->lock, &deadline) == 0;
    again = again && locks->endings != endings;
    pthread_mutex_unlock(&locks->lock);
    return again;
}
