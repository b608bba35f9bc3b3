#include "fs/revoke.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "fs/call.h"
#include "fs/crash.h"
#include "fs/notify.h"
#include "fs/poison.h"
#include "fs/remnants.h"
#include "guildfs/log.h"

enum job_kind {
    JOB_OPEN,  /* what is known to be open */
    JOB_REST,  /* of the change, and then it is settled */
    JOB_STALE, /* of no change */
};

struct job {
    struct job *next;
    enum job_kind kind;
    uint64_t generation;
    struct gfs_doomed_list doomed;
    uint64_t *nodes;
    size_t count;
};

struct gfs_revoker {
    struct gfs_doomed_list current; /* the thread's own: of the change that is being dealt with */
    pthread_t thread;
    bool runs;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct job *first, **last;
    bool stopping, busy;
    uint64_t settled;
};

/* ---- lists ---- */

static void add(struct gfs_doomed_list *list, const struct gfs_doomed *doomed) {
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 64;
        struct gfs_doomed *larger = realloc(list->list, size * sizeof *larger);
        if (!larger) {
            list->failed = true;
            return;
        }
        list->list = larger;
        list->size = size;
    }
    list->list[list->count++] = *doomed;
}

void gfs_doom(struct gfs_doomed_list *list, struct gfs_node *node, bool kill) {
    size_t before = list->count;

    add(list, &(struct gfs_doomed){.node = node, .id = gfs_node_id(node), .kill = kill, .fresh = true});
    if (list->count == before)
        return;
    gfs_node_kill(node);
    /* A name that still leads to it may open it again; then it is doomed again. */
    atomic_store(&node->opened_needs, 0);
}

static void free_list(struct gfs_doomed_list *list) {
    free(list->list);
    *list = (struct gfs_doomed_list){0};
}

/* What does not fit for want of memory stays dead and is never given back. */
void gfs_doomed_move(struct gfs_doomed_list *to, struct gfs_doomed_list *from) {
    for (size_t i = 0; i < from->count; i++)
        add(to, &from->list[i]);
    if (from->failed || to->failed)
        gfs_log(GFS_LOG_ERROR, "not-revoked", "reason=%s", "out of memory");
    to->failed = false;
    free_list(from);
}

/* ---- poisoning ---- */

void gfs_doomed_poison(struct gfs_mount *mount, const struct gfs_doomed_list *doomed, bool only_fresh) {
    struct gfs_node **nodes = malloc((doomed->count + 1) * sizeof *nodes);
    size_t count = 0;
    int rc = nodes ? 0 : -ENOMEM;

    for (size_t i = 0; nodes && i < doomed->count; i++)
        if (!only_fresh || doomed->list[i].fresh)
            nodes[count++] = doomed->list[i].node;
    if (!rc && count)
        rc = gfs_poison(mount, nodes, count);
    free(nodes);
    if (rc) /* then their names do not lead astray, at least */
        gfs_notify_all_names(mount);
    if (rc)
        gfs_log(GFS_LOG_WARNING, "not-poisoned", "files=%zu errno=%d", doomed->count, -rc);
}

/* ---- the thread ---- */

/* What is looked for later is no older than what has been settled already. */
static uint64_t not_before_settled(struct gfs_revoker *revoker, uint64_t generation) {
    pthread_mutex_lock(&revoker->lock);
    uint64_t settled = revoker->settled;
    pthread_mutex_unlock(&revoker->lock);
    return generation < settled ? settled : generation;
}

static void run_stale(struct gfs_mount *mount, struct job *job) {
    uint64_t generation = not_before_settled(mount->revoker, job->generation);

    for (size_t i = 0; i < job->doomed.count; i++)
        job->doomed.list[i].generation = generation;
    gfs_doomed_poison(mount, &job->doomed, false);
    gfs_remnants_add(mount, generation, &job->doomed);
}

static void run(struct gfs_mount *mount, struct job *job) {
    struct gfs_doomed_list *current = &mount->revoker->current;

    if (job->kind == JOB_STALE) {
        run_stale(mount, job);
        return;
    }
    if (job->kind == JOB_OPEN) {
        gfs_doomed_poison(mount, &job->doomed, false);
        gfs_doomed_move(current, &job->doomed);
        return;
    }
    gfs_doomed_move(current, &job->doomed);
    for (size_t i = 0; i < current->count; i++)
        current->list[i].generation = job->generation;
    gfs_doomed_poison(mount, current, false);
    gfs_remnants_add(mount, job->generation, current);
    for (size_t i = 0; i < job->count; i++)
        gfs_notify_forget_node(mount, job->nodes[i]);
    if (gfs_remnants_settled(mount, job->generation) == job->generation)
        gfs_crash_note(mount, job->generation); /* else the other thread does */
}

static void free_job(struct job *job) {
    free(job->doomed.list);
    free(job->nodes);
    free(job);
}

/* With the lock held, which is given up meanwhile. */
static void run_next(struct gfs_mount *mount) {
    struct gfs_revoker *revoker = mount->revoker;
    struct job *job = revoker->first;

    revoker->first = job->next;
    if (!revoker->first)
        revoker->last = &revoker->first;
    revoker->busy = true;
    pthread_mutex_unlock(&revoker->lock);
    run(mount, job);
    pthread_mutex_lock(&revoker->lock);
    revoker->busy = false;
    if (job->kind == JOB_REST)
        revoker->settled = job->generation;
    free_job(job);
}

