#include "core/cli/wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/cli/daemon.h"
#include "core/cli/mounts.h"
#include "guildfs/clock.h"
#include "guildfs/store.h"

enum { LIMIT_S = 30, PAUSE_MS = 2 };

struct search {
    const char *store;
    uint64_t generation;
    int64_t deadline_ns;
    unsigned mounts; /* that serve the store, and follow */
};

static void pause_briefly(void) {
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
    nanosleep(&pause, NULL);
}

static bool is_of_store(const json_t *said, const char *store) {
    const char *path = json_string_value(json_object_get(said, "store"));
    return path && strcmp(path, store) == 0;
}

/* Asks until the daemon has the generation. It tells of one only when all that it lost has been
 * taken back, open files included. */
static int wait_for_mount(void *context, const struct cli_mount *mount) {
    struct search *search = context;
    for (;;) {
        const char *problem = NULL;
        json_t *said = cli_daemon_ask(mount->device, &problem);
        bool ours = said && is_of_store(said, search->store);
        json_int_t generation = json_integer_value(json_object_get(said, "generation"));
        json_decref(said);
        if (!ours)
            return 0; /* another store's, or nobody serves there */
        if (generation >= 0 && (uint64_t)generation >= search->generation) {
            search->mounts++;
            return 0;
        }
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

enum gfs_exit cli_wait(struct cli_call *call) {
    struct gfs_error err = {.code = 0};
    char store[PATH_MAX];
    int64_t began_ns = gfs_monotonic_ns();
    struct search search = {.store = store, .deadline_ns = began_ns + LIMIT_S * GFS_NS_PER_S};
    int rc = read_generation(call, store, sizeof(store), &search.generation, &err);
    if (rc == 0)
        rc = cli_mounts_each(wait_for_mount, &search, &err);
    if (rc == -ETIMEDOUT)
        gfs_error_set(&err, ETIMEDOUT,
                      "done, but a mount has not put it in force within %d s; guildfs status says which", LIMIT_S);
    if (rc < 0)
        return cli_fail(call, &err);
    fprintf(stderr, "guildfs: in force in %u mount%s after %lld ms\n", search.mounts, search.mounts == 1 ? "" : "s",
            (long long)(gfs_monotonic_ns() - began_ns) / 1000000);
    return GFS_EXIT_DONE;
}
