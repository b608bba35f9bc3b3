#include "fs/remnants.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/call.h"
#include "fs/crash.h"
#include "fs/poison.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

static const int64_t LATE_NS = GFS_NS_PER_S, AGAIN_NS = 10 * GFS_NS_PER_S;

struct gfs_remnants {
    /* the thread's own */
    dev_t device;                   /* never changes once it runs */
    struct gfs_doomed_list watched; /* what somebody may hold */
    int64_t next_ns;                /* when to look again, monotonic */
    struct gfs_victims victims;

    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct gfs_doomed_list added;
    uint64_t added_generation, settled;
    bool stopping, busy;
    struct gfs_holders holders, old; /* of this mount, of one that died */
};

/* ---- looking ---- */

static void take_over(struct gfs_remnants *remnants, struct gfs_holders *holders) {
    pthread_mutex_lock(&remnants->lock);
    struct gfs_holders old = remnants->holders;
    remnants->holders = *holders;
    pthread_mutex_unlock(&remnants->lock);
    free(old.list);
}

static void look_for_holders(struct gfs_remnants *remnants) {
    struct gfs_holders holders = {0};
    int rc = gfs_holders_find(remnants->device, &remnants->watched, &holders, &remnants->victims);

    if (rc)
        gfs_log(GFS_LOG_WARNING, "holders-not-found", "errno=%d", -rc);
    else
        take_over(remnants, &holders);
    gfs_victims_await(&remnants->victims);
}

/* What nobody holds any more is given back. */
static void let_go(struct gfs_mount *mount, struct gfs_doomed_list *watched) {
    size_t kept = 0;

    for (size_t i = 0; i < watched->count; i++) {
        struct gfs_doomed doomed = watched->list[i];
        if (doomed.fresh || doomed.held)
            watched->list[kept++] = doomed;
        else
            gfs_node_forget(mount, doomed.node, 1);
    }
    watched->count = kept;
}

static void look_again(struct gfs_mount *mount) {
    struct gfs_remnants *remnants = mount->remnants;

    gfs_doomed_poison(mount, &remnants->watched, true);
    look_for_holders(remnants);
    for (size_t i = 0; i < remnants->watched.count; i++)
        remnants->watched.list[i].fresh = false;
    if (gfs_poison_idle(mount))
        let_go(mount, &remnants->watched);
    remnants->next_ns = gfs_monotonic_ns() + AGAIN_NS;
}

/* ---- the thread ---- */

/* With the lock held, which is given up meanwhile. */
static void look_at_added(struct gfs_mount *mount) {
    struct gfs_remnants *remnants = mount->remnants;
    uint64_t generation = remnants->added_generation;
    struct gfs_doomed_list added = remnants->added;

    remnants->added = (struct gfs_doomed_list){0};
    remnants->busy = true;
    pthread_mutex_unlock(&remnants->lock);
    gfs_doomed_move(&remnants->watched, &added);
    look_for_holders(remnants);
    remnants->next_ns = gfs_monotonic_ns() + LATE_NS;
    pthread_mutex_lock(&remnants->lock);
    remnants->busy = false;
    remnants->settled = generation;
    pthread_mutex_unlock(&remnants->lock);
    gfs_crash_note(mount, generation);
    pthread_mutex_lock(&remnants->lock);
}

/* With the lock held. Whether it is time to look again; else waits for that, or for something new. */
static bool wait_for_work(struct gfs_remnants *remnants) {
    const struct timespec due = {.tv_sec = remnants->next_ns / GFS_NS_PER_S,
                                 .tv_nsec = remnants->next_ns % GFS_NS_PER_S};

    if (!remnants->watched.count)
        pthread_cond_wait(&remnants->changed, &remnants->lock);
    else if (gfs_monotonic_ns() >= remnants->next_ns)
        return true;
    else
        pthread_cond_timedwait(&remnants->changed, &remnants->lock, &due);
    return false;
}

static void *serve(void *context) {
    struct gfs_mount *mount = context;
    struct gfs_remnants *remnants = mount->remnants;

    pthread_setname_np(pthread_self(), "guildfs-holders");
    pthread_mutex_lock(&remnants->lock);
    while (!remnants->stopping) {
        if (remnants->added.count) {
            look_at_added(mount);
        } else if (wait_for_work(remnants)) {
            pthread_mutex_unlock(&remnants->lock);
            look_again(mount);
            pthread_mutex_lock(&remnants->lock);
        }
    }
    pthread_mutex_unlock(&remnants->lock);
    return NULL;
}

