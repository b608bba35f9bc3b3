#include "fs/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "guildfs/clock.h"
#include "guildfs/log.h"

enum { CLIENT_TIMEOUT_MS = 2000, BACKLOG = 8 };

static const char question[] = "status\n";

struct gfs_control {
    struct gfs_mount *mount; /* these never change */
    int listen_fd;
    int end_fd; /* readable from gfs_control_end() on */
    struct sockaddr_un address;
    pthread_t thread;
};

/* ---- one client ---- */

/* Whether the client is ready in time; false as soon as we are to end, too. */
static bool await(const struct gfs_control *control, int client, short events, int64_t deadline) {
    for (;;) {
        int64_t left_ms = (deadline - gfs_monotonic_ns()) / (GFS_NS_PER_S / 1000);
        struct pollfd ready[2] = {{.fd = control->end_fd, .events = POLLIN}, {.fd = client, .events = events}};
        if (left_ms <= 0)
            return false;
        int count = poll(ready, 2, (int)left_ms);
        if (count < 0 && errno == EINTR)
            continue;
        return count > 0 && !ready[0].revents;
    }
}

static bool read_question(const struct gfs_control *control, int client, int64_t deadline) {
    char said[sizeof question - 1];
    size_t used = 0;
    while (used < sizeof said) {
        if (!await(control, client, POLLIN, deadline))
            return false;
        ssize_t got = read(client, said + used, sizeof said - used);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            return false;
        used += got > 0 ? (size_t)got : 0;
    }
    return memcmp(said, question, sizeof said) == 0;
}

static void write_answer(const struct gfs_control *control, int client, const char *answer, int64_t deadline) {
    size_t size = strlen(answer), sent = 0;
    while (sent < size && await(control, client, POLLOUT, deadline)) {
        ssize_t done = send(client, answer + sent, size - sent, MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return;
        sent += done > 0 ? (size_t)done : 0;
    }
}

static void serve_client(const struct gfs_control *control, int client) {
    int64_t deadline = gfs_monotonic_ns() + CLIENT_TIMEOUT_MS * (GFS_NS_PER_S / 1000);
    if (!read_question(control, client, deadline))
        return;
    char *answer = gfs_control_describe(control->mount);
    if (answer)
        write_answer(control, client, answer, deadline);
    free(answer);
}

static void *run(void *context) {
    const struct gfs_control *control = context;
    for (;;) {
        struct pollfd ready[2] = {{.fd = control->end_fd, .events = POLLIN},
                                  {.fd = control->listen_fd, .events = POLLIN}};
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (ready[0].revents)
            return NULL;
        if (!ready[1].revents)
            continue;
        int client = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client >= 0) {
            serve_client(control, client);
            close(client);
        } else if (errno == EMFILE || errno == ENFILE) {
            poll(NULL, 0, 100); /* it stays readable: do not spin */
        }
    }
}

/* ---- making and ending the socket ---- */

static int make_directory(struct gfs_error *err) {
    if (mkdir(GFS_CONTROL_DIRECTORY, 0755) < 0 && errno != EEXIST)
        return gfs_error_set(err, errno, "cannot make %s: %s", GFS_CONTROL_DIRECTORY, strerror(errno));
    /* umask(2) belongs to the files that people create, so it is not used here. */
    struct stat st;
    if (lstat(GFS_CONTROL_DIRECTORY, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022))
        return gfs_error_set(err, EPERM, "%s is not a directory that only root may write to", GFS_CONTROL_DIRECTORY);
    return 0;
}

static int make_socket(struct gfs_control *control, struct gfs_error *err) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return gfs_error_set(err, errno, "cannot make a socket: %s", strerror(errno));
    /* The kernel does not give a device number out twice at a time: what lies there is dead. */
    unlink(control->address.sun_path);
    /* The mode that the socket file gets is that of the socket: so nobody can connect in between. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&control->address, sizeof control->address) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int code = errno;
        close(fd);
        return gfs_error_set(err, code, "cannot listen on %s: %s", control->address.sun_path, strerror(code));
    }
    control->listen_fd = fd;
    return 0;
}

static int set_up(struct gfs_control *control, struct gfs_error *err) {
    int rc = make_directory(err);
    if (rc < 0)
        return rc;
    control->end_fd = eventfd(0, EFD_CLOEXEC);
    if (control->end_fd < 0)
        return gfs_error_set(err, errno, "cannot make an eventfd: %s", strerror(errno));
    rc = make_socket(control, err);
    if (rc < 0)
        return rc;
    int code = pthread_create(&control->thread, NULL, run, control);
    if (code == 0)
        return 0;
    gfs_control_unlink(control);
    return gfs_error_set(err, code, "cannot start a thread: %s", strerror(code));
}

static void close_all(struct gfs_control *control) {
    if (control->listen_fd >= 0)
        close(control->listen_fd);
    if (control->end_fd >= 0)
        close(control->end_fd);
    free(control);
}

int gfs_control_start(struct gfs_mount *mount, dev_t device, struct gfs_control **out, struct gfs_error *err) {
    struct gfs_control *control = calloc(1, sizeof *control);
    if (!control)
        return gfs_error_set(err, ENOMEM, "out of memory");
    control->mount = mount;
    control->listen_fd = control->end_fd = -1;
    control->address.sun_family = AF_UNIX;
    snprintf(control->address.sun_path, sizeof control->address.sun_path, "%s/%u-%u.sock", GFS_CONTROL_DIRECTORY,
             major(device), minor(device));
    int rc = set_up(control, err);
    if (rc < 0) {
        close_all(control);
        return rc;
    }
    *out = control;
    return 0;
}

void gfs_control_unlink(struct gfs_control *control) {
    if (control)
        unlink(control->address.sun_path);
}

void gfs_control_end(struct gfs_control *control) {
    static const uint64_t one = 1;
    if (!control)
        return;
    gfs_control_unlink(control);
    ssize_t written = write(control->end_fd, &one, sizeof one);
    (void)written; /* an eventfd at 0 takes it */
    pthread_join(control->thread, NULL);
    close_all(control);
}
