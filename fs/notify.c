#include "fs/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/call.h"
#include "fs/watch.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

enum {
    THREADS = 2,
    THREADS_MAX = 32,
    SIBLINGS_AT_ONCE = 64,
    HELD_UP_NOTICES_MAX = 256,
    UNKNOWN_TRIES = 100,
    UNKNOWN_PAUSE_NS = 200000,
};
static const int64_t LATE_NS = 1000000000;
/* A request that waits for notices holds locks in the kernel, of its own view, which notices to that
 * view may need. So of requests that wait for each other's views, in a ring, the last to begin gives
 * way: it alone sees that a view which it waits for is waiting itself. With its reply its locks go. */
static const int64_t WAIT_NS = 300000000, GIVE_WAY_NS = 2000000, POLICY_WAIT_NS = 500000000;
/* After this a view counts as held up. */
static const int64_t HELD_UP_NS = 200000000;

/* Somebody who waits, and the notices that are not done. Freed by whoever is last. */
struct gfs_notices {
    unsigned left;
    bool abandoned;
    pthread_cond_t done;
};

/* Notices of names wait for locks of folders, those of pages for locks of pages. Neither waits for the
 * other, so a view may be told one of each at a time. */
enum lane { NAMES, PAGES };

struct notice {
    struct notice *next;
    struct gfs_notices *notices; /* NULL: nobody waits */
    struct gfs_view *view;
    uint64_t node;
    bool expires;         /* the name may be right still */
    off_t offset, length; /* of the pages, when there is no name */
    char name[];          /* "": pages */
};

/* A request that waits for notices of pages while the kernel holds pages of its own view for it. */
struct page_wait {
    struct page_wait *next;
    const struct gfs_backing *backing;
    const struct gfs_view *view;
    off_t first, last;
};

struct gfs_notifier {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct notice *first, **last;
    pthread_t threads[THREADS_MAX];
    unsigned running, busy;
    bool stopping;
    struct page_wait *page_waits;
};

int gfs_notifier_new(struct gfs_notifier **out) {
    struct gfs_notifier *notifier = calloc(1, sizeof *notifier);
    if (!notifier)
        return -ENOMEM;
    pthread_mutex_init(&notifier->lock, NULL);
    pthread_cond_init(&notifier->work, NULL);
    notifier->last = &notifier->first;
    *out = notifier;
    return 0;
}

/* With the lock held. Frees the notice. */
static void finish(struct notice *notice) {
    struct gfs_notices *notices = notice->notices;

    notice->view->notices--;
    free(notice);
    if (!notices || --notices->left)
        return;
    if (notices->abandoned) {
        pthread_cond_destroy(&notices->done);
        free(notices);
    } else {
        pthread_cond_signal(&notices->done);
    }
}

void gfs_notifier_free(struct gfs_notifier *notifier) {
    if (!notifier)
        return;
    for (struct notice *notice = notifier->first, *next; notice; notice = next) {
        next = notice->next;
        finish(notice);
    }
    pthread_cond_destroy(&notifier->work);
    pthread_mutex_destroy(&notifier->lock);
    free(notifier);
}

static int64_t *told_since(const struct notice *notice) {
    return &notice->view->told_since_ns[*notice->name ? NAMES : PAGES];
}

/* With the lock held: the oldest notice to a view that is not being told another one. */
static struct notice *take(struct gfs_notifier *notifier) {
    struct notice **link = &notifier->first;

    while (*link && *told_since(*link))
        link = &(*link)->next;
    struct notice *notice = *link;
    if (!notice)
        return NULL;
    *link = notice->next;
    if (!*link)
        notifier->last = link;
    return notice;
}

/* The kernel then asks for the name before it uses it again, and drops what lies below when that is gone: in
 * whoever's call that is, and not here, with the folder locked. */
static bool expire(struct gfs_mount *mount, const struct notice *notice) {
    return fuse_lowlevel_notify_expire_entry(mount->session, notice->node, notice->name, strlen(notice->name)) !=
           -ENOSYS; /* Linux before 6.2 */
}

static void tell(struct gfs_mount *mount, const struct notice *notice) {
    /* A node that has gone meanwhile is -ENOENT here, and there is nothing to do. */
    if (*notice->name && notice->expires && expire(mount, notice))
        return;
    if (*notice->name)
        fuse_lowlevel_notify_inval_entry(mount->session, notice->node, notice->name, strlen(notice->name));
    else
        fuse_lowlevel_notify_inval_inode(mount->session, notice->node, notice->offset, notice->length);
}

