/* Opening what lies below a folder, wherever others may put symlinks meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
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

static bool is_component(const char *name) {
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static struct timespec time_of(struct statx_timestamp time) {
    return (struct timespec){.tv_sec = time.tv_sec, .tv_nsec = time.tv_nsec};
}

int gfs_stat_child(int folder_fd, const char *name, struct stat *out) {
    struct statx found;

    if (!is_component(name))
        return -EOPNOTSUPP;
    if (statx(folder_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &found))
        return errno == ENOSYS ? -EOPNOTSUPP : -errno;
    if (!(found.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
        return -EOPNOTSUPP;
    if (found.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        return -ENOENT; /* as RESOLVE_NO_XDEV has it */
    *out = (struct stat){
        .st_dev = makedev(found.stx_dev_major, found.stx_dev_minor),
        .st_ino = found.stx_ino,
        .st_mode = found.stx_mode,
        .st_nlink = found.stx_nlink,
        .st_uid = found.stx_uid,
        .st_gid = found.stx_gid,
        .st_rdev = makedev(found.stx_rdev_major, found.stx_rdev_minor),
        .st_size = (off_t)found.stx_size,
        .st_blksize = (blksize_t)found.stx_blksize,
        .st_blocks = (blkcnt_t)found.stx_blocks,
        .st_atim = time_of(found.stx_atime),
        .st_mtim = time_of(found.stx_mtime),
        .st_ctim = time_of(found.stx_ctime),
    };
    return 0;
}

int gfs_open_share(const char *node_path, const char *path, int *fd) {
    int node = open(node_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (node < 0)
        return errno == ENOTDIR ? -ENOENT : -errno;
    int rc = gfs_open_beneath(node, *path ? path : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW, fd);
    close(node);
    return rc == -ENOTDIR || rc == -ELOOP ? -ENOENT : rc;
}
