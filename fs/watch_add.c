/*
 * Which filesystems are watched. Only those of which it is known that every change goes through
 * this kernel, and how an inode number stands in their file handles; the latter is tried on the
 * first folder as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "fs/call.h"
#include "fs/watched.h"
#include "guildfs/log.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* Handle types: exportfs.h of the kernel, fs/xfs/xfs_export.h, fs/btrfs/export.c, mm/shmem.c. */
static const struct gfs_watched_type types[] = {
    {"ext4", EXT4_SUPER_MAGIC, {{1, 8, 0, 4}, {0}}},
    {"xfs", XFS_SUPER_MAGIC, {{0x81, 12, 0, 8}, {1, 8, 0, 4}}},
    {"btrfs", BTRFS_SUPER_MAGIC, {{0x4d, 20, 0, 8}, {0}}},
    {"tmpfs", TMPFS_MAGIC, {{1, 12, 4, 8}, {0}}},
    {0},
};

bool gfs_watched_inode(const struct gfs_watched_type *type, int32_t handle_type, const uint8_t *handle, uint32_t size,
                       uint64_t *inode) {
    for (size_t i = 0; i < 2; i++) {
        const struct gfs_handle_form *form = &type->forms[i];
        uint32_t narrow;
        if (!form->bytes || form->type != handle_type || size < form->size_min)
            continue;
        if (form->bytes == sizeof narrow) {
            memcpy(&narrow, handle + form->offset, sizeof narrow);
            *inode = narrow;
        } else {
            memcpy(inode, handle + form->offset, sizeof *inode);
        }
        return true;
    }
    return false;
}

static bool understands_handles(const struct gfs_watched_type *type, int fd) {
    union {
        struct file_handle header;
        char space[sizeof(struct file_handle) + GFS_HANDLE_BYTES];
    } handle = {.header.handle_bytes = GFS_HANDLE_BYTES};
    struct stat st;
    uint64_t inode = 0;
    int mount_id = 0;

    return !fstat(fd, &st) && !name_to_handle_at(fd, "", &handle.header, &mount_id, AT_EMPTY_PATH) &&
           gfs_watched_inode(type, handle.header.handle_type, handle.header.f_handle, handle.header.handle_bytes,
                             &inode) &&
           inode == st.st_ino;
}

static const struct gfs_watched_type *type_of(const struct statfs *fs) {
    const struct gfs_watched_type *type = types;

    while (type->name && type->magic != (uint32_t)fs->f_type)
        type++;
    return type->name ? type : NULL;
}

/* The system's own filesystem carries logs, caches and whatever else is written all day. */
static bool is_root_filesystem(uint64_t device) {
    struct stat root;
    return stat("/", &root) || root.st_dev == device;
}

static const char *why_not_marked(int code) {
    switch (code) {
    case EXDEV:
        return "it is a subvolume, of which the kernel does not tell";
    case ENODEV:
        return "it has no identifier by which the kernel could tell of it";
    case EPERM:
        return "CAP_SYS_ADMIN is missing";
    default:
        return "the kernel does not watch it";
    }
}

static const char *why_no_events(int code) {
    switch (code) {
    case ENOSYS:
    case EINVAL:
        return "the kernel has no fanotify with names (Linux 5.17)";
    case EPERM:
        return "CAP_SYS_ADMIN is missing";
    default:
        return "fanotify cannot be used";
    }
}

static int mark(const struct gfs_watch *watch, int fd) {
    const uint64_t wanted =
        FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE | FAN_ONDIR;
    return fanotify_mark(watch->events, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, wanted, fd, NULL) ? -errno : 0;
}

/* NULL: it is watched from now on. */
static const char *begin(struct gfs_mount *mount, struct gfs_watched *fs, int fd) {
    enum gfs_watch_mode mode = mount->options.watch;
    struct statfs statfs;

    if (mode == GFS_WATCH_NO)
        return "watch=no";
    if (fd < 0 || fstatfs(fd, &statfs))
        return "it has no file handles";
    fs->type = type_of(&statfs);
    memcpy(fs->fsid, &statfs.f_fsid, sizeof fs->fsid);
    if (!fs->type)
        return "its type is not one of ext4, xfs, btrfs, tmpfs";
    if (mode == GFS_WATCH_AUTO && is_root_filesystem(fs->device))
        return "it is the root filesystem; watch=yes watches it too";
    if (mount->watch->events < 0)
        return why_no_events(mount->watch->events_error);
    if (!understands_handles(fs->type, fd))
        return "its file handles are of another form";
    int rc = mark(mount->watch, fd);
    return rc ? why_not_marked(-rc) : NULL;
}

static char *path_of(int fd) {
    char link[32], path[PATH_MAX];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = fd < 0 ? -1 : readlink(link, path, sizeof path - 1);
    if (length < 0)
        return NULL;
    path[length] = '\0';
    return strdup(path);
}

void gfs_watch_add(struct gfs_mount *mount, uint64_t device, int fd) {
    struct gfs_watch *watch = mount->watch;
    size_t i = atomic_fetch_add(&watch->count, 1);

    if (i >= GFS_WATCHED_MAX)
        return;
    struct gfs_watched *fs = &watch->filesystems[i];
    fs->device = device;
    fs->path = path_of(fd);
    fs->reason = begin(mount, fs, fd);
    if (!fs->reason) /* tried out: it does no harm */
        atomic_store(&watch->forgets_names, gfs_notify_all_names(mount));
    atomic_store(&fs->state, fs->reason ? GFS_WATCHED_OFF : GFS_WATCHED_ON);
    gfs_log(GFS_LOG_INFO, "watch", "path=%s watch=%s reason=%s", fs->path ? fs->path : "", fs->reason ? "off" : "on",
            fs->reason ? fs->reason : "");
}