static void *serve(void *context) {
    struct gfs_mount *mount = context;
    struct gfs_notifier *notifier = mount->notifier;

    pthread_mutex_lock(&notifier->lock);
    for (;;) {
        struct notice *notice = take(notifier);
        if (!notice && notifier->stopping)
            break;
        if (!notice) {
            pthread_cond_wait(&notifier->work, &notifier->lock);
            continue;
        }
        notifier->busy++;
        *told_since(notice) = gfs_monotonic_ns();
        pthread_mutex_unlock(&notifier->lock);
        tell(mount, notice);
        pthread_mutex_lock(&notifier->lock);
        notifier->busy--;
        *told_since(notice) = 0;
        finish(notice);
    }
    pthread_mutex_unlock(&notifier->lock);
    return NULL;
}

/* With the lock held. */
static int add_thread(struct gfs_mount *mount) {
    struct gfs_notifier *notifier = mount->notifier;
    int rc = pthread_create(&notifier->threads[notifier->running], NULL, serve, mount);

    if (!rc)
        notifier->running++;
    return -rc;
}

int gfs_notifier_start(struct gfs_mount *mount) {
    struct gfs_notifier *notifier = mount->notifier;
    int rc = 0;

    pthread_mutex_lock(&notifier->lock);
    while (!rc && notifier->running < THREADS)
        rc = add_thread(mount);
    pthread_mutex_unlock(&notifier->lock);
    return rc;
}

void gfs_notifier_stop(struct gfs_mount *mount) {
    struct gfs_notifier *notifier = mount->notifier;

    pthread_mutex_lock(&notifier->lock);
    notifier->stopping = true;
    pthread_cond_broadcast(&notifier->work);
    pthread_mutex_unlock(&notifier->lock);
    while (notifier->running)
        pthread_join(notifier->threads[--notifier->running], NULL);
}

/* ---- a handler's notices ---- */

struct gfs_notices *gfs_notices_begin(void) {
    struct gfs_notices *notices = calloc(1, sizeof *notices);
    pthread_condattr_t monotonic;

    if (!notices)
        return NULL;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&notices->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return notices;
}

/* With the lock held. When all threads are busy another one helps, since what one waits for may be
 * held by a request that waits for the next notice. */
static void relieve(struct gfs_mount *mount) {
    struct gfs_notifier *notifier = mount->notifier;

    if (notifier->busy == notifier->running && notifier->running > 0 && notifier->running < THREADS_MAX &&
        add_thread(mount))
        gfs_log(GFS_LOG_WARNING, "notifier-held-up", "threads=%u", notifier->running);
}

/* With the lock held. Nobody waits for a view that is held up, and it is not told everything: it has
 * to forget all then. False when the notice was not taken. */
static bool enqueue(struct gfs_mount *mount, struct notice *notice) {
    struct gfs_notifier *notifier = mount->notifier;
    struct gfs_view *view = notice->view;
    int64_t now_ns = gfs_monotonic_ns();
    int64_t since_ns = *told_since(notice);
    bool held_up = since_ns && now_ns - since_ns > HELD_UP_NS;

    relieve(mount);
    if (notifier->stopping || (held_up && view->notices >= HELD_UP_NOTICES_MAX))
        return false;
    if (held_up)
        notice->notices = NULL;
    if (notice->notices)
        notice->notices->left++;
    view->notices++;
    *notifier->last = notice;
    notifier->last = &notice->next;
    pthread_cond_signal(&notifier->work);
    return true;
}

static void send_notice(struct gfs_mount *mount, struct gfs_notices *notices, struct gfs_sibling to, const char *name,
                        off_t offset, off_t length, bool expires) {
    size_t size = strlen(name) + 1;
    struct notice *notice = malloc(sizeof *notice + size);
    bool taken = false;

    if (notice) {
        *notice = (struct notice){
            .notices = notices, .view = to.view, .node = to.id, .expires = expires, .offset = offset, .length = length};
        memcpy(notice->name, name, size);
        pthread_mutex_lock(&mount->notifier->lock);
        taken = enqueue(mount, notice);
        pthread_mutex_unlock(&mount->notifier->lock);
    }
    if (taken)
        return;
    free(notice);
    atomic_store(&to.view->lost, true);
    gfs_watch_lost(mount);
}

/* Whether all were done in time. */
static bool wait_for(struct gfs_notifier *notifier, struct gfs_notices *notices, int64_t limit_ns) {
    int64_t deadline_ns = gfs_monotonic_ns() + limit_ns;
    const struct timespec deadline = {.tv_sec = deadline_ns / GFS_NS_PER_S, .tv_nsec = deadline_ns % GFS_NS_PER_S};

    if (!notices)
        return true;
    pthread_mutex_lock(&notifier->lock);
    while (notices->left && !pthread_cond_timedwait(&notices->done, &notifier->lock, &deadline))
        ;
    bool done = !notices->left;
    notices->abandoned = true;
    pthread_mutex_unlock(&notifier->lock);
    if (done) {
        pthread_cond_destroy(&notices->done);
        free(notices);
    }
    return done;
}

