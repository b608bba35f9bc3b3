#include "fs/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fs/call.h"
#include "fs/watched.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

enum { BATCH = 65536, TICK_MS = 1000, PAUSE_MS = 1 };
/* After events were lost, before things are kept for long again; and between two times that a view
 * which is held up has to forget all. */
static const int64_t CALM_NS = GFS_NS_PER_S, LOST_AGAIN_NS = 5 * GFS_NS_PER_S;

/* ---- how long things may be kept ---- */

static bool is_told(const struct gfs_watch *watch, uint64_t device) {
    size_t count = atomic_load_explicit(&watch->count, memory_order_relaxed);

    if (atomic_load_explicit(&watch->behind, memory_order_relaxed))
        return false;
    for (size_t i = 0; i < count && i < GFS_WATCHED_MAX; i++)
        if (atomic_load_explicit(&watch->filesystems[i].state, memory_order_acquire) == GFS_WATCHED_ON &&
            watch->filesystems[i].device == device)
            return true;
    return false;
}

static int64_t at_most(int64_t ns, int64_t limit_ns) {
    return ns < limit_ns ? ns : limit_ns;
}

int64_t gfs_watch_attr_ns(struct gfs_mount *mount, const struct stat *st, bool versioned) {
    const struct gfs_mount_options *options = &mount->options;

    if (!is_told(mount->watch, st->st_dev))
        return options->attr_timeout_ns;
    if (!versioned)
        return at_most(options->attr_timeout_ns, GFS_NS_PER_S);
    return S_ISREG(st->st_mode) ? options->watched_file_attr_ns : options->watched_attr_ns;
}

int64_t gfs_watch_entry_ns(struct gfs_mount *mount, uint64_t device) {
    bool may_keep = atomic_load(&mount->watch->forgets_names) && is_told(mount->watch, device);
    return may_keep ? mount->options.watched_entry_ns : mount->options.entry_timeout_ns;
}

/* ---- forgetting all ---- */

struct ids {
    bool of_lost_views; /* only those */
    uint64_t *list;
    size_t count, size;
};

static void collect(void *context, struct gfs_node *node) {
    struct ids *ids = context;

    if (ids->of_lost_views && !atomic_load(&node->view->lost))
        return;
    if (ids->count == ids->size) {
        size_t size = ids->size ? ids->size * 2 : 1024;
        uint64_t *list = realloc(ids->list, size * sizeof *list);
        if (!list)
            return; /* a minute, or an hour: all that can be said without memory */
        ids->list = list;
        ids->size = size;
    }
    ids->list[ids->count++] = gfs_node_id(node);
}

static void found_again(void *context, struct gfs_view *view) {
    (void)context;
    atomic_store(&view->lost, false);
}

static void forget(struct gfs_mount *mount, bool of_lost_views) {
    struct ids ids = {.of_lost_views = of_lost_views};

    gfs_notify_all_names(mount);
    gfs_nodes_visit(mount, collect, &ids);
    if (of_lost_views) /* before they are told: what is lost from now on counts anew */
        gfs_views_visit(mount, found_again, NULL);
    for (size_t i = 0; i < ids.count; i++)
        fuse_lowlevel_notify_inval_inode(mount->session, ids.list[i], -1, 0);
    for (size_t i = 0; i < ids.count; i++)
        gfs_notify_forget_node(mount, ids.list[i]);
    free(ids.list);
}

/* ---- the thread ---- */

static void overflow(struct gfs_mount *mount) {
    struct gfs_watch *watch = mount->watch;

    watch->overflow_ns = gfs_monotonic_ns();
    atomic_fetch_add(&watch->overflow_count, 1);
    if (atomic_exchange(&watch->behind, true))
        return; /* what was kept since the last time is not kept for long */
    forget(mount, false);
    gfs_log(GFS_LOG_WARNING, "watch-overflow", "action=%s", "everything cached is forgotten");
}

/* Returns whether there may be more at once. */
static bool read_events(struct gfs_mount *mount, char *buffer) {
    ssize_t size = read(mount->watch->events, buffer, BATCH);

    if (size <= 0)
        return false;
    struct gfs_notices *notices = gfs_notices_begin();
    bool lost = gfs_watch_take(mount, buffer, (size_t)size, notices);
    gfs_notices_end(mount, notices);
    if (lost)
        overflow(mount);
    return size > BATCH / 2;
}

/* Without a policy every request is refused; then nothing may be answered from caches either. */
static void look_at_store(struct gfs_mount *mount) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(mount->authority);
    bool refused = !snapshot;

    gfs_authority_leave(mount->authority, snapshot);
    if (refused && !mount->watch->refused)
        forget(mount, false);
    mount->watch->refused = refused;
}

