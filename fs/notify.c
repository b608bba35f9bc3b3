#include "fs/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/call.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

enum { THREADS = 2, SIBLINGS_AT_ONCE = 64 };
/* A folder that only one view changes cannot contend: there the wait ends when the notice is
 * through. In a hot one nothing is cached that the notice could not also miss by. */
static const int64_t WAIT_NS = 100000000, HOT_WAIT_NS = 2000000;

/* A handler that waits, and its notices that are not done. Freed by whoever is last. */
struct wait {
    unsigned notices;
    bool abandoned;
    pthread_cond_t done;
};

struct notice {
    struct notice *next;
    struct wait *wait;
    uint64_t node;
    off_t offset, length; /* of the pages, when there is no name */
    char name[];          /* "": pages */
};

struct gfs_notifier {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct notice *first, **last;
    pthread_t threads[THREADS];
    unsigned running;
    bool stopping;
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

void gfs_notifier_free(struct gfs_notifier *notifier) {
    if (!notifier)
        return;
    pthread_cond_destroy(&notifier->work);
    pthread_mutex_destroy(&notifier->lock);
    free(notifier);
}

/* With the lock held. */
static void finish(struct notice *notice) {
    struct wait *wait = notice->wait;

    free(notice);
    if (--wait->notices)
        return;
    if (wait->abandoned) {
        pthread_cond_destroy(&wait->done);
        free(wait);
    } else {
        pthread_cond_signal(&wait->done);
    }
}

static void *serve(void *context) {
    struct gfs_mount *mount = context;
    struct gfs_notifier *notifier = mount->notifier;

    pthread_mutex_lock(&notifier->lock);
    for (;;) {
        while (!notifier->first && !notifier->stopping)
            pthread_cond_wait(&notifier->work, &notifier->lock);
        struct notice *notice = notifier->first;
        if (!notice)
            break;
        notifier->first = notice->next;
        if (!notifier->first)
            notifier->last = &notifier->first;
        pthread_mutex_unlock(&notifier->lock);
        /* A node that has gone meanwhile is -ENOENT here, and there is nothing to do. */
        if (*notice->name)
            fuse_lowlevel_notify_inval_entry(mount->session, notice->node, notice->name, strlen(notice->name));
        else
            fuse_lowlevel_notify_inval_inode(mount->session, notice->node, notice->offset, notice->length);
        pthread_mutex_lock(&notifier->lock);
        finish(notice);
    }
    pthread_mutex_unlock(&notifier->lock);
    return NULL;
}

int gfs_notifier_start(struct gfs_mount *mount) {
    struct gfs_notifier *notifier = mount->notifier;

    while (notifier->running < THREADS) {
        int rc = pthread_create(&notifier->threads[notifier->running], NULL, serve, mount);
        if (rc)
            return -rc;
        notifier->running++;
    }
    return 0;
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

static struct wait *new_wait(void) {
    struct wait *wait = calloc(1, sizeof *wait);
    pthread_condattr_t monotonic;

    if (!wait)
        return NULL;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&wait->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return wait;
}

static void send_notice(struct gfs_notifier *notifier, struct wait *wait, uint64_t node, const char *name, off_t offset,
                        off_t length) {
    size_t size = strlen(name) + 1;
    struct notice *notice = malloc(sizeof *notice + size);

    if (!notice)
        return; /* the timeouts of the caches remain */
    *notice = (struct notice){.wait = wait, .node = node, .offset = offset, .length = length};
    memcpy(notice->name, name, size);
    pthread_mutex_lock(&notifier->lock);
    if (notifier->stopping) {
        pthread_mutex_unlock(&notifier->lock);
        free(notice);
        return;
    }
    wait->notices++;
    *notifier->last = notice;
    notifier->last = &notice->next;
    pthread_cond_signal(&notifier->work);
    pthread_mutex_unlock(&notifier->lock);
}

static void wait_for(struct gfs_notifier *notifier, struct wait *wait, int64_t limit_ns) {
    int64_t deadline_ns = gfs_monotonic_ns() + limit_ns;
    const struct timespec deadline = {.tv_sec = deadline_ns / GFS_NS_PER_S, .tv_nsec = deadline_ns % GFS_NS_PER_S};

    pthread_mutex_lock(&notifier->lock);
    while (wait->notices && !pthread_cond_timedwait(&wait->done, &notifier->lock, &deadline))
        ;
    bool done = !wait->notices;
    wait->abandoned = true;
    pthread_mutex_unlock(&notifier->lock);
    if (done) {
        pthread_cond_destroy(&wait->done);
        free(wait);
    }
}

/* The other nodes of a file. Lent: `space` when it is large enough, else memory to be freed. */
static uint64_t *siblings(struct gfs_mount *mount, uint64_t device, uint64_t inode, const struct gfs_node *except,
                          bool only_pages, uint64_t space[static SIBLINGS_AT_ONCE], size_t *count) {
    size_t size = SIBLINGS_AT_ONCE;
    uint64_t *ids = space;

    for (;;) {
        size_t there_are = gfs_node_siblings(mount, device, inode, except, only_pages, ids, size);
        if (there_are <= size) {
            *count = there_are;
            return ids;
        }
        if (ids != space)
            free(ids);
        size = there_are + SIBLINGS_AT_ONCE;
        ids = malloc(size * sizeof *ids);
        if (!ids) {
            *count = 0;
            return space;
        }
    }
}

void gfs_notify_attributes(struct gfs_mount *mount, const struct stat *st, const struct gfs_node *except) {
    uint64_t space[SIBLINGS_AT_ONCE];
    size_t count = 0;
    uint64_t *ids = siblings(mount, st->st_dev, st->st_ino, except, false, space, &count);

    for (size_t i = 0; i < count; i++)
        fuse_lowlevel_notify_inval_inode(mount->session, ids[i], -1, 0);
    if (ids != space)
        free(ids);
}

void gfs_notify_names(struct gfs_mount *mount, struct gfs_node *folder, const char *name, const char *second) {
    uint64_t space[SIBLINGS_AT_ONCE];
    size_t count = 0;
    bool hot = gfs_folder_changed(mount, folder->backing, folder->view);
    uint64_t *ids = siblings(mount, folder->backing->device, folder->backing->inode, folder, false, space, &count);
    struct wait *wait = count ? new_wait() : NULL;

    for (size_t i = 0; i < count; i++)
        fuse_lowlevel_notify_inval_inode(mount->session, ids[i], -1, 0);
    for (size_t i = 0; wait && i < count; i++) {
        send_notice(mount->notifier, wait, ids[i], name, 0, 0);
        if (second)
            send_notice(mount->notifier, wait, ids[i], second, 0, 0);
    }
    if (wait)
        wait_for(mount->notifier, wait, hot ? HOT_WAIT_NS : WAIT_NS);
    if (ids != space)
        free(ids);
}

void gfs_notify_content(struct gfs_mount *mount, const struct gfs_backing *backing, const struct gfs_node *except,
                        off_t offset, off_t length) {
    uint64_t space[SIBLINGS_AT_ONCE];
    size_t count = 0;
    uint64_t *ids = siblings(mount, backing->device, backing->inode, except, true, space, &count);
    struct wait *wait = count ? new_wait() : NULL;

    for (size_t i = 0; wait && i < count; i++)
        send_notice(mount->notifier, wait, ids[i], "", offset, length);
    if (wait)
        wait_for(mount->notifier, wait, WAIT_NS);
    if (ids != space)
        free(ids);
}

void gfs_notify_forget_node(struct gfs_mount *mount, uint64_t id) {
    fuse_lowlevel_notify_inval_inode(mount->session, id, 0, 0);
}

void gfs_notify_forget_name(struct gfs_mount *mount, uint64_t folder, const char *name) {
    fuse_lowlevel_notify_inval_entry(mount->session, folder, name, strlen(name));
}
