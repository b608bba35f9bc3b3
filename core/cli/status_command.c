/*
 * guildfs status: every mount of this host, and what its daemon says through its socket. A
 * daemon that is dead or hangs must not hang this command: nothing here waits for long.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cli/commands.h"
#include "core/cli/daemon.h"
#include "core/cli/holders.h"
#include "core/cli/mounts.h"
#include "core/cli/output.h"

#define TIMEOUT_MS CLI_DAEMON_TIMEOUT_MS

/* The errno that stat(2) of the mountpoint ends with, 0, or ETIMEDOUT. Another process makes the
 * call: when a daemon hangs, that process stays behind, not this one. */
static int probe(const char *mountpoint) {
    pid_t child = fork();
    if (child < 0)
        return errno;
    if (child == 0) {
        struct stat ignored;
        _exit(stat(mountpoint, &ignored) == 0 ? 0 : errno > 0 && errno < 256 ? errno : EIO);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int status = 0, result = ETIMEDOUT;
    if (pidfd >= 0 && poll(&ended, 1, TIMEOUT_MS) > 0 && waitpid(child, &status, 0) == child)
        result = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    else
        kill(child, SIGKILL);
    if (pidfd >= 0)
        close(pidfd);
    return result;
}

static void add_problem(json_t *object, const char *text) {
    json_object_set_new(object, "problem", cli_json_text(text));
}

/* A mount whose daemon did not answer: why not? */
static const char *silent_state(json_t *object, const struct cli_mount *mount, const char *problem) {
    char advice[PATH_MAX + 64];
    switch (probe(mount->mountpoint)) {
    case ENOTCONN:
    case ECONNABORTED:
        snprintf(advice, sizeof(advice), "the daemon is dead; run guildfs umount %s", mount->mountpoint);
        add_problem(object, advice);
        return "dead";
    case ETIMEDOUT:
        add_problem(object, "the daemon does not answer");
        return "hangs";
    default:
        add_problem(object, problem);
        return "unknown";
    }
}

static json_t *describe(const struct cli_mount *mount) {
    const char *problem = NULL, *state = "serving";
    json_t *said = cli_daemon_ask(mount->device, &problem);
    json_t *object = said ? said : json_object();
    if (!object)
        return NULL;
    if (!said)
        state = silent_state(object, mount, problem);
    else if (json_is_true(json_object_get(said, "stale")))
        state = "stale";
    json_object_set_new(object, "mountpoint", cli_json_text(mount->mountpoint));
    json_object_set_new(object, "device", json_string(mount->device));
    json_object_set_new(object, "state", json_string(state));
    return object;
}

/* ---- the command ---- */

static const struct cli_column columns[] = {
    {"mountpoint", "MOUNTPOINT"}, {"state", "STATE"}, {"store", "STORE"},     {"pid", "PID"},
    {"generation", "GENERATION"}, {"views", "VIEWS"}, {"problem", "PROBLEM"}, {0},
};

static const struct cli_column details[] = {
    {"mountpoint", "Mountpoint"},
    {"device", "Device"},
    {"state", "State"},
    {"problem", "Problem"},
    {"store", "Store"},
    {"version", "Version"},
    {"pid", "Process"},
    {"generation", "Generation"},
    {"loaded", "Loaded"},
    {"last_read", "Store last read"},
    {"views", "Views"},
    {"nodes", "Nodes"},
    {"open_handles", "Open handles"},
    {"requests", "Requests"},
    {"denied", "Denied"},
    {"passthrough", "Passthrough"},
    {"audit_lost", "Audit lines lost"},
    {"audit_problem", "Audit problem"},
    {"not_closed", "Not closed"},
    {"watched", "Watched"},
    {0},
};

/* What the daemon says of each filesystem, as a word for people. */
static void add_watched(json_t *object) {
    json_t *texts = json_array();
    size_t i;
    const json_t *fs;

    json_array_foreach(json_object_get(object, "watch"), i, fs) {
        const char *path = json_string_value(json_object_get(fs, "path"));
        const char *reason = json_string_value(json_object_get(fs, "reason"));
        char *text = NULL;
        if (asprintf(&text, "%s %s%s%s%s", reason ? "off" : "on", path ? path : "?", reason ? " (" : "",
                     reason ? reason : "", reason ? ")" : "") < 0)
            break;
        json_array_append_new(texts, cli_json_text(text));
        free(text);
    }
    json_object_set_new(object, "watched", texts);
}

struct listing {
    json_t *list;
    bool all_serve;
};

static bool serves(const json_t *object) {
    const char *state = json_string_value(json_object_get(object, "state"));
    return state && strcmp(state, "serving") == 0;
}

static int list_one(void *context, const struct cli_mount *mount) {
    struct listing *listing = context;
    json_t *object = describe(mount);
    listing->all_serve = listing->all_serve && serves(object);
    return json_array_append_new(listing->list, object) == 0 ? 0 : -ENOMEM;
}

/* For people: a line of text for each process. */
static void describe_holders(json_t *object) {
    json_t *texts = json_array();
    size_t i;
    const json_t *holder;
    json_array_foreach(json_object_get(object, "not_closed"), i, holder) {
        char *text = cli_holder_text(holder);
        json_array_append_new(texts, cli_json_text(text ? text : "?"));
        free(text);
    }
    json_object_set_new(object, "not_closed", texts);
}

static enum gfs_exit status_of_one(struct cli_call *call) {
    struct gfs_error err;
    struct cli_mount mount;
    if (cli_mounts_find(call->arguments[0], &mount, &err) < 0)
        return cli_fail(call, &err);
    json_t *object = describe(&mount);
    bool serving = serves(object);
    if (object && !call->json) {
        describe_holders(object);
        add_watched(object);
    }
    enum gfs_exit printed = cli_print_object(call, object, details);
    return serving ? printed : GFS_EXIT_FAILED;
}

enum gfs_exit cli_status(struct cli_call *call) {
    if (call->argument_count > 0)
        return status_of_one(call);
    struct gfs_error err = {.code = ENOMEM, .message = "out of memory"};
    struct listing listing = {.list = json_array(), .all_serve = true};
    if (!listing.list || cli_mounts_each(list_one, &listing, &err) < 0) {
        json_decref(listing.list);
        return cli_fail(call, &err);
    }
    enum gfs_exit printed = cli_print_list(call, listing.list, columns);
    return listing.all_serve ? printed : GFS_EXIT_FAILED;
}