static void look_around(struct gfs_mount *mount) {
    struct gfs_watch *watch = mount->watch;
    int64_t now_ns = gfs_monotonic_ns();

    if (atomic_load(&watch->behind) && now_ns - watch->overflow_ns > CALM_NS)
        atomic_store(&watch->behind, false);
    if ((!watch->lost_ns || now_ns - watch->lost_ns > LOST_AGAIN_NS) && atomic_exchange(&watch->lost, false)) {
        watch->lost_ns = now_ns;
        forget(mount, true);
    }
    look_at_store(mount);
}

/* Waits for one of the two, or until the time is over. */
static void wait_for(const struct gfs_watch *watch, bool events, int timeout_ms) {
    struct pollfd ready[] = {{.fd = watch->wake, .events = POLLIN}, {.fd = watch->events, .events = POLLIN}};
    uint64_t count;

    if (poll(ready, events ? 2 : 1, timeout_ms) > 0 && (ready[0].revents & POLLIN) &&
        read(watch->wake, &count, sizeof count) < 0)
        return; /* somebody else was quicker */
}

/* A pause after each batch lets the kernel merge what happens to one file meanwhile: a program that
 * writes all the time costs a thousand events a second, not a million. */
static void *serve(void *context) {
    struct gfs_mount *mount = context;
    struct gfs_watch *watch = mount->watch;
    char *buffer = malloc(BATCH);
    int64_t looked_ns = 0;

    while (buffer && !atomic_load(&watch->stopping)) {
        wait_for(watch, true, TICK_MS);
        if (!read_events(mount, buffer))
            wait_for(watch, false, PAUSE_MS);
        if (gfs_monotonic_ns() - looked_ns > TICK_MS * (GFS_NS_PER_S / 1000) / 2 || atomic_load(&watch->lost)) {
            look_around(mount);
            looked_ns = gfs_monotonic_ns();
        }
    }
    free(buffer);
    return NULL;
}

/* ---- start and end ---- */

int gfs_watch_new(struct gfs_mount *mount, struct gfs_watch **out) {
    struct gfs_watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return -ENOMEM;
    watch->events = -1;
    watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->wake < 0) {
        int rc = -errno;
        free(watch);
        return rc;
    }
    /* The queue has the kernel's usual limit (fs.fanotify.max_queued_events): without one, who
     * changes things faster than they can be told of would fill the memory. */
    if (mount->options.watch != GFS_WATCH_NO) {
        watch->events = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME_TARGET,
                                      O_RDONLY | O_CLOEXEC | O_LARGEFILE);
        watch->events_error = watch->events < 0 ? errno : 0;
    }
    *out = watch;
    return 0;
}

int gfs_watch_start(struct gfs_mount *mount) {
    struct gfs_watch *watch = mount->watch;

    if (watch->events < 0)
        return 0;
    int rc = pthread_create(&watch->thread, NULL, serve, mount);
    watch->runs = rc == 0;
    if (watch->runs)
        pthread_setname_np(watch->thread, "guildfs-watch");
    return -rc;
}

static void wake(const struct gfs_watch *watch) {
    const uint64_t one = 1;
    ssize_t written = write(watch->wake, &one, sizeof one);
    (void)written; /* it fails only when the thread has been woken very often, and not looked yet */
}

void gfs_watch_lost(struct gfs_mount *mount) {
    if (!atomic_exchange(&mount->watch->lost, true))
        wake(mount->watch);
}

void gfs_watch_stop(struct gfs_mount *mount) {
    struct gfs_watch *watch = mount->watch;

    if (!watch->runs)
        return;
    atomic_store(&watch->stopping, true);
    wake(watch);
    pthread_join(watch->thread, NULL);
    watch->runs = false;
}

void gfs_watch_free(struct gfs_watch *watch) {
    if (!watch)
        return;
    for (size_t i = 0; i < GFS_WATCHED_MAX; i++)
        free(watch->filesystems[i].path);
    if (watch->events >= 0)
        close(watch->events);
    close(watch->wake);
    free(watch);
}

/* ---- status ---- */

void gfs_watch_list(struct gfs_mount *mount, gfs_watch_visit *visit, void *context) {
    const struct gfs_watch *watch = mount->watch;
    size_t count = atomic_load(&watch->count);

    for (size_t i = 0; i < count && i < GFS_WATCHED_MAX; i++) {
        const struct gfs_watched *fs = &watch->filesystems[i];
        if (atomic_load(&fs->state) != GFS_WATCHED_UNKNOWN)
            visit(context, fs->path ? fs->path : "", fs->type ? fs->type->name : "", fs->reason);
    }
}

void gfs_watch_count(struct gfs_mount *mount, uint64_t *events, uint64_t *overflows) {
    *events = atomic_load(&mount->watch->event_count);
    *overflows = atomic_load(&mount->watch->overflow_count);
}
