#include "core/authority/authority.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/authority/delta.h"
#include "core/authority/reader.h"
#include "core/authority/snapshot.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

#define DEFAULT_STALE_LIMIT_NS (30 * GFS_NS_PER_S)
#define FREE_WAIT_S 10    /* for a refresher that hangs in the store */
#define REFRESH_WAIT_S 10 /* for a load that is under way */

/* ---- readers ---- */

/* Some milliseconds behind, at a few nanoseconds: this runs at every request. */
static int64_t coarse_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * GFS_NS_PER_S + now.tv_nsec;
}

bool gfs_authority_is_stale(const struct gfs_authority *authority) {
    return coarse_monotonic_ns() >= atomic_load_explicit(&authority->deadline_ns, memory_order_relaxed);
}

const struct gfs_snapshot *gfs_authority_enter(struct gfs_authority *authority) {
    return gfs_authority_is_stale(authority) ? NULL : gfs_reader_hold(&authority->current);
}

void gfs_authority_leave(struct gfs_authority *authority, const struct gfs_snapshot *snapshot) {
    (void)authority;
    if (snapshot != NULL)
        gfs_reader_release(snapshot);
}

bool gfs_authority_in_use(const struct gfs_snapshot *snapshot) {
    return gfs_reader_holds(snapshot);
}

/* ---- beginning and end ---- */

static void destroy(struct gfs_authority *authority) {
    gfs_snapshot_free(atomic_load(&authority->current));
    while (authority->retired != NULL) {
        struct gfs_snapshot *next = authority->retired->next_retired;
        gfs_snapshot_free(authority->retired);
        authority->retired = next;
    }
    if (authority->store != NULL)
        gfs_store_close(authority->store);
    if (authority->wake_fd >= 0)
        close(authority->wake_fd);
    pthread_mutex_destroy(&authority->refresh_lock);
    pthread_mutex_destroy(&authority->status_lock);
    pthread_cond_destroy(&authority->deadline_moved);
    pthread_mutex_destroy(&authority->deadline_lock);
    free(authority->directory);
    free(authority->database);
    free(authority);
}

