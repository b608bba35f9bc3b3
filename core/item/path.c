/*
 * What Linux offers for O_PATH descriptors only by way of /proc/self/fd. The magic link leads to
 * the open file itself, also when that is a symlink, so nothing here follows one. Attributes can be
 * had from other descriptors directly, which is quicker: EBADF says that it is an O_PATH one.
 */
#include "guildfs/item.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PROC_PATH_SIZE = 40 };

static const char *proc_path(int fd, char path[static PROC_PATH_SIZE]) {
    snprintf(path, PROC_PATH_SIZE, "/proc/self/fd/%d", fd);
    return path;
}

int gfs_path_reopen(int path_fd, int flags, int *fd) {
    char path[PROC_PATH_SIZE];
    int opened = open(proc_path(path_fd, path), (flags & ~O_NOFOLLOW) | O_CLOEXEC);

    if (opened < 0)
        return -errno;
    *fd = opened;
    return 0;
}

int gfs_path_chmod(int path_fd, mode_t mode) {
    char path[PROC_PATH_SIZE];

    return chmod(proc_path(path_fd, path), mode) ? -errno : 0;
}

int gfs_path_utimens(int path_fd, const struct timespec times[2]) {
    char path[PROC_PATH_SIZE];

    return utimensat(AT_FDCWD, proc_path(path_fd, path), times, 0) ? -errno : 0;
}

int gfs_path_truncate(int path_fd, off_t size) {
    char path[PROC_PATH_SIZE];

    return truncate(proc_path(path_fd, path), size) ? -errno : 0;
}

ssize_t gfs_path_getxattr(int path_fd, const char *name, void *value, size_t size) {
    char path[PROC_PATH_SIZE];
    ssize_t length = fgetxattr(path_fd, name, value, size);

    if (length < 0 && errno == EBADF)
        length = getxattr(proc_path(path_fd, path), name, value, size);

    return length < 0 ? -errno : length;
}

int gfs_path_setxattr(int path_fd, const char *name, const void *value, size_t size, int flags) {
    char path[PROC_PATH_SIZE];

    if (!fsetxattr(path_fd, name, value, size, flags))
        return 0;
    if (errno != EBADF)
        return -errno;
    return setxattr(proc_path(path_fd, path), name, value, size, flags) ? -errno : 0;
}

int gfs_path_removexattr(int path_fd, const char *name) {
    char path[PROC_PATH_SIZE];

    return removexattr(proc_path(path_fd, path), name) ? -errno : 0;
}

ssize_t gfs_path_listxattr(int path_fd, char *list, size_t size) {
    char path[PROC_PATH_SIZE];
    ssize_t length = listxattr(proc_path(path_fd, path), list, size);

    return length < 0 ? -errno : length;
}