int gfs_remnants_new(struct gfs_remnants **out) {
    struct gfs_remnants *remnants = calloc(1, sizeof *remnants);
    pthread_condattr_t monotonic;

    if (!remnants)
        return -ENOMEM;
    pthread_mutex_init(&remnants->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&remnants->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = remnants;
    return 0;
}

int gfs_remnants_start(struct gfs_mount *mount, dev_t device) {
    struct gfs_remnants *remnants = mount->remnants;

    remnants->device = device;
    int code = pthread_create(&remnants->thread, NULL, serve, mount);
    remnants->runs = !code;
    return -code;
}

void gfs_remnants_stop(struct gfs_mount *mount) {
    struct gfs_remnants *remnants = mount->remnants;

    if (!remnants || !remnants->runs)
        return;
    pthread_mutex_lock(&remnants->lock);
    remnants->stopping = true;
    pthread_cond_broadcast(&remnants->changed);
    pthread_mutex_unlock(&remnants->lock);
    pthread_join(remnants->thread, NULL);
    remnants->runs = false;
}

void gfs_remnants_free(struct gfs_remnants *remnants) {
    if (!remnants)
        return;
    free(remnants->watched.list);
    free(remnants->added.list);
    free(remnants->holders.list);
    free(remnants->old.list);
    pthread_cond_destroy(&remnants->changed);
    pthread_mutex_destroy(&remnants->lock);
    free(remnants);
}

/* ---- others ---- */

void gfs_remnants_add(struct gfs_mount *mount, uint64_t generation, struct gfs_doomed_list *doomed) {
    struct gfs_remnants *remnants = mount->remnants;

    pthread_mutex_lock(&remnants->lock);
    if (doomed->count) {
        gfs_doomed_move(&remnants->added, doomed);
        remnants->added_generation = generation;
        pthread_cond_signal(&remnants->changed);
    }
    pthread_mutex_unlock(&remnants->lock);
}

void gfs_remnants_add_old(struct gfs_mount *mount, dev_t device, const struct gfs_sweep_found *found, gfs_id user,
                          gfs_id share, bool kill) {
    struct gfs_remnants *remnants = mount->remnants;
    struct gfs_victims *victims = kill ? calloc(1, sizeof *victims) : NULL;

    if (victims) {
        gfs_holders_kill_old(device, found->process, victims);
        gfs_victims_await(victims);
        free(victims);
    }
    pthread_mutex_lock(&remnants->lock);
    int rc = gfs_holders_add_old(&remnants->old, found, user, share);
    pthread_mutex_unlock(&remnants->lock);
    if (!rc)
        gfs_log(GFS_LOG_WARNING, "held-of-dead-mount", "pid=%d path=%s", found->process,
                found->path ? found->path : "");
}

uint64_t gfs_remnants_settled(struct gfs_mount *mount, uint64_t added) {
    struct gfs_remnants *remnants = mount->remnants;

    pthread_mutex_lock(&remnants->lock);
    bool idle = !remnants->added.count && !remnants->busy;
    uint64_t settled = idle || remnants->settled > added ? added : remnants->settled;
    pthread_mutex_unlock(&remnants->lock);
    return settled;
}

void gfs_remnants_visit(struct gfs_mount *mount, void (*visit)(void *context, const struct gfs_holder *holder),
                        void *context) {
    struct gfs_remnants *remnants = mount->remnants;

    pthread_mutex_lock(&remnants->lock);
    size_t count = remnants->holders.count, old = remnants->old.count;
    struct gfs_holder *copy = malloc((count + old + 1) * sizeof *copy);
    if (copy && count)
        memcpy(copy, remnants->holders.list, count * sizeof *copy);
    if (copy && old)
        memcpy(copy + count, remnants->old.list, old * sizeof *copy);
    pthread_mutex_unlock(&remnants->lock);
    for (size_t i = 0; copy && i < count + old; i++)
        if (gfs_holder_lives(&copy[i]))
            visit(context, &copy[i]);
    free(copy);
}
