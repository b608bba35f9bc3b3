#include "fs/sweep.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <dirent.h>
#include <unistd.h>

#include "fs/sweep_process.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

enum { STUCK_MAX = 8 };
static const int64_t STUCK_NS = GFS_NS_PER_S, LIMIT_NS = 10 * GFS_NS_PER_S, TICK_NS = GFS_NS_PER_S / 20;

/* Freed by whoever lets go of it last: a thread that is stuck keeps it. */
struct sweep {
    pthread_mutex_t lock; /* of all that is not said to be constant */
    pthread_cond_t changed;
    unsigned users;
    dev_t device; /* constant, like the two lists */
    uint64_t *nodes;
    size_t node_count;
    pid_t *processes;
    size_t process_count;
    size_t next;      /* process to be looked at */
    unsigned turn;    /* of the thread that is at work; a thread of an earlier turn is left behind */
    int64_t since_ns; /* when it began with the process, monotonic */
    bool done;
    size_t unseen;
    struct gfs_sweep_list found;
};

void gfs_sweep_end(struct gfs_sweep_result *result) {
    for (size_t i = 0; i < result->count; i++)
        free(result->found[i].path);
    free(result->found);
    *result = (struct gfs_sweep_result){0};
}

static void let_go(struct sweep *sweep) {
    pthread_mutex_lock(&sweep->lock);
    bool last = --sweep->users == 0;
    pthread_mutex_unlock(&sweep->lock);
    if (!last)
        return;
    pthread_cond_destroy(&sweep->changed);
    pthread_mutex_destroy(&sweep->lock);
    gfs_sweep_end(&(struct gfs_sweep_result){.found = sweep->found.list, .count = sweep->found.count});
    free(sweep->processes);
    free(sweep->nodes);
    free(sweep);
}

/* ---- the thread that looks ---- */

static void add_all(struct gfs_sweep_list *to, const struct gfs_sweep_list *from) {
    to->failed = to->failed || from->failed;
    for (size_t i = 0; i < from->count; i++)
        gfs_sweep_list_add(to, &from->list[i]);
}

static void *look(void *context) {
    struct sweep *sweep = context;

    pthread_mutex_lock(&sweep->lock);
    unsigned turn = sweep->turn;
    while (sweep->turn == turn && sweep->next < sweep->process_count) {
        pid_t process = sweep->processes[sweep->next++];
        struct gfs_sweep_list found = {0};
        sweep->since_ns = gfs_monotonic_ns();
        pthread_mutex_unlock(&sweep->lock);
        gfs_sweep_process(process, sweep->device, sweep->nodes, sweep->node_count, &found);
        pthread_mutex_lock(&sweep->lock);
        add_all(&sweep->found, &found);
        free(found.list);
    }
    if (sweep->turn == turn) {
        sweep->done = true;
        pthread_cond_signal(&sweep->changed);
    }
    pthread_mutex_unlock(&sweep->lock);
    let_go(sweep);
    return NULL;
}

/* With the lock held. */
static int start(struct sweep *sweep) {
    pthread_attr_t detached;
    pthread_t thread;

    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sweep->turn++;
    sweep->users++;
    sweep->since_ns = gfs_monotonic_ns();
    int code = pthread_create(&thread, &detached, look, sweep);
    pthread_attr_destroy(&detached);
    if (code)
        sweep->users--;
    return -code;
}

/* ---- the one who waits ---- */

static void wait_a_tick(struct sweep *sweep) {
    int64_t until_ns = gfs_monotonic_ns() + TICK_NS;
    const struct timespec until = {.tv_sec = until_ns / GFS_NS_PER_S, .tv_nsec = until_ns % GFS_NS_PER_S};
    pthread_cond_timedwait(&sweep->changed, &sweep->lock, &until);
}

/* With the lock held. */
static int supervise(struct sweep *sweep) {
    int64_t began_ns = gfs_monotonic_ns();
    int rc = start(sweep);

    while (!rc && !sweep->done) {
        wait_a_tick(sweep);
        int64_t now_ns = gfs_monotonic_ns();
        if (sweep->done || now_ns - sweep->since_ns < STUCK_NS)
            continue;
        gfs_log(GFS_LOG_WARNING, "process-not-looked-at", "pid=%d", sweep->processes[sweep->next - 1]);
        sweep->unseen++;
        rc = sweep->unseen < STUCK_MAX && now_ns - began_ns < LIMIT_NS ? start(sweep) : -ETIMEDOUT;
    }
    if (rc) {
        sweep->turn++;
        sweep->unseen += sweep->process_count - sweep->next;
    }
    return rc == -ETIMEDOUT ? 0 : rc;
}

static int new_sweep(dev_t device, const uint64_t *nodes, size_t count, struct sweep **out) {
    struct sweep *sweep = calloc(1, sizeof *sweep);
    pthread_condattr_t monotonic;

    if (!sweep || (nodes && !(sweep->nodes = malloc((count + 1) * sizeof *nodes)))) {
        free(sweep);
        return -ENOMEM;
    }
    if (nodes)
        memcpy(sweep->nodes, nodes, count * sizeof *nodes);
    sweep->node_count = count;
    sweep->device = device;
    sweep->users = 1;
    pthread_mutex_init(&sweep->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sweep->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = sweep;
    return 0;
}

static int add_process(struct sweep *sweep, pid_t process) {
    if (sweep->process_count % 256 == 0) {
        pid_t *list = realloc(sweep->processes, (sweep->process_count + 256) * sizeof *list);
        if (!list)
            return -ENOMEM;
        sweep->processes = list;
    }
    sweep->processes[sweep->process_count++] = process;
    return 0;
}

static int add_all_processes(struct sweep *sweep) {
    const struct dirent *entry;
    DIR *proc = opendir("/proc");
    int rc = proc ? 0 : -errno;

    while (!rc && (entry = readdir(proc))) {
        pid_t process = (pid_t)strtol(entry->d_name, NULL, 10);
        if (process > 0 && process != getpid())
            rc = add_process(sweep, process);
    }
    if (proc)
        closedir(proc);
    return rc;
}

static int run(struct sweep *sweep, struct gfs_sweep_result *out) {
    pthread_mutex_lock(&sweep->lock);
    int rc = supervise(sweep);
    if (!rc && sweep->found.failed)
        rc = -ENOMEM;
    if (!rc) {
        *out = (struct gfs_sweep_result){sweep->found.list, sweep->found.count, sweep->unseen};
        sweep->found = (struct gfs_sweep_list){0};
    }
    pthread_mutex_unlock(&sweep->lock);
    return rc;
}

int gfs_sweep(dev_t device, const uint64_t *nodes, size_t count, struct gfs_sweep_result *out) {
    struct sweep *sweep = NULL;
    int rc = new_sweep(device, nodes, count, &sweep);

    if (rc)
        return rc;
    rc = add_all_processes(sweep);
    if (!rc)
        rc = run(sweep, out);
    let_go(sweep);
    return rc;
}

int gfs_sweep_one(dev_t device, const uint64_t *nodes, size_t count, pid_t process, struct gfs_sweep_result *out) {
    struct sweep *sweep = NULL;
    int rc = new_sweep(device, nodes, count, &sweep);

    if (rc)
        return rc;
    rc = add_process(sweep, process);
    if (!rc)
        rc = run(sweep, out);
    let_go(sweep);
    return rc;
}
