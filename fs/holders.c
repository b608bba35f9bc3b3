#include "fs/holders.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/node.h"
#include "fs/sweep.h"
#include "fs/view.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

enum { DEATH_MS = 2000 };

/* ---- what a process is ---- */

/* "123 (name) S 1 ...": the name may have blanks and brackets in it. The start is field 22. */
static bool read_stat(pid_t process, char *line, size_t size, char **after_name) {
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/stat", process);
    FILE *file = fopen(path, "re");
    size_t got = file ? fread(line, 1, size - 1, file) : 0;
    if (file)
        fclose(file);
    line[got] = '\0';
    *after_name = strrchr(line, ')');
    return *after_name != NULL;
}

static uint64_t started_of(const char *after_name) {
    const char *at = after_name;
    for (int field = 2; field < 22 && at; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

/* Real uid; UINT32_MAX when it cannot be read. */
static uint32_t uid_of(pid_t process) {
    char path[64], line[256];
    unsigned uid = UINT32_MAX;

    snprintf(path, sizeof path, "/proc/%d/status", process);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "Uid: %u", &uid) != 1)
        ;
    if (file)
        fclose(file);
    return uid;
}

static bool describe(pid_t process, struct gfs_holder *holder) {
    char line[1024], *end = NULL;

    if (!read_stat(process, line, sizeof line, &end))
        return false;
    holder->process = process;
    holder->started = started_of(end);
    holder->uid = uid_of(process);
    *end = '\0';
    const char *name = strchr(line, '(');
    snprintf(holder->program, sizeof holder->program, "%s", name ? name + 1 : "");
    return true;
}

bool gfs_holder_lives(const struct gfs_holder *holder) {
    char line[1024], *end = NULL;
    return read_stat(holder->process, line, sizeof line, &end) && started_of(end) == holder->started && end[1] == ' ' &&
           end[2] != 'Z' && end[2] != 'X';
}

/* ---- who holds what ---- */

static int by_id(const void *a, const void *b) {
    const struct gfs_doomed *left = a, *right = b;
    return left->id < right->id ? -1 : left->id > right->id;
}

static struct gfs_doomed *find(const struct gfs_doomed_list *doomed, uint64_t id) {
    const struct gfs_doomed key = {.id = id};
    return doomed->count ? bsearch(&key, doomed->list, doomed->count, sizeof key, by_id) : NULL;
}

/* The line of the list for a process and a share; made when there is none. NULL: no room, or it is gone. */
static struct gfs_holder *line_of(struct gfs_holders *holders, pid_t process, gfs_id user, gfs_id share) {
    for (size_t i = holders->count; i-- > 0;)
        if (holders->list[i].process == process && holders->list[i].share == share && holders->list[i].user == user)
            return &holders->list[i];
    if (holders->count == GFS_HOLDERS_MAX)
        return NULL;
    struct gfs_holder *holder = &holders->list[holders->count];
    *holder = (struct gfs_holder){.user = user, .share = share};
    if (!describe(process, holder))
        return NULL;
    holders->count++;
    return holder;
}

static void list_found(struct gfs_doomed_list *doomed, const struct gfs_sweep_result *result,
                       struct gfs_holders *holders) {
    for (size_t i = 0; i < result->count; i++) {
        const struct gfs_sweep_found *found = &result->found[i];
        struct gfs_doomed *file = find(doomed, found->node);
        if (!file)
            continue;
        file->held = true;
        struct gfs_holder *holder =
            line_of(holders, found->process, file->node->tree->view->user, file->node->tree->share);
        if (!holder)
            continue;
        holder->descriptors += !found->mapping;
        holder->mappings += found->mapping;
        if (holder->generation < file->generation)
            holder->generation = file->generation;
    }
}

/* ---- killing ---- */

static bool still_holds(dev_t device, const uint64_t *ids, size_t count, pid_t process) {
    struct gfs_sweep_result result = {0};
    bool holds = !gfs_sweep_one(device, ids, count, process, &result) && result.count > 0;

    gfs_sweep_end(&result);
    return holds;
}

/*
 * Whoever has a descriptor can pass it to a service, to have it killed. So accounts of the system are
 * spared, unless the view is such an account's.
 */
static bool is_spared(uint32_t uid, uint32_t owner) {
    return uid == 0 || (uid <= GFS_SYSTEM_UIDS_MAX && uid != owner);
}

