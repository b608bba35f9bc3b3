/*
 * Asking daemons through their sockets. A daemon that is dead or hangs must not hang this program:
 * nothing here waits for long.
 */
#include "core/cli/daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "guildfs/clock.h"

#define SOCKET_DIRECTORY "/run/guildfs"
#define TIMEOUT_MS CLI_DAEMON_TIMEOUT_MS
#define LARGEST_ANSWER (256 * 1024)

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

json_t *cli_daemon_ask(const char *device, const char **problem) {
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
