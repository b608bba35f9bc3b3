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
#include <pthread.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "fs/ops/lock_wait.h"
#include "fs/ops/ops.h"
#include "guildfs/clock.h"
#include "guildfs/hash.h"

enum lock_kind { POSIX, WHOLE_FILE };

struct owner {
    /* never changes */
    struct gfs_locks *locks;
    const struct gfs_backing *backing; /* only compared */
    uint64_t id;
    enum lock_kind kind;
    int fd;
    /* under the table's lock */
    const struct gfs_handle *handle; /* used last; only compared */
    pid_t pid;                       /* of the client that locked last, for F_GETLK */
    unsigned users;                  /* requests that use fd now, waiters among them */
    bool late;                       /* locked without a FLUSH to come: ends at RELEASE */
    bool holds;                      /* may hold locks; false only when it certainly holds none */
    struct owner *next;
};

enum { BUCKETS = 1024 };

static const int64_t LATE_NS = 20 * (GFS_NS_PER_S / 1000);

struct gfs_locks {
    pthread_mutex_t lock; /* number 3 of the lock order; never held across a system call */
    struct owner *buckets[BUCKETS];
    /* So that FLUSH and RELEASE cost nothing where nobody locks. */
    _Atomic size_t owners;
    _Atomic unsigned endings; /* how often locks have ended by FLUSH or RELEASE */
    pthread_cond_t ended;     /* one of these has */
    struct gfs_lock_waiters *waiters;
    bool stopped; /* no waiter is left, and none will come */
};

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
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct owner *owner = locks->buckets[i], *next; owner; owner = next) {
            next = owner->next;
            close(owner->fd);
            free(owner);
        }
    }
    pthread_cond_destroy(&locks->ended);
    pthread_mutex_destroy(&locks->lock);
    free(locks);
}

/* All owners of one backing share a bucket, since FLUSH, RELEASE and F_GETLK look at them all. */
static struct owner **bucket_of(struct gfs_locks *locks, const struct gfs_backing *backing) {
    return &locks->buckets[gfs_hash_pair((uintptr_t)backing, 0) % BUCKETS];
}

/* Under the lock. Counts the caller among the users. */
static struct owner *find_owner(struct gfs_locks *locks, const struct gfs_backing *backing, uint64_t id,
                                enum lock_kind kind) {
    for (struct owner *owner = *bucket_of(locks, backing); owner; owner = owner->next) {
        if (owner->backing == backing && owner->id == id && owner->kind == kind) {
            owner->users++;
            return owner;
        }
    }
    return NULL;
}

static struct owner *borrow_owner(struct gfs_locks *locks, const struct gfs_backing *backing, uint64_t id,
                                  enum lock_kind kind) {
    pthread_mutex_lock(&locks->lock);
    struct owner *owner = find_owner(locks, backing, id, kind);
    pthread_mutex_unlock(&locks->lock);
    return owner;
}

/* Gives the owner back; the last user frees one that holds nothing. Closing its descriptor ends
 * whatever locks a race has left on it. */