/* Waits for notices to these, on behalf of a request of the view. Whether all were done. */
static bool wait_in_turn(struct gfs_notifier *notifier, struct gfs_notices *notices, struct gfs_view *view,
                         const struct gfs_sibling *told, size_t count) {
    bool ring = false;

    if (!notices)
        return true;
    pthread_mutex_lock(&notifier->lock);
    for (size_t i = 0; i < count; i++)
        ring = ring || told[i].view->waiting > 0;
    view->waiting++;
    pthread_mutex_unlock(&notifier->lock);
    bool done = wait_for(notifier, notices, ring ? GIVE_WAY_NS : WAIT_NS);
    pthread_mutex_lock(&notifier->lock);
    view->waiting--;
    pthread_mutex_unlock(&notifier->lock);
    return done;
}

/* With the lock held: whether a request of another view that waits may hold one of the pages. */
static bool is_page_ring(const struct gfs_notifier *notifier, const struct page_wait *wait) {
    const struct page_wait *other = notifier->page_waits;

    while (other && (other->backing != wait->backing || other->view == wait->view || other->first > wait->last ||
                     other->last < wait->first))
        other = other->next;
    return other != NULL;
}

static void wait_for_pages(struct gfs_notifier *notifier, struct gfs_notices *notices, struct page_wait *wait) {
    pthread_mutex_lock(&notifier->lock);
    bool ring = is_page_ring(notifier, wait);
    wait->next = notifier->page_waits;
    notifier->page_waits = wait;
    pthread_mutex_unlock(&notifier->lock);
    wait_for(notifier, notices, ring ? GIVE_WAY_NS : WAIT_NS);
    pthread_mutex_lock(&notifier->lock);
    struct page_wait **link = &notifier->page_waits;
    while (*link != wait)
        link = &(*link)->next;
    *link = wait->next;
    pthread_mutex_unlock(&notifier->lock);
}

void gfs_notices_end(struct gfs_mount *mount, struct gfs_notices *notices) {
    wait_for(mount->notifier, notices, POLICY_WAIT_NS);
}

/* The other nodes of a file. Lent: `space` when it is large enough, else memory to be freed. */
static struct gfs_sibling *siblings(struct gfs_mount *mount, uint64_t device, uint64_t inode,
                                    const struct gfs_node *except, bool only_pages,
                                    struct gfs_sibling space[static SIBLINGS_AT_ONCE], size_t *count) {
    size_t size = SIBLINGS_AT_ONCE;
    struct gfs_sibling *all = space;

    for (;;) {
        size_t there_are = gfs_node_siblings(mount, device, inode, except, only_pages, all, size);
        if (there_are <= size) {
            *count = there_are;
            return all;
        }
        if (all != space)
            free(all);
        size = there_are + SIBLINGS_AT_ONCE;
        all = malloc(size * sizeof *all);
        if (!all) {
            *count = 0;
            return space;
        }
    }
}

/* Forgets the attributes of all siblings. The number that the kernel does not know. */
static size_t forget_attributes(struct gfs_mount *mount, const struct gfs_sibling *all, size_t count) {
    size_t unknown = 0;

    for (size_t i = 0; i < count; i++)
        unknown += fuse_lowlevel_notify_inval_inode(mount->session, all[i].id, -1, 0) == -ENOENT &&
                   atomic_load(&all[i].view->late_until_ns) <= gfs_monotonic_ns();
    return unknown;
}

/* A view that lets the kernel not come to an answer is not waited for again soon. */
static void note_late(const struct gfs_sibling *all, size_t count) {
    int64_t until_ns = gfs_monotonic_ns() + LATE_NS;

    for (size_t i = 0; i < count; i++)
        atomic_store(&all[i].view->late_until_ns, until_ns);
}

/*
 * The kernel does not know a node whose first entry is on the way to it. What it is told then is lost,
 * and the entry brings what is old. So it is told again, until it has the entry, or has forgotten the
 * node and that has arrived here; both take no longer than a thread of the kernel waits for its turn.
 */
