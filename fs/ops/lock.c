/*
 * Locks of files, forwarded to the backing file, so that all views and the local programs of the
 * host exclude each other. docs/locks.md tells it from the outside.
 *
 * The kernel names the owner of a lock by an opaque number: for POSIX locks the process, for
 * flock and OFD locks the open file. On the backing file each (backing, owner, kind) has one
 * descriptor of its own, and with it one open file description, which is what flock(2) and
 * OFD locks belong to. So the backing filesystem does all the rest: conflicts, merging and
 * splitting of ranges, fairness.
 *
 * POSIX locks of a client become OFD locks here. They conflict with POSIX and OFD locks of local
 * programs just the same; only deadlocks between waiters are not detected.
 *
 * What the kernel calls POSIX locks includes the client's OFD locks: they arrive by the same
 * request, with the open file as owner. FLUSH names the process and leaves them alone. RELEASE is
 * where they end, but names the open file only if flock was used on it (fuse_file_release() in
 * fs/fuse/file.c). Hence each owner remembers the handle it was used with last, and RELEASE ends
 * whatever was used with its handle last: for an OFD owner that is exact, because its handle
 * never changes, and a POSIX owner's locks have already gone by the FLUSH that precedes.
 *
 * Where there is no FLUSH (open.c says when), the POSIX locks of a reader end with RELEASE as well,
 * which comes soon after close(2) has returned. Somebody who knows that it has returned must not
 * find the lock taken: a conflict with such an owner is tried again until RELEASE has come, or some
 * milliseconds have passed. The first lock on a file also ends this: later opens of it get a FLUSH.
 */
#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

#include "fs/ops/lock_owner.h"
#include "fs/ops/ops.h"
#include "guildfs/clock.h"

static const int64_t LATE_NS = 20 * (GFS_NS_PER_S / 1000);

static struct gfs_lock_request request_of(const struct gfs_lock_owner *owner, const struct flock *lock) {
    return (struct gfs_lock_request){.fd = owner->fd, .whole_file = owner->kind == GFS_LOCK_WHOLE_FILE, .lock = *lock};
}

/* ---- unlocking ---- */

static bool covers_all(const struct gfs_lock_owner *owner, const struct flock *lock) {
    return owner->kind == GFS_LOCK_WHOLE_FILE || (lock->l_start == 0 && lock->l_len == 0);
}

/*
 * Unlocks, and gives the owner back. `holds` is cleared before the system call: a lock that
 * another thread of the owner takes meanwhile sets it again, whichever comes first in the kernel.
 * So it may be true without need, until FLUSH or RELEASE, but never false wrongly.
 */
static int unlock_owner(struct gfs_lock_owner *owner, const struct flock *lock) {
    const struct gfs_lock_request request = request_of(owner, lock);
    bool all = covers_all(owner, lock);

    if (all) {
        pthread_mutex_lock(&owner->locks->lock);
        owner->holds = false;
        pthread_mutex_unlock(&owner->locks->lock);
    }
    int status = gfs_lock_request_run(&request, false);
    gfs_lock_owner_put(owner, all && status != 0);
    return status;
}

static void unlock(struct gfs_call *call, const struct gfs_handle *handle, uint64_t id, enum gfs_lock_kind kind,
                   const struct flock *lock) {
    struct gfs_lock_owner *owner = gfs_lock_owner_borrow(call->mount->locks, handle->node->backing, id, kind);

    gfs_reply_error(call, owner ? unlock_owner(owner, lock) : 0);
}

/* Whose locks end: those of one process at FLUSH, or those that go with an open file at RELEASE. */
struct ending {
    const struct gfs_backing *backing;
    uint64_t id;
    const struct gfs_handle *released; /* NULL at FLUSH */
};

static bool ends(const struct gfs_lock_owner *owner, const struct ending *ending) {
    if (owner->backing != ending->backing || !owner->holds)
        return false;
    if (!ending->released)
        return owner->kind == GFS_LOCK_POSIX && owner->id == ending->id;
    return owner->handle == ending->released || (ending->id != 0 && owner->id == ending->id);
}