static void put_owner(struct owner *owner, bool locked) {
    struct gfs_locks *locks = owner->locks;

    pthread_mutex_lock(&locks->lock);
    owner->users--;
    owner->holds = owner->holds || locked;
    bool idle = owner->users == 0 && !owner->holds;
    if (idle) {
        struct owner **at = bucket_of(locks, owner->backing);
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
static int open_descriptor(struct gfs_mount *mount, const struct gfs_handle *handle, enum lock_kind kind, int *fd) {
    struct gfs_backing *backing = handle->node->backing;
    bool writable = kind == POSIX || handle->writes;
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
static struct owner *insert_owner(struct gfs_locks *locks, struct owner *fresh) {
    struct owner *owner = find_owner(locks, fresh->backing, fresh->id, fresh->kind);

    if (owner)
        return owner;
    struct owner **bucket = bucket_of(locks, fresh->backing);
    fresh->users = 1;
    fresh->next = *bucket;
    *bucket = fresh;
    locks->owners++;
    return fresh;
}

/* Finds the owner or makes it, and counts the caller among its users. */
static int obtain_owner(struct gfs_mount *mount, const struct gfs_handle *handle, uint64_t id, enum lock_kind kind,
                        struct owner **out) {
    struct gfs_locks *locks = mount->locks;
    struct owner *owner = borrow_owner(locks, handle->node->backing, id, kind);

    if (owner) {
        *out = owner;
        return 0;
    }
    struct owner *fresh = calloc(1, sizeof(*fresh));
    if (!fresh)
        return -ENOLCK;
    *fresh = (struct owner){.locks = locks, .backing = handle->node->backing, .id = id, .kind = kind};
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

static struct gfs_lock_request request_of(const struct owner *owner, const struct flock *lock) {
    return (struct gfs_lock_request){.fd = owner->fd, .whole_file = owner->kind == WHOLE_FILE, .lock = *lock};
}

/* ---- unlocking ---- */

static bool covers_all(const struct owner *owner, const struct flock *lock) {
    return owner->kind == WHOLE_FILE || (lock->l_start == 0 && lock->l_len == 0);
}

/*
 * Unlocks, and gives the owner back. `holds` is cleared before the system call: a lock that
 * another thread of the owner takes meanwhile sets it again, whichever comes first in the kernel.
 * So it may be true without need, until FLUSH or RELEASE, but never false wrongly.
 */
static int unlock_owner(struct owner *owner, const struct flock *lock) {
    const struct gfs_lock_request request = request_of(owner, lock);
    bool all = covers_all(owner, lock);

    if (all) {
        pthread_mutex_lock(&owner->locks->lock);
        owner->holds = false;
        pthread_mutex_unlock(&owner->locks->lock);
    }
    int status = gfs_lock_request_run(&request, false);
    put_owner(owner, all && status != 0);
    return status;
}

static void unlock(struct gfs_call *call, const struct gfs_handle *handle, uint64_t id, enum lock_kind kind,
                   const struct flock *lock) {
    struct owner *owner = borrow_owner(call->mount->locks, handle->node->backing, id, kind);

    gfs_reply_error(call, owner ? unlock_owner(owner, lock) : 0);
}

/* Whose locks end: those of one process at FLUSH, or those that go with an open file at RELEASE. */
struct ending {
    const struct gfs_backing *backing;
    uint64_t id;
    const struct gfs_handle *released; /* NULL at FLUSH */
};

static bool ends(const struct owner *owner, const struct ending *ending) {
    if (owner->backing != ending->backing || !owner->holds)
        return false;
    if (!ending->released)
        return owner->kind == POSIX && owner->id == ending->id;
    return owner->handle == ending->released || (ending->id != 0 && owner->id == ending->id);
}

static struct owner *borrow_ending(struct gfs_locks *locks, const struct ending *ending) {
    pthread_mutex_lock(&locks->lock);
    struct owner *owner = *bucket_of(locks, ending->backing);
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
    struct owner *owner;

    if (locks->owners == 0)
        return;
    while ((owner = borrow_ending(locks, ending))) {
        const struct gfs_lock_request request = request_of(owner, &all);
        /* Should it fail, the locks go with the descriptor, when its last user has given it back. */
        int status = gfs_lock_request_run(&request, false);
        (void)status;
        put_owner(owner, false);
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

static void note_use(struct owner *owner, const struct gfs_handle *handle, pid_t pid) {
    if (owner->kind == POSIX)
        atomic_store_explicit(&handle->node->backing->posix_locked, true, memory_order_relaxed);
    pthread_mutex_lock(&owner->locks->lock);
    owner->handle = handle;
    owner->pid = pid;
    owner->late = handle->no_flush && owner->kind == POSIX;
    pthread_mutex_unlock(&owner->locks->lock);
}

/* ---- conflicts with who has closed the file already ---- */

/* Under the lock. Whether somebody else's lock may be about to end by a RELEASE; one that is just
 * ending has users and holds nothing. */
static bool any_late(struct gfs_locks *locks, const struct gfs_backing *backing, const struct owner *own) {
    const struct owner *owner = *bucket_of(locks, backing);

    while (owner && !(owner->backing == backing && owner != own && owner->late && (owner->holds || owner->users)))
        owner = owner->next;
    return owner != NULL;
}

/* After a conflict that was found when there had been so many endings: whether to look again. */
static bool wait_for_late(struct gfs_locks *locks, const struct gfs_backing *backing, const struct owner *own,
                          unsigned endings, int64_t deadline_ns) {
    const struct timespec deadline = {.tv_sec = deadline_ns / GFS_NS_PER_S, .tv_nsec = deadline_ns % GFS_NS_PER_S};
    bool again = gfs_monotonic_ns() < deadline_ns;

    pthread_mutex_lock(&locks->lock);
    while (again && locks->endings == endings && any_late(locks, backing, own))
        again = pthread_cond_timedwait(&locks->ended, &locks->lock, &deadline) == 0;
    again = again && locks->endings != endings;
    pthread_mutex_unlock(&locks->lock);
    return again;
}

static int try_lock(struct owner *owner, const struct gfs_lock_request *request) {
    int64_t deadline_ns = 0;

    for (;;) {
        unsigned endings = owner->locks->endings;
        int status = gfs_lock_request_run(request, false);
        if (status != -EAGAIN)
            return status;
        if (!deadline_ns)
            deadline_ns = gfs_monotonic_ns() + LATE_NS;
        if (!wait_for_late(owner->locks, owner->backing, owner, endings, deadline_ns))
            return status;
    }
}

static void wait_is_over(void *context, int status) {
    put_owner(context, status == 0);
}

static void set_lock(struct gfs_call *call, const struct gfs_handle *handle, uint64_t id, enum lock_kind kind,
                     const struct flock *lock, bool wait) {
    struct owner *owner;
    int status = obtain_owner(call->mount, handle, id, kind, &owner);

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
    put_owner(owner, status == 0);
    gfs_reply_error(call, status);
}

void gfs_op_setlk(struct gfs_call *call, struct gfs_handle *handle, uint64_t owner, const struct flock *lock,
                  bool wait) {
    if (lock->l_type == F_UNLCK)
        unlock(call, handle, owner, POSIX, lock);
    else
        set_lock(call, handle, owner, POSIX, lock, wait);
}

void gfs_op_flock(struct gfs_call *call, struct gfs_handle *handle, uint64_t owner, int operation) {
    struct flock lock = {.l_type = F_UNLCK};

    switch (operation & ~LOCK_NB) {
    case LOCK_UN:
        unlock(call, handle, owner, WHOLE_FILE, &lock);
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
    set_lock(call, handle, owner, WHOLE_FILE, &lock, !(operation & LOCK_NB));
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
static struct owner *borrow_other(struct gfs_locks *locks, const struct gfs_backing *backing, uint64_t id, size_t n) {
    pthread_mutex_lock(&locks->lock);
    struct owner *owner = *bucket_of(locks, backing);
    for (; owner; owner = owner->next) {
        if (owner->backing == backing && owner->kind == POSIX && owner->id != id && n-- == 0)
            break;
    }
    if (owner)
        owner->users++;
    pthread_mutex_unlock(&locks->lock);
    return owner;
}

static pid_t pid_of(const struct owner *owner) {
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
        struct owner *owner = borrow_other(locks, backing, id, n);
        if (!owner)
            break;
        struct flock probe = *conflict;
        probe.l_type = F_WRLCK;
        if (test_lock(owner->fd, &probe) == 0 && probe.l_type == F_UNLCK)
            pid = pid_of(owner);
        put_owner(owner, false);
    }
    return pid;
}

static int test_patiently(struct gfs_locks *locks, const struct gfs_backing *backing, const struct owner *own, int fd,
                          struct flock *lock) {
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
        if (!wait_for_late(locks, backing, own, endings, deadline_ns))
            return status;
    }
}

void gfs_op_getlk(struct gfs_call *call, struct gfs_handle *handle, uint64_t owner, struct flock *lock) {
    struct gfs_locks *locks = call->mount->locks;
    const struct gfs_backing *backing = handle->node->backing;
    struct owner *own = borrow_owner(locks, backing, owner, POSIX);
    int fd = own ? own->fd : -1;

    /* The handle's own descriptor never holds a lock, so that for it everything conflicts. */
    int status = own ? 0 : gfs_handle_fd(handle, &fd);
    if (status == 0)
        status = test_patiently(locks, backing, own, fd, lock);
    if (own)
        put_owner(own, false);
    if (status == 0 && lock->l_type != F_UNLCK && lock->l_pid <= 0)
        lock->l_pid = holder_of(locks, backing, owner, lock);
    if (status == 0)
        fuse_reply_lock(call->req, lock);
    else
        gfs_reply_error(call, status);
}