static void make_locks(struct gfs_authority *authority) {
    pthread_condattr_t monotonic;
    pthread_mutex_init(&authority->refresh_lock, NULL);
    pthread_mutex_init(&authority->status_lock, NULL);
    pthread_mutex_init(&authority->deadline_lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&authority->deadline_moved, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static struct gfs_authority *create(const char *directory, const struct gfs_authority_options *options) {
    struct gfs_authority *authority = calloc(1, sizeof *authority);
    if (authority == NULL)
        return NULL;
    if (options != NULL)
        authority->options = *options;
    if (authority->options.stale_limit_ns <= 0)
        authority->options.stale_limit_ns = DEFAULT_STALE_LIMIT_NS;
    make_locks(authority);
    authority->next_end_ns = GFS_NEVER;
    authority->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Absolute: the daemon changes its working directory. */
    authority->directory = realpath(directory, NULL);
    if (authority->directory == NULL && errno != ENOMEM)
        authority->directory = strdup(directory); /* opening it says what is wrong */
    if (authority->directory != NULL && asprintf(&authority->database, "%s/guildfs.db", authority->directory) < 0)
        authority->database = NULL;
    if (authority->wake_fd < 0 || authority->database == NULL) {
        destroy(authority);
        return NULL;
    }
    return authority;
}

/* Signals are for the threads that serve. */
static int start_thread(struct gfs_authority *authority, pthread_t *thread, void *(*run)(void *)) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, run, authority);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

static void end_deadline_thread(struct gfs_authority *authority) {
    atomic_store(&authority->stopping, true);
    gfs_deadline_moved(authority);
    pthread_join(authority->deadline_thread, NULL);
}

static int start_threads(struct gfs_authority *authority) {
    int rc = start_thread(authority, &authority->deadline_thread, gfs_deadline_run);
    if (rc < 0)
        return rc;
    rc = start_thread(authority, &authority->thread, gfs_refresher_run);
    if (rc < 0)
        end_deadline_thread(authority);
    return rc;
}

int gfs_authority_new(const char *store_directory, const struct gfs_authority_options *options,
                      struct gfs_authority **out, struct gfs_error *err) {
    struct gfs_authority *authority = create(store_directory, options);
    if (authority == NULL)
        return gfs_error_set(err, ENOMEM, "no memory or no descriptor to read the store %s", store_directory);
    pthread_mutex_lock(&authority->refresh_lock);
    int rc = gfs_authority_look(authority, true, err);
    pthread_mutex_unlock(&authority->refresh_lock);
    if (rc == 0) {
        rc = start_threads(authority);
        if (rc < 0)
            gfs_error_set(err, -rc, "cannot start the thread that watches the store: %s", strerror(-rc));
    }
    if (rc < 0) {
        destroy(authority);
        return rc;
    }
    *out = authority;
    return 0;
}

void gfs_authority_free(struct gfs_authority *authority) {
    const uint64_t one = 1;
    struct timespec until;
    if (authority == NULL)
        return;
    end_deadline_thread(authority);
    ssize_t written = write(authority->wake_fd, &one, sizeof one);
    (void)written; /* fails only when the refresher has been woken already */
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FREE_WAIT_S;
    if (pthread_timedjoin_np(authority->thread, NULL, &until) != 0) {
        /* It hangs in the store. The memory is its own until the process ends, which is near. */
        gfs_log(GFS_LOG_ERROR, "refresher_hangs", "store=%s", authority->directory);
        return;
    }
    destroy(authority);
}

/* ---- swapping ---- */

void gfs_authority_reclaim(struct gfs_authority *authority) {
    struct gfs_snapshot **link = &authority->retired;
    while (*link != NULL) {
        struct gfs_snapshot *snapshot = *link;
        if (gfs_reader_holds(snapshot)) {
            link = &snapshot->next_retired;
            continue;
        }
        *link = snapshot->next_retired;
        gfs_snapshot_free(snapshot);
    }
}

static void swap(struct gfs_authority *authority, struct gfs_snapshot *after) {
    struct gfs_snapshot *before = atomic_exchange_explicit(&authority->current, after, memory_order_seq_cst);
    atomic_store(&authority->next_end_ns, after->next_end_ns);
    if (before != NULL && authority->options.changed != NULL)
        authority->options.changed(authority->options.context, before, after);
    /* Only now: who waits for a generation waits until what it took away has been taken back. */
    pthread_mutex_lock(&authority->status_lock);
    authority->status.generation = after->generation;
    authority->status.loaded_ns = after->loaded_ns;
    pthread_mutex_unlock(&authority->status_lock);
    if (before == NULL)
        return;
    before->next_retired = authority->retired;
    authority->retired = before;
    gfs_authority_reclaim(authority);
}

void gfs_authority_pass_end(struct gfs_authority *authority) {
    const struct gfs_snapshot *before = atomic_load(&authority->current);
    struct gfs_snapshot *after;
    int64_t now_ns = gfs_now_ns();
    if (now_ns < atomic_load(&authority->next_end_ns))
        return;
    if (gfs_snapshot_dup(before, now_ns, &after) == 0)
        swap(authority, after);
    else /* Rights end all the same, each when it is asked for; only the listeners learn it later. */
        atomic_store(&authority->next_end_ns, now_ns + GFS_NS_PER_S);
}

/* ---- looking at the store ---- */

static void disconnect(struct gfs_authority *authority) {
    if (authority->store != NULL)
        gfs_store_close(authority->store);
    authority->store = NULL;
}

static int database_stat(const struct gfs_authority *authority, struct stat *out, struct gfs_error *err) {
    if (stat(authority->database, out) == 0)
        return 0;
    int error = errno;
    return gfs_error_set(err, error, "cannot look at %s: %s; restore it, or correct the path of the store",
                         authority->database, strerror(error));
}

/*
 * Opens the store when it is not open, or when another file has taken the place of the one that
 * is: an open connection goes on reading a database that was deleted or replaced, as if nothing
 * had happened. The file is looked at before and after opening, so that a replacement in between
 * is seen at the next look.
 */
static int connect_store(struct gfs_authority *authority, bool *fresh, struct gfs_error *err) {
    struct stat before, after;
    int rc = database_stat(authority, &before, err);
    if (rc < 0)
        return rc;
    if (authority->store != NULL && authority->device == before.st_dev && authority->inode == before.st_ino)
        return 0;
    disconnect(authority);
    rc = gfs_store_open(authority->directory, GFS_STORE_READ, GFS_STORE_WAIT_MS, &authority->store, err);
    if (rc < 0) {
        authority->store = NULL;
        return rc;
    }
    rc = database_stat(authority, &after, err);
    if (rc == 0 && (before.st_dev != after.st_dev || before.st_ino != after.st_ino))
        rc = gfs_error_set(err, EAGAIN, "%s is being replaced", authority->database);
    if (rc < 0)
        return rc;
    authority->device = after.st_dev;
    authority->inode = after.st_ino;
    *fresh = true;
    return 0;
}

static int load(struct gfs_authority *authority, struct gfs_error *err) {
    struct gfs_snapshot *after;
    int64_t began_ns = gfs_monotonic_ns();
    int rc = gfs_snapshot_load(authority->store, &after, err);
    if (rc < 0)
        return rc;
    gfs_log(GFS_LOG_INFO, "policy_loaded", "generation=%llu users=%zu shares=%zu bytes=%zu took_ms=%lld",
            (unsigned long long)after->generation, gfs_snapshot_user_count(after), gfs_snapshot_share_count(after),
            gfs_snapshot_memory(after), (long long)((gfs_monotonic_ns() - began_ns) / 1000000));
    swap(authority, after);
    return 0;
}

/*
 * Loads what changed, and makes the next snapshot from the current one; -ESTALE when that takes a
 * whole load. What ended meanwhile is told first, because a delta tells only of what changed.
 */
static int load_changes(struct gfs_authority *authority, struct gfs_error *err) {
    struct gfs_snapshot *after;
    gfs_authority_pass_end(authority);
    const struct gfs_snapshot *before = atomic_load(&authority->current);
    int64_t began_ns = gfs_monotonic_ns(), now_ns = gfs_now_ns();
    if (now_ns >= before->next_end_ns)
        return -ESTALE; /* ended just now, or memory was out */
    int rc = gfs_snapshot_load_changes(authority->store, before, now_ns, &after, err);
    if (rc < 0)
        return rc;
    gfs_log(GFS_LOG_DEBUG, "policy_changed", "generation=%llu took_us=%lld", (unsigned long long)after->generation,
            (long long)((gfs_monotonic_ns() - began_ns) / 1000));
    swap(authority, after);
    return 0;
}

/* A database that was replaced is loaded whatever its generation: it may be an older copy. */
static int look(struct gfs_authority *authority, bool load_anyway, struct gfs_error *err) {
    const struct gfs_snapshot *current = atomic_load(&authority->current);
    uint64_t generation = 0;
    bool fresh = false;
    int rc = connect_store(authority, &fresh, err);
    if (rc < 0)
        return rc;
    authority->whole = authority->whole || load_anyway || fresh;
    rc = gfs_store_generation(authority->store, &generation, err);
    if (rc < 0 || (!authority->whole && generation == current->generation))
        return rc;
    if (!authority->whole)
        rc = load_changes(authority, err);
    if (authority->whole || rc == -ESTALE || rc == -ENOMEM)
        rc = load(authority, err);
    authority->whole = rc < 0;
    return rc;
}

static void report(struct gfs_authority *authority, int rc, const struct gfs_error *err, int64_t read_ns) {
    pthread_mutex_lock(&authority->status_lock);
    if (rc == 0)
        authority->status.last_read_ns = read_ns;
    snprintf(authority->status.problem, sizeof authority->status.problem, "%.*s",
             (int)sizeof authority->status.problem - 1, rc == 0 ? "" : err->message);
    pthread_mutex_unlock(&authority->status_lock);
    if (-rc == authority->reported)
        return;
    authority->reported = -rc;
    if (rc == 0)
        gfs_log(GFS_LOG_NOTICE, "store_readable", "store=%s", authority->directory);
    else
        gfs_log(GFS_LOG_WARNING, "store_unreadable", "store=%s problem=%s", authority->directory, err->message);
}

int gfs_authority_look(struct gfs_authority *authority, bool load_anyway, struct gfs_error *err) {
    struct gfs_error problem = {0};
    /* What was read is as old as the beginning of reading it. */
    int64_t began_ns = gfs_monotonic_ns(), read_ns = gfs_now_ns();
    bool first = atomic_load(&authority->current) == NULL;
    int rc = look(authority, load_anyway || first, &problem);
    if (rc == 0) {
        atomic_store(&authority->deadline_ns, began_ns + authority->options.stale_limit_ns);
        gfs_deadline_moved(authority);
    } else {
        disconnect(authority); /* whatever is wrong with it, the next look begins anew */
    }
    if (rc == 0 || !first) /* the first failure is the caller's to report */
        report(authority, rc, &problem, read_ns);
    if (rc < 0 && err != NULL)
        *err = problem;
    return rc;
}

int gfs_authority_refresh(struct gfs_authority *authority, struct gfs_error *err) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += REFRESH_WAIT_S;
    int error = pthread_mutex_timedlock(&authority->refresh_lock, &until);
    if (error != 0)
        return gfs_error_set(err, error, "the store %s has been read for more than %d s without an answer",
                             authority->directory, REFRESH_WAIT_S);
    int rc = gfs_authority_look(authority, true, err);
    pthread_mutex_unlock(&authority->refresh_lock);
    return rc;
}

/* ---- status ---- */

void gfs_authority_status(struct gfs_authority *authority, struct gfs_authority_status *out) {
    pthread_mutex_lock(&authority->status_lock);
    *out = authority->status;
    pthread_mutex_unlock(&authority->status_lock);
    out->stale = gfs_authority_is_stale(authority);
}
