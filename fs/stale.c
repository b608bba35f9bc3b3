#include "fs/stale.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/crash.h"
#include "fs/mountinfo.h"
#include "guildfs/log.h"

enum { PROBE_TIMEOUT_MS = 5000, MAX_STACKED = 16 };

/* ---- where is it? ---- */

/* realpath(3) asks each component what it is, and a dead mount has no answer: so the last one is
 * left out, unless it says by its name that it is no name. */
static int resolve_parent(const char *directory, char out[static PATH_MAX]) {
    char parent[PATH_MAX], resolved[PATH_MAX];
    size_t length = strlen(directory);
    while (length > 1 && directory[length - 1] == '/')
        length--;
    if (length >= sizeof parent)
        return -ENAMETOOLONG;
    memcpy(parent, directory, length);
    parent[length] = '\0';

    char *slash = strrchr(parent, '/');
    const char *name = slash ? slash + 1 : parent;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return realpath(directory, out) ? 0 : -errno;
    if (!realpath(slash == parent ? "/" : slash ? (*slash = '\0', parent) : ".", resolved))
        return -errno;
    int written = snprintf(out, PATH_MAX, "%s/%s", strcmp(resolved, "/") == 0 ? "" : resolved, name);
    return written < 0 || written >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* ---- does it answer? ---- */

/*
 * What statfs(2) of the mount ends with: 0, an errno, or ETIMEDOUT. (stat(2) will not do: the
 * kernel answers it from its cache when the daemon has just died.) A daemon that hangs blocks
 * whoever asks, beyond the reach of most signals: so another process asks.
 */
static int probe(const char *path) {
    pid_t child = fork();
    if (child < 0)
        return errno;
    if (child == 0) {
        struct statfs ignored;
        int code = statfs(path, &ignored) == 0 ? 0 : errno;
        _exit(code >= 0 && code < 256 ? code : EIO);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0), status = 0;
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    bool in_time = pidfd >= 0 && poll(&ended, 1, PROBE_TIMEOUT_MS) > 0;
    if (!in_time)
        kill(child, SIGKILL);
    if (pidfd >= 0)
        close(pidfd);
    if (!in_time) {
        waitpid(child, &status, WNOHANG);
        return ETIMEDOUT;
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return EIO;
    return WEXITSTATUS(status);
}

static int detach_dead(const char *path, struct gfs_error *err) {
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
        return gfs_error_set(err, errno, "a dead mount on %s cannot be detached: %s", path, strerror(errno));
    gfs_log(GFS_LOG_NOTICE, "dead-mount-detached", "mountpoint=%s", path);
    return 0;
}

/* 1: a dead mount of ours was taken away, look again. 0: nothing is mounted there. */
static int clear_once(const char *path, struct gfs_crash *crash, struct gfs_error *err) {
    struct gfs_mountinfo found;
    int rc = gfs_mountinfo_find(path, &found);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return gfs_error_set(err, -rc, "cannot read /proc/self/mountinfo: %s", strerror(-rc));
    int answer = probe(path);
    bool dead = answer == ENOTCONN || answer == ECONNABORTED;
    if (dead && strcmp(found.type, GFS_MOUNT_TYPE) == 0) {
        gfs_crash_look(makedev(found.major, found.minor), crash);
        rc = detach_dead(path, err);
        return rc < 0 ? rc : 1;
    }
    if (dead)
        return gfs_error_set(err, EBUSY, "a dead mount of type %s lies on %s; detach it with umount -l", found.type,
                             path);
    if (answer == ETIMEDOUT)
        return gfs_error_set(err, ETIMEDOUT, "what is mounted on %s (type %s) does not answer; unmount it first", path,
                             found.type);
    return gfs_error_set(err, EBUSY, "%s is a mount point already (type %s); unmount it, or choose another directory",
                         path, found.type);
}

static int clear(const char *path, struct gfs_crash *crash, struct gfs_error *err) {
    for (int i = 0; i < MAX_STACKED; i++) {
        int rc = clear_once(path, crash, err);
        if (rc <= 0)
            return rc;
    }
    return gfs_error_set(err, EBUSY, "too many dead mounts lie on %s; detach them with umount -l", path);
}

/* ---- may it be used? ---- */

static bool lies_in(const char *path, const char *directory) {
    size_t length = strlen(directory);
    if (strcmp(directory, "/") == 0)
        return true;
    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static int check_empty(const char *path, struct gfs_error *err) {
    const struct dirent *entry;
    DIR *directory = opendir(path);
    if (!directory)
        return gfs_error_set(err, errno, "%s cannot be read: %s", path, strerror(errno));
    do
        entry = readdir(directory);
    while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    bool empty = entry == NULL;
    closedir(directory);
    return empty ? 0
                 : gfs_error_set(err, ENOTEMPTY,
                                 "%s is not empty; a mount would hide what is in it: choose another "
                                 "directory",
                                 path);
}

static int check_usable(const char *path, const char *store, struct gfs_error *err) {
    struct stat st;
    if (stat(path, &st) < 0)
        return gfs_error_set(err, errno, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return gfs_error_set(err, ENOTDIR, "%s is not a directory", path);
    if (lies_in(path, store))
        return gfs_error_set(err, ELOOP, "%s lies in the store %s; choose a directory outside", path, store);
    if (lies_in(store, path))
        return gfs_error_set(err, ELOOP,
                             "the store %s lies in %s, and would be hidden by the mount; choose another "
                             "directory",
                             store, path);
    return check_empty(path, err);
}

static int explain_path(const char *directory, int rc, struct gfs_error *err) {
    if (rc == -ENOENT)
        return gfs_error_set(err, ENOENT, "%s does not exist; make it with mkdir first", directory);
    return gfs_error_set(err, -rc, "%s: %s", directory, strerror(-rc));
}

int gfs_mountpoint_prepare(const char *directory, const char *store, char **out, struct gfs_crash *crash,
                           struct gfs_error *err) {
    char path[PATH_MAX], resolved[PATH_MAX];
    int rc = resolve_parent(directory, path);
    if (rc < 0)
        return explain_path(directory, rc, err);
    rc = clear(path, crash, err);
    if (rc < 0)
        return rc;
    if (!realpath(path, resolved))
        return explain_path(directory, -errno, err);
    /* It was a symlink: what it names may have something mounted on it as well. */
    if (strcmp(path, resolved) != 0) {
        rc = clear(resolved, crash, err);
        if (rc < 0)
            return rc;
    }
    rc = check_usable(resolved, store, err);
    if (rc < 0)
        return rc;
    char *copy = strdup(resolved);
    if (!copy)
        return gfs_error_set(err, ENOMEM, "out of memory");
    *out = copy;
    return 0;
}
