#include "fs/background.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guildfs/clock.h"

enum { START_TIMEOUT_S = 60, CLEANUP_TIMEOUT_S = 10 };

/* What goes through the pipe: this one letter, or an error line. A line never begins with it,
 * since the parent puts the program's name before it. */
static const char ready_mark = '\1';

void gfs_report_new(struct gfs_report *report, const char *program) {
    /* A copy, since standard error may become the log file. */
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    report->program = program;
    report->to_parent = false;
    atomic_init(&report->fd, fd);
}

/* Writing is best effort: there is nobody else to tell. */
static void say(int fd, const char *text, size_t size) {
    ssize_t written = write(fd, text, size);
    (void)written;
}

bool gfs_report_done(struct gfs_report *report) {
    return atomic_load(&report->fd) < 0;
}

void gfs_report_ready(struct gfs_report *report) {
    int fd = atomic_exchange(&report->fd, -1);
    if (fd < 0)
        return;
    if (report->to_parent)
        say(fd, &ready_mark, 1);
    close(fd);
}

void gfs_report_failure(struct gfs_report *report, const struct gfs_error *err) {
    char line[sizeof err->message + 64];
    int fd = atomic_exchange(&report->fd, -1);
    if (fd < 0)
        return;
    int length = report->to_parent ? snprintf(line, sizeof line, "%s", err->message)
                                   : snprintf(line, sizeof line, "%s: %s\n", report->program, err->message);
    say(fd, line, (size_t)length);
    close(fd);
}

/* ---- the parent ---- */

/* Reads until the child closes the pipe. Returns the number of bytes, or -ETIMEDOUT. */
static ssize_t read_outcome(int fd, char *out, size_t size) {
    int64_t deadline = gfs_monotonic_ns() + START_TIMEOUT_S * GFS_NS_PER_S;
    size_t used = 0;
    while (used < size) {
        int64_t left_ms = (deadline - gfs_monotonic_ns()) / (GFS_NS_PER_S / 1000);
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0)
            return -ETIMEDOUT;
        if (poll(&readable, 1, (int)left_ms) <= 0)
            continue;
        ssize_t got = read(fd, out + used, size - used);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        used += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)used;
}

/* Waits until it has ended, but not for ever. */
static void wait_end(pid_t child) {
    int64_t deadline = gfs_monotonic_ns() + CLEANUP_TIMEOUT_S * GFS_NS_PER_S;
    while (waitpid(child, NULL, WNOHANG) == 0 && gfs_monotonic_ns() < deadline)
        poll(NULL, 0, 10);
}

static void explain_death(pid_t child, char *out, size_t size) {
    int status = 0;
    if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
        snprintf(out, size, "the daemon was killed by signal %d before the mount answered", WTERMSIG(status));
    else
        snprintf(out, size, "the daemon ended before the mount answered; its log says why");
}

static enum gfs_exit wait_for_child(const char *program, pid_t child, int fd) {
    char outcome[sizeof((struct gfs_error *)NULL)->message + 1];
    ssize_t size = read_outcome(fd, outcome, sizeof outcome - 1);
    if (size == 1 && outcome[0] == ready_mark)
        return GFS_EXIT_DONE;
    if (size > 0) {
        outcome[size] = '\0';
        /* It has said why it cannot serve: let it clean up, so that a second try finds no rest. */
        wait_end(child);
    } else if (size == 0) {
        explain_death(child, outcome, sizeof outcome);
    } else {
        kill(child, SIGTERM);
        snprintf(outcome, sizeof outcome, "the mount did not answer within %d seconds", START_TIMEOUT_S);
    }
    fprintf(stderr, "%s: %s\n", program, outcome);
    return GFS_EXIT_FAILED;
}

/* ---- the child ---- */

static void detach(void) {
    setsid();
    if (chdir("/") < 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

int gfs_background_enter(struct gfs_report *report, enum gfs_exit *parent_exit, struct gfs_error *err) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return gfs_error_set(err, errno, "cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        int code = errno;
        close(ends[0]);
        close(ends[1]);
        return gfs_error_set(err, code, "cannot start a process: %s", strerror(code));
    }
    if (child > 0) {
        close(ends[1]);
        *parent_exit = wait_for_child(report->program, child, ends[0]);
        close(ends[0]);
        return 1;
    }
    close(ends[0]);
    int before = atomic_exchange(&report->fd, ends[1]);
    if (before >= 0)
        close(before);
    report->to_parent = true;
    detach();
    return 0;
}

/* ---- service manager and log ---- */

void gfs_service_notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    size_t length = strlen(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract namespace */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    (void)sent; /* nobody listens: then nobody waits either */
    close(fd);
}

int gfs_service_watchdog_ms(void) {
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    long long half_ms = usec ? strtoll(usec, NULL, 10) / 2000 : 0;
    bool meant = !pid || strtol(pid, NULL, 10) == getpid();
    return meant && half_ms > 0 && half_ms <= INT_MAX ? (int)half_ms : 0;
}

int gfs_log_to_file(const char *file, struct gfs_error *err) {
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        return gfs_error_set(err, code, "cannot open the log file %s: %s", file, strerror(code));
    }
    if (fd != STDERR_FILENO)
        close(fd);
    return 0;
}
