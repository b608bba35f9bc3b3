/*
 * The end of a session. The kernel offers no single call that leaves a mount in order and always
 * returns: umount(2) may wait for requests that hang, and a lazy one followed by the end of the
 * connection drops what programs wrote into mappings. Hence the three steps in session.h.
 */
#include "fs/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/call.h"
#include "fs/mountinfo.h"
#include "fs/revoke.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

enum { BUSY_TIMEOUT_MS = 1000, ORDERLY_TIMEOUT_MS = 3000, FORCE_AFTER_MS = 5000, STEP_MS = 20 };

enum { UNMOUNTER_NONE, UNMOUNTER_RUNS, UNMOUNTER_DONE };

/* Whether the uppermost mount there is still ours: never unmount what somebody mounted since. */
static bool is_ours(const struct gfs_session_stop *stop) {
    struct gfs_mountinfo found;
    return gfs_mountinfo_find(stop->mount->options.mountpoint, &found) == 0 && found.major == major(stop->device) &&
           found.minor == minor(stop->device);
}

/* Writes back what programs wrote into mappings and did not sync, before the mount is taken away
 * from them. */
static void sync_mount(const char *mountpoint) {
    int fd = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    syncfs(fd);
    close(fd);
}

static void *unmount_in_order(void *context) {
    struct gfs_session_stop *stop = context;
    const char *mountpoint = stop->mount->options.mountpoint;
    int64_t deadline = gfs_monotonic_ns() + BUSY_TIMEOUT_MS * (GFS_NS_PER_S / 1000);
    bool gone = false;
    do {
        gone = !is_ours(stop) || umount2(mountpoint, UMOUNT_NOFOLLOW) == 0;
        if (!gone)
            poll(NULL, 0, STEP_MS);
    } while (!gone && errno == EBUSY && gfs_monotonic_ns() < deadline);
    if (!gone)
        sync_mount(mountpoint);
    atomic_store(&stop->unmounter_state, UNMOUNTER_DONE);
    return NULL;
}

/* For a mount that others have detached, but still use: nothing names it any more but this. */
static void abort_connection(dev_t device) {
    char path[64];
    snprintf(path, sizeof path, "/sys/fs/fuse/connections/%u/abort", minor(device));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t written = write(fd, "1", 1);
    (void)written; /* there is no other way */
    close(fd);
}

/* MNT_FORCE ends the connection first, so that nothing waits for an answer any more. libfuse
 * would do without, and would take whatever lies on the mountpoint by now. */
static void take_away(const struct gfs_session_stop *stop) {
    if (!is_ours(stop))
        abort_connection(stop->device);
    else if (umount2(stop->mount->options.mountpoint, MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        gfs_log(GFS_LOG_ERROR, "unmount-failed", "mountpoint=%s errno=%d", stop->mount->options.mountpoint, errno);
}

static void start_unmounter(struct gfs_session_stop *stop) {
    atomic_store(&stop->unmounter_state, UNMOUNTER_RUNS);
    if (pthread_create(&stop->unmounter, NULL, unmount_in_order, stop) != 0)
        atomic_store(&stop->unmounter_state, UNMOUNTER_NONE);
}

/* The loop's thread waits in sem_wait(3), which only later libfuses wake: a signal does it in
 * all of them. One that comes just before the wait is lost, so it is sent until it has worked. */
static bool end_loop(struct gfs_session_stop *stop, struct gfs_signals *signals) {
    int64_t deadline = gfs_monotonic_ns() + FORCE_AFTER_MS * (GFS_NS_PER_S / 1000);
    fuse_session_exit(stop->mount->session);
    do {
        if (!atomic_load(&stop->served))
            pthread_kill(stop->server, SIGUSR2);
    } while (!gfs_signals_await_end(signals, STEP_MS) && gfs_monotonic_ns() < deadline);
    return gfs_signals_await_end(signals, 0);
}

void gfs_session_stop(struct gfs_session_stop *stop, struct gfs_signals *signals) {
    int64_t deadline = gfs_monotonic_ns() + ORDERLY_TIMEOUT_MS * (GFS_NS_PER_S / 1000);
    start_unmounter(stop);
    while (atomic_load(&stop->unmounter_state) == UNMOUNTER_RUNS && gfs_monotonic_ns() < deadline) {
        if (gfs_signals_await_end(signals, STEP_MS))
            return;
    }
    gfs_revoke_everything(stop->mount);
    if (end_loop(stop, signals))
        return;
    take_away(stop);
    gfs_log(GFS_LOG_ERROR, "stopped-by-force", "mountpoint=%s reason=%s", stop->mount->options.mountpoint,
            "an operation hangs");
    stop->give_up(stop->context);
    _exit(GFS_EXIT_FAILED);
}

void gfs_session_detach(struct gfs_session_stop *stop) {
    atomic_store(&stop->served, true);
    take_away(stop);
}

/* Whether the kernel has ended the connection. */
static bool is_ended(struct fuse_session *session) {
    struct pollfd device = {.fd = fuse_session_fd(session)};
    return poll(&device, 1, 0) == 1 && (device.revents & POLLERR);
}

void gfs_session_close(struct gfs_session_stop *stop) {
    /* Of a connection that is not ended, libfuse unmounts the mountpoint, though by now it may be
     * somebody else's: only closing it is left then. */
    if (is_ended(stop->mount->session))
        fuse_session_unmount(stop->mount->session);
    gfs_session_free(stop->mount);
    if (atomic_load(&stop->unmounter_state) != UNMOUNTER_NONE)
        pthread_join(stop->unmounter, NULL);
}