static struct gfs_lock_owner *borrow_ending(struct gfs_locks *locks, const struct ending *ending) {
    pthread_mutex_lock(&locks->lock);
    struct gfs_lock_owner *owner = *gfs_lock_bucket(locks, ending->backing);
    while (owner && !ends(owner, ending))
        owner = owner->next;
    if (owner) {
        owner->users++;
        owner->holds = false;
    }
    pthread_mutex_unlock(&locks->lock);
    return owner;
}

static void end_locks(struct gfs_locks *locks, const struct ending *ending) {
    const struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    struct gfs_lock_owner *owner;

    if (locks->owners == 0)
        return;
    while ((owner = borrow_ending(locks, ending))) {
        const struct gfs_lock_request request = request_of(owner, &all);
        /* Should it fail, the locks go with the descriptor, when its last user has given it back. */
        int status = gfs_lock_request_run(&request, false);
        (void)status;
        gfs_lock_owner_put(owner, false);
        pthread_mutex_lock(&locks->lock);
        locks->endings++;
        pthread_cond_broadcast(&locks->ended);
        pthread_mutex_unlock(&locks->lock);
    }
}

void gfs_locks_flush(struct gfs_mount *mount, struct gfs_handle *handle, uint64_t owner) {
    end_locks(mount->locks, &(struct ending){.backing = handle->node->backing, .id = owner});
}

void gfs_locks_release(struct gfs_mount *mount, struct gfs_handle *handle, uint64_t owner) {
    end_locks(mount->locks, &(struct ending){.backing = handle->node->backing, .id = owner, .released = handle});
}

/* ---- locking ---- */

static void note_use(struct gfs_lock_owner *owner, const struct gfs_handle *handle, pid_t pid) {
    if (owner->kind == GFS_LOCK_POSIX)
        atomic_store_explicit(&handle->node->backing->posix_locked, true, memory_order_relaxed);
    pthread_mutex_lock(&owner->locks->lock);
    owner->handle = handle;
    owner->pid = pid;
    owner->late = handle->no_flush && owner->kind == GFS_LOCK_POSIX;
    pthread_mutex_unlock(&owner->locks->lock);
}

static int try_lock(struct gfs_lock_owner *owner, const struct gfs_lock_request *request) {
    int64_t deadline_ns = 0;

    for (;;) {
        unsigned endings = owner->locks->endings;
        int status = gfs_lock_request_run(request, false);
        if (status != -EAGAIN)
            return status;
        if (!deadline_ns)
            deadline_ns = gfs_monotonic_ns() + LATE_NS;
        if (!gfs_locks_wait_for_late(owner->locks, owner->backing, owner, endings, deadline_ns))
            return status;
    }
}

static void wait_is_over(void *context, int status) {
    gfs_lock_owner_put(context, status == 0);
}

static void set_lock(struct gfs_call *call, const struct gfs_handle *handle, uint64_t id, enum gfs_lock_kind kind,
                     const struct flock *lock, bool wait) {
    struct gfs_lock_owner *owner;
    int status = gfs_lock_owner_obtain(call->mount, handle, id, kind, &owner);

    if (status != 0) {
        gfs_reply_error(call, status);
        return;
    }
    note_use(owner, handle, lock->l_pid);
    const struct gfs_lock_request request = request_of(owner, lock);
    status = wait ? gfs_lock_request_run(&request, false) : try_lock(owner, &request);
    if (status == -EAGAIN && wait) {
        status =
            gfs_lock_wait(call->mount->locks->waiters, call->req, handle->node->view, &request, wait_is_over, owner);
        if (status == 0)
            return; /* the waiter answers, and has perhaps done so already */
    }
    gfs_lock_owner_put(owner, status == 0);
    gfs_reply_error(call, status);
}

void gfs_op_setlk(struct gfs_call *call, struct gfs_handle *handle, uint64_t owner, const struct flock *lock,
                  bool wait) {
    if (lock->l_type == F_UNLCK)
        unlock(call, handle, owner, GFS_LOCK_POSIX, lock);
    else
        set_lock(call, handle, owner, GFS_LOCK_POSIX, lock, wait);
}

