/* Opening what lies below a folder, wherever others may put symlinks meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guildfs/item.h"

int gfs_open_beneath(int folder_fd, const char *path, uint64_t flags, int *fd) {
    const struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    /* EAGAIN: a rename elsewhere raced with the walk. It says nothing about this path. */
    for (int tries = 0; tries < 64; tries++) {
        long opened = syscall(SYS_openat2, folder_fd, path, &how, sizeof how);
        if (opened >= 0) {
            *fd = (int)opened;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR)
            break;
    }
    return errno == EXDEV ? -ENOENT : -errno;
}

int gfs_open_child(int folder_fd, const char *name, int *fd) {
    return gfs_open_beneath(folder_fd, name, O_PATH | O_NOFOLLOW, fd);
}

int gfs_open_share(const char *node_path, const char *path, int *fd) {
    int node = open(node_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (node < 0)
        return errno == ENOTDIR ? -ENOENT : -errno;
    int rc = gfs_open_beneath(node, *path ? path : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW, fd);
    close(node);
    return rc == -ENOTDIR || rc == -ELOOP ? -ENOENT : rc;
}