static void *serve(void *context) {
    struct gfs_mount *mount = context;
    struct gfs_revoker *revoker = mount->revoker;

    pthread_setname_np(pthread_self(), "guildfs-revoke");
    pthread_mutex_lock(&revoker->lock);
    while (!revoker->stopping) {
        if (revoker->first)
            run_next(mount);
        else
            pthread_cond_wait(&revoker->changed, &revoker->lock);
    }
    pthread_mutex_unlock(&revoker->lock);
    return NULL;
}

int gfs_revoker_new(struct gfs_revoker **out) {
    struct gfs_revoker *revoker = calloc(1, sizeof *revoker);

    if (!revoker)
        return -ENOMEM;
    revoker->last = &revoker->first;
    pthread_mutex_init(&revoker->lock, NULL);
    pthread_cond_init(&revoker->changed, NULL);
    *out = revoker;
    return 0;
}

int gfs_revoker_start(struct gfs_mount *mount) {
    struct gfs_revoker *revoker = mount->revoker;
    int code = pthread_create(&revoker->thread, NULL, serve, mount);
    revoker->runs = !code;
    return -code;
}

void gfs_revoker_stop(struct gfs_mount *mount) {
    struct gfs_revoker *revoker = mount->revoker;

    if (!revoker || !revoker->runs)
        return;
    pthread_mutex_lock(&revoker->lock);
    revoker->stopping = true;
    pthread_cond_broadcast(&revoker->changed);
    pthread_mutex_unlock(&revoker->lock);
    pthread_join(revoker->thread, NULL);
    revoker->runs = false;
}

void gfs_revoker_free(struct gfs_revoker *revoker) {
    if (!revoker)
        return;
    for (struct job *job = revoker->first, *next; job; job = next) {
        next = job->next;
        free_job(job);
    }
    free_list(&revoker->current);
    pthread_cond_destroy(&revoker->changed);
    pthread_mutex_destroy(&revoker->lock);
    free(revoker);
}

/* ---- whoever hands something in ---- */

static void enqueue(struct gfs_revoker *revoker, struct job *job) {
    pthread_mutex_lock(&revoker->lock);
    *revoker->last = job;
    revoker->last = &job->next;
    pthread_cond_signal(&revoker->changed);
    pthread_mutex_unlock(&revoker->lock);
}

void gfs_revoke_open(struct gfs_mount *mount, struct gfs_doomed_list *doomed) {
    struct job *job = doomed->count ? calloc(1, sizeof *job) : NULL;

    if (!job)
        return; /* the list is the caller's still, and goes with the rest */
    job->doomed = *doomed;
    *doomed = (struct gfs_doomed_list){0};
    enqueue(mount->revoker, job);
}

void gfs_revoke_rest(struct gfs_mount *mount, uint64_t generation, struct gfs_doomed_list *doomed, uint64_t *nodes,
                     size_t count) {
    struct job *job = calloc(1, sizeof *job);

    if (!job) {
        gfs_log(GFS_LOG_ERROR, "not-revoked", "reason=%s", "out of memory");
        free_list(doomed);
        free(nodes);
        return;
    }
    *job = (struct job){.kind = JOB_REST, .generation = generation, .doomed = *doomed, .nodes = nodes, .count = count};
    *doomed = (struct gfs_doomed_list){0};
    enqueue(mount->revoker, job);
}

/* ---- everything: at the end, and when the store is silent ---- */

static void doom_open(void *context, struct gfs_node *node) {
    if (node->fast && atomic_load(&node->opened_needs))
        gfs_doom(context, node, false);
}

void gfs_revoke_everything(struct gfs_mount *mount) {
    struct gfs_doomed_list doomed = {0};

    gfs_nodes_visit(mount, doom_open, &doomed);
    gfs_doomed_poison(mount, &doomed, false);
    free_list(&doomed);
}

void gfs_revoke_stale(struct gfs_mount *mount) {
    struct gfs_authority_status status;
    struct job *job = calloc(1, sizeof *job);

    if (!job) {
        gfs_log(GFS_LOG_ERROR, "not-revoked", "reason=%s", "out of memory");
        gfs_revoke_everything(mount);
        return;
    }
    gfs_authority_status(mount->authority, &status);
    job->kind = JOB_STALE;
    job->generation = status.generation;
    gfs_nodes_visit(mount, doom_open, &job->doomed);
    gfs_log(GFS_LOG_WARNING, "closed-when-stale", "files=%zu", job->doomed.count);
    enqueue(mount->revoker, job);
}

/* ---- status ---- */

uint64_t gfs_revoker_settled(struct gfs_mount *mount, uint64_t in_force) {
    struct gfs_revoker *revoker = mount->revoker;

    pthread_mutex_lock(&revoker->lock);
    bool idle = !revoker->first && !revoker->busy;
    uint64_t settled = idle || revoker->settled > in_force ? in_force : revoker->settled;
    pthread_mutex_unlock(&revoker->lock);
    return gfs_remnants_settled(mount, settled);
}
