#include "core/cli/wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cli/daemon.h"
#include "core/cli/holders.h"
#include "core/cli/mounts.h"
#include "guildfs/clock.h"
#include "guildfs/store.h"

enum { LIMIT_S = 30, PAUSE_MS = 2 };

struct search {
    const char *store;
    uint64_t generation;
    int64_t deadline_ns;
    unsigned mounts; /* that serve the store, and follow */
    json_t *holders; /* processes from which something could not be taken back */
};

static void pause_briefly(void) {
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
    nanosleep(&pause, NULL);
}

static bool is_of_store(const json_t *said, const char *store) {
    const char *path = json_string_value(json_object_get(said, "store"));
    return path && strcmp(path, store) == 0;
}

/* A generation is settled when all that it took away has been taken back, open files included. */
static bool is_settled(const json_t *said, uint64_t generation) {
    json_int_t settled = json_integer_value(json_object_get(said, "settled"));
    return settled >= 0 && (uint64_t)settled >= generation;
}

/* Those that hold on to something that this change, or one made at the same time, has taken away. */
static void take_holders(struct search *search, const json_t *said) {
    size_t i;
    json_t *holder;
    json_array_foreach(json_object_get(said, "not_closed"), i, holder) {
        if ((uint64_t)json_integer_value(json_object_get(holder, "generation")) >= search->generation)
            json_array_append(search->holders, holder);
    }
}

/* Asks until the daemon has settled the generation. */
static int wait_for_mount(void *context, const struct cli_mount *mount) {
    struct search *search = context;
    for (;;) {
        const char *problem = NULL;
        json_t *said = cli_daemon_ask(mount->device, &problem);
        bool ours = said && is_of_store(said, search->store);
        if (ours && is_settled(said, search->generation)) {
            search->mounts++;
            take_holders(search, said);
            ours = false;
        }
        json_decref(said);
        if (!ours)
            return 0; /* it follows; or it is another store's, or nobody serves there */
        if (gfs_monotonic_ns() > search->deadline_ns)
            return -ETIMEDOUT;
        pause_briefly();
    }
}

static int read_generation(const struct cli_call *call, char *store, size_t size, uint64_t *generation,
                           struct gfs_error *err) {
    struct gfs_store *opened = NULL;
    int rc = cli_open_store(call, false, &opened, err);
    if (rc == 0)
        rc = gfs_store_generation(opened, generation, err);
    if (rc == 0)
        snprintf(store, size, "%s", gfs_store_path(opened));
    gfs_store_close(opened);
    return rc;
}

static void report_json(const struct search *search, int64_t took_ms) {
    json_t *object = json_pack("{s:{s:I, s:I, s:O}}", "in_force", "mounts", (json_int_t)search->mounts, "milliseconds",
                               (json_int_t)took_ms, "not_closed", search->holders);
    json_dumpf(object, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(object);
}

static void report_text(const struct search *search, int64_t took_ms) {
    size_t i;
    const json_t *holder;
    fprintf(stderr, "guildfs: in force in %u mount%s after %lld ms\n", search->mounts, search->mounts == 1 ? "" : "s",
            (long long)took_ms);
    json_array_foreach(search->holders, i, holder) {
        char *text = cli_holder_text(holder);
        fprintf(stderr, "guildfs: could not be closed: %s\n", text ? text : "?");
        free(text);
    }
}

enum gfs_exit cli_wait(struct cli_call *call) {
    struct gfs_error err = {.code = 0};
    char store[PATH_MAX];
    int64_t began_ns = gfs_monotonic_ns();
    struct search search = {.store = store, .deadline_ns = began_ns + LIMIT_S * GFS_NS_PER_S, .holders = json_array()};
    int rc = read_generation(call, store, sizeof(store), &search.generation, &err);
    if (rc == 0)
        rc = cli_mounts_each(wait_for_mount, &search, &err);
    if (rc == -ETIMEDOUT)
        gfs_error_set(&err, ETIMEDOUT,
                      "done, but a mount has not put it in force within %d s; guildfs status says which", LIMIT_S);
    if (rc == 0)
        (call->json ? report_json : report_text)(&search, (gfs_monotonic_ns() - began_ns) / 1000000);
    json_decref(search.holders);
    return rc < 0 ? cli_fail(call, &err) : GFS_EXIT_DONE;
}