static void kill_holder(dev_t device, const uint64_t *ids, size_t count, pid_t process, uint32_t owner,
                        struct gfs_victims *victims) {
    struct gfs_holder holder = {0};
    int pidfd = (int)syscall(SYS_pidfd_open, process, 0);

    if (pidfd < 0)
        return;
    if (process == getpid() || process == 1 || !describe(process, &holder) || is_spared(holder.uid, owner) ||
        !still_holds(device, ids, count, process) || syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0)) {
        close(pidfd);
        return;
    }
    gfs_log(GFS_LOG_NOTICE, "holder-killed", "pid=%d uid=%u program=%s", process, holder.uid, holder.program);
    victims->pidfds[victims->count++] = pidfd;
}

/* ids: of all doomed files, in ascending order. */
static void kill_found(dev_t device, const struct gfs_doomed_list *doomed, const struct gfs_sweep_result *result,
                       uint64_t *ids, struct gfs_victims *victims) {
    size_t count = 0;
    pid_t last = 0;

    for (size_t i = 0; i < doomed->count; i++)
        if (doomed->list[i].kill)
            ids[count++] = doomed->list[i].id;
    for (size_t i = 0; i < result->count && victims->count < GFS_VICTIMS_MAX; i++) {
        const struct gfs_sweep_found *found = &result->found[i];
        const struct gfs_doomed *file = find(doomed, found->node);
        if (!file || !file->kill || found->process == last)
            continue;
        last = found->process; /* what a process holds is found in a row */
        kill_holder(device, ids, count, found->process, atomic_load(&file->node->tree->view->uid), victims);
    }
}

int gfs_holders_find(dev_t device, struct gfs_doomed_list *doomed, struct gfs_holders *out,
                     struct gfs_victims *victims) {
    uint64_t *ids = malloc((doomed->count + 1) * sizeof *ids);
    struct gfs_holders holders = {.list = malloc(GFS_HOLDERS_MAX * sizeof *holders.list)};
    struct gfs_sweep_result result = {0};
    int rc = ids && holders.list ? 0 : -ENOMEM;

    qsort(doomed->list, doomed->count, sizeof *doomed->list, by_id);
    for (size_t i = 0; i < doomed->count; i++) {
        doomed->list[i].held = true;
        if (ids)
            ids[i] = doomed->list[i].id;
    }
    if (!rc)
        rc = gfs_sweep(device, ids, doomed->count, &result);
    if (!rc) {
        for (size_t i = 0; i < doomed->count; i++)
            doomed->list[i].held = result.unseen > 0;
        list_found(doomed, &result, &holders);
        kill_found(device, doomed, &result, ids, victims);
        *out = holders;
    } else {
        free(holders.list);
    }
    gfs_sweep_end(&result);
    free(ids);
    return rc;
}

int gfs_holders_add_old(struct gfs_holders *holders, const struct gfs_sweep_found *found, gfs_id user, gfs_id share) {
    if (!holders->list)
        holders->list = malloc(GFS_HOLDERS_MAX * sizeof *holders->list);
    struct gfs_holder *holder = holders->list ? line_of(holders, found->process, user, share) : NULL;
    if (!holder)
        return holders->list && holders->count < GFS_HOLDERS_MAX ? -ESRCH : -ENOSPC;
    holder->descriptors += !found->mapping;
    holder->mappings += found->mapping;
    return holder->descriptors + holder->mappings > 1;
}

void gfs_holders_kill_old(dev_t device, pid_t process, struct gfs_victims *victims) {
    if (victims->count < GFS_VICTIMS_MAX)
        kill_holder(device, NULL, 0, process, 0, victims);
}

void gfs_victims_await(struct gfs_victims *victims) {
    int64_t deadline_ns = gfs_monotonic_ns() + DEATH_MS * (GFS_NS_PER_S / 1000);

    for (size_t i = 0; i < victims->count; i++) {
        struct pollfd ended = {.fd = victims->pidfds[i], .events = POLLIN};
        int64_t left_ms = (deadline_ns - gfs_monotonic_ns()) / (GFS_NS_PER_S / 1000);
        poll(&ended, 1, left_ms > 0 ? (int)left_ms : 0);
        close(victims->pidfds[i]);
    }
    victims->count = 0;
}