void gfs_notify_attributes(struct gfs_mount *mount, const struct stat *st, const struct gfs_node *except) {
    const struct timespec pause = {.tv_nsec = UNKNOWN_PAUSE_NS};
    struct gfs_sibling space[SIBLINGS_AT_ONCE];
    size_t unknown = 1;

    atomic_fetch_add(&mount->changes, 1); /* before the look for siblings, see gfs_attr_entry() */
    for (int tries = 0; unknown && tries < UNKNOWN_TRIES; tries++) {
        size_t count = 0;
        if (tries)
            nanosleep(&pause, NULL);
        struct gfs_sibling *all = siblings(mount, st->st_dev, st->st_ino, except, false, space, &count);
        unknown = forget_attributes(mount, all, count);
        if (unknown && tries == UNKNOWN_TRIES - 1)
            note_late(all, count);
        if (all != space)
            free(all);
    }
}

bool gfs_notify_all_names(struct gfs_mount *mount) {
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 18)
    return !fuse_lowlevel_notify_increment_epoch(mount->session);
#else
    (void)mount;
    return false;
#endif
}

/* Costs every view, so only for whoever cannot wait. */
static void forget_all_names(struct gfs_mount *mount, const struct gfs_backing *folder) {
    int64_t before_ns = gfs_monotonic_ns();

    if (gfs_notify_all_names(mount))
        gfs_folder_forgotten(mount, folder, before_ns);
}

void gfs_notify_names(struct gfs_mount *mount, struct gfs_node *folder, const char *name, const char *second) {
    struct gfs_sibling space[SIBLINGS_AT_ONCE];
    size_t count = 0;
    gfs_folder_changed(mount, folder->backing, folder->view);
    struct gfs_sibling *all =
        siblings(mount, folder->backing->device, folder->backing->inode, folder, false, space, &count);
    struct gfs_notices *notices = count ? gfs_notices_begin() : NULL;

    for (size_t i = 0; i < count; i++)
        fuse_lowlevel_notify_inval_inode(mount->session, all[i].id, -1, 0);
    for (size_t i = 0; i < count; i++) {
        if (all[i].has_names)
            send_notice(mount, notices, all[i], name, 0, 0, false);
        if (all[i].has_names && second)
            send_notice(mount, notices, all[i], second, 0, 0, false);
    }
    if (!wait_in_turn(mount->notifier, notices, folder->view, all, count))
        forget_all_names(mount, folder->backing);
    if (all != space)
        free(all);
}

void gfs_notify_content(struct gfs_mount *mount, const struct gfs_backing *backing, const struct gfs_node *except,
                        off_t offset, off_t length) {
    enum { PAGE = 4096 };
    struct gfs_sibling space[SIBLINGS_AT_ONCE];
    size_t count = 0;
    struct gfs_sibling *all = siblings(mount, backing->device, backing->inode, except, true, space, &count);
    struct gfs_notices *notices = count ? gfs_notices_begin() : NULL;
    struct page_wait wait = {
        .backing = backing, .first = offset / PAGE, .last = length ? (offset + length - 1) / PAGE : INT64_MAX};

    for (size_t i = 0; i < count; i++)
        send_notice(mount, notices, all[i], "", offset, length, false);
    /* What bypasses the pages of its own view (no exception) holds none. */
    if (notices && except)
        wait_for_pages(mount->notifier, notices, &wait);
    else
        wait_for(mount->notifier, notices, WAIT_NS);
    if (all != space)
        free(all);
}

void gfs_notify_behind(struct gfs_mount *mount, struct gfs_notices *notices, const struct gfs_behind *behind) {
    struct gfs_sibling space[SIBLINGS_AT_ONCE];
    size_t count = 0;
    struct gfs_sibling *all = siblings(mount, behind->device, behind->inode, NULL, false, space, &count);

    for (size_t i = 0; i < count; i++)
        fuse_lowlevel_notify_inval_inode(mount->session, all[i].id, -1, 0);
    for (size_t i = 0; behind->name && i < count; i++)
        if (all[i].has_names)
            send_notice(mount, notices, all[i], behind->name, 0, 0, behind->expires);
    if (all != space)
        free(all);
    if (!behind->content || !count)
        return;
    all = siblings(mount, behind->device, behind->inode, NULL, true, space, &count);
    for (size_t i = 0; i < count; i++)
        send_notice(mount, notices, all[i], "", 0, 0, false);
    if (all != space)
        free(all);
}

void gfs_notify_forget_node(struct gfs_mount *mount, uint64_t id) {
    fuse_lowlevel_notify_inval_inode(mount->session, id, 0, 0);
}

void gfs_notify_forget_name(struct gfs_mount *mount, struct gfs_notices *notices, const struct gfs_node *folder,
                            const char *name, bool below) {
    send_notice(mount, notices, (struct gfs_sibling){.id = gfs_node_id(folder), .view = folder->view}, name, 0, 0,
                !below);
}
