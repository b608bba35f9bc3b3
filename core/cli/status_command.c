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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cli/commands.h"
#include "core/cli/mounts.h"
#include "core/cli/output.h"
#include "guildfs/clock.h"

#define SOCKET_DIRECTORY "/run/guildfs"
#define TIMEOUT_MS 2000
#define LARGEST_ANSWER (64 * 1024)

/* ---- asking the daemon ---- */

static int connect_daemon(const char *device) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), SOCKET_DIRECTORY "/%s.sock", device);
    char *colon = strchr(address.sun_path, ':');
    if (colon)
        *colon = '-';
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* Bounds connect(2) too, when the daemon's queue is full. */
    struct timeval limit = {.tv_sec = TIMEOUT_MS / 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

/* Reads to the end of the stream, within the time limit. Returns the size, or a negative errno. */
static ssize_t read_answer(int fd, char *answer, size_t size) {
    int64_t deadline = gfs_monotonic_ns() + TIMEOUT_MS * (GFS_NS_PER_S / 1000);
    size_t used = 0;
    while (used < size) {
        int64_t left_ms = (deadline - gfs_monotonic_ns()) / (GFS_NS_PER_S / 1000);
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
            return -ETIMEDOUT;
        ssize_t got = read(fd, answer + used, size - used);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got == 0)
            return (ssize_t)used;
        used += got > 0 ? (size_t)got : 0;
    }
    return -EMSGSIZE;
}

/* What the daemon says of itself; NULL, and *problem says why. */
static json_t *ask_daemon(const char *device, const char **problem) {
    int fd = connect_daemon(device);
    if (fd < 0) {
        *problem = fd == -EACCES || fd == -EPERM ? "only root may ask the daemon"
                   : fd == -EAGAIN               ? "the daemon does not answer"
                                                 : "the daemon has no control socket";
        return NULL;
    }
    static const char question[] = "status\n";
    char *answer = malloc(LARGEST_ANSWER);
    ssize_t size = -ENOMEM;
    if (answer) {
        size = send(fd, question, sizeof(question) - 1, MSG_NOSIGNAL) < 0 ? -errno
                                                                          : read_answer(fd, answer, LARGEST_ANSWER);
    }
    close(fd);
    json_t *said = size > 0 ? json_loadb(answer, (size_t)size, 0, NULL) : NULL;
    free(answer);
    if (!said)
        *problem = size == -ETIMEDOUT ? "the daemon does not answer" : "the daemon's answer is no JSON";
    else if (!json_is_object(said)) {
        json_decref(said);
        said = NULL;
        *problem = "the daemon's answer is no object";
    }
    return said;
}

/* ---- asking the kernel ---- */

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
    json_t *said = ask_daemon(mount->device, &problem);
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
    {0},
};

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

static enum gfs_exit status_of_one(struct cli_call *call) {
    struct gfs_error err;
    struct cli_mount mount;
    if (cli_mounts_find(call->arguments[0], &mount, &err) < 0)
        return cli_fail(call, &err);
    json_t *object = describe(&mount);
    bool serving = serves(object);
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