void gfs_op_flock(struct gfs_call *call, struct gfs_handle *handle, uint64_t owner, int operation) {
    struct flock lock = {.l_type = F_UNLCK};

    switch (operation & ~LOCK_NB) {
    case LOCK_UN:
        unlock(call, handle, owner, GFS_LOCK_WHOLE_FILE, &lock);
        return;
    case LOCK_SH:
        lock.l_type = F_RDLCK;
        break;
    case LOCK_EX:
        lock.l_type = F_WRLCK;
        break;
    default:
        gfs_reply_error(call, -EINVAL);
        return;
    }
    set_lock(call, handle, owner, GFS_LOCK_WHOLE_FILE, &lock, !(operation & LOCK_NB));
}

/* ---- asking ---- */

/* lock says what is in the way. */
static int test_lock(int fd, struct flock *lock) {
    lock->l_pid = 0;
    if (fcntl(fd, F_OFD_GETLK, lock) == 0)
        return 0;
    return errno == ENOSYS ? -EOPNOTSUPP : -errno;
}

/* The n-th other POSIX owner of the backing, borrowed. */
static struct gfs_lock_owner *borrow_other(struct gfs_locks *locks, const struct gfs_backing *backing, uint64_t id,
                                           size_t n) {
    pthread_mutex_lock(&locks->lock);
    struct gfs_lock_owner *owner = *gfs_lock_bucket(locks, backing);
    for (; owner; owner = owner->next) {
        if (owner->backing == backing && owner->kind == GFS_LOCK_POSIX && owner->id != id && n-- == 0)
            break;
    }
    if (owner)
        owner->users++;
    pthread_mutex_unlock(&locks->lock);
    return owner;
}

static pid_t pid_of(const struct gfs_lock_owner *owner) {
    pthread_mutex_lock(&owner->locks->lock);
    pid_t pid = owner->pid;
    pthread_mutex_unlock(&owner->locks->lock);
    return pid;
}

/*
 * The kernel tells no pid for the holder of an OFD lock. When it is one of our clients, we know
 * it: an owner's own locks do not conflict with it, so the owner who finds the range free, which
 * somebody holds, is that somebody. 0 when several share it, or a local program's OFD lock it is.
 */
static pid_t holder_of(struct gfs_locks *locks, const struct gfs_backing *backing, uint64_t id,
                       const struct flock *conflict) {
    enum { LOOK_AT_MOST = 64 }; /* a pid is a courtesy, and the request must stay short */
    pid_t pid = 0;

    for (size_t n = 0; n < LOOK_AT_MOST && pid == 0; n++) {
        struct gfs_lock_owner *owner = borrow_other(locks, backing, id, n);
        if (!owner)
            break;
        struct flock probe = *conflict;
        probe.l_type = F_WRLCK;
        if (test_lock(owner->fd, &probe) == 0 && probe.l_type == F_UNLCK)
            pid = pid_of(owner);
        gfs_lock_owner_put(owner, false);
    }
    return pid;
}

static int test_patiently(struct gfs_locks *locks, const struct gfs_backing *backing, const struct gfs_lock_owner *own,
                          int fd, struct flock *lock) {
    const struct flock wanted = *lock;
    int64_t deadline_ns = 0;

    for (;;) {
        unsigned endings = locks->endings;
        *lock = wanted;
        int status = test_lock(fd, lock);
        if (status != 0 || lock->l_type == F_UNLCK)
            return status;
        if (!deadline_ns)
            deadline_ns = gfs_monotonic_ns() + LATE_NS;
        if (!gfs_locks_wait_for_late(locks, backing, own, endings, deadline_ns))
            return status;
    }
}

void gfs_op_getlk(struct gfs_call *call, struct gfs_handle *handle, uint64_t owner, struct flock *lock) {
    struct gfs_locks *locks = call->mount->locks;
    const struct gfs_backing *backing = handle->node->backing;
    struct gfs_lock_owner *own = gfs_lock_owner_borrow(locks, backing, owner, GFS_LOCK_POSIX);
    int fd = own ? own->fd : -1;

    /* The handle's own descriptor never holds a lock, so that for it everything conflicts. */
    int status = own ? 0 : gfs_handle_fd(handle, &fd);
    if (status == 0)
        status = test_patiently(locks, backing, own, fd, lock);
    if (own)
        gfs_lock_owner_put(own, false);
    if (status == 0 && lock->l_type != F_UNLCK && lock->l_pid <= 0)
        lock->l_pid = holder_of(locks, backing, owner, lock);
    if (status == 0)
        fuse_reply_lock(call->req, lock);
    else
        gfs_reply_error(call, status);
}
