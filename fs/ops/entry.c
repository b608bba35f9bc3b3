/* Names: what makes, links and removes items. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/ops/ops.h"
#include "fs/quota.h"
#include "guildfs/log.h"

/* Who made it, and that it is pending from now on. A filesystem that cannot keep that still
 * works; but there an upload is over when the creating handle is closed. */
static int record_upload(struct gfs_call *call, const struct gfs_target *folder, int fd) {
    struct gfs_upload upload = {.pending = true, .closed_ns = call->now_ns};

    snprintf(upload.uploader, sizeof upload.uploader, "%s", folder->tree->view->uuid);
    int rc = gfs_upload_write(fd, &upload);
    if (rc == -EOPNOTSUPP) {
        gfs_log(GFS_LOG_WARNING, "upload-not-recorded", "share=%s reason=%s", folder->share->name,
                "the filesystem has no trusted extended attributes");
        return 0;
    }
    return rc;
}

/* An O_PATH descriptor of the file that has just been made. To open it by its name, and then to
 * compare, is quicker than by /proc; behind the mount another may have come to the name. */
static int open_made(const struct gfs_target *folder, const char *name, int opened, int *path_fd) {
    struct stat made, found;
    int fd = -1;

    if (name && !gfs_open_child(folder->fd, name, &fd)) {
        if (!fstat(opened, &made) && !fstat(fd, &found) && made.st_ino == found.st_ino && made.st_dev == found.st_dev) {
            *path_fd = fd;
            return 0;
        }
        close(fd);
    }
    return gfs_path_reopen(opened, O_PATH, path_fd);
}

static int make_file(const struct gfs_target *folder, const struct gfs_new *new, int *path_fd, int *fd) {
    int access_mode = new->flags &O_ACCMODE;
    int opened;

    if (new->name)
        opened =
            openat(folder->fd, new->name, access_mode | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, new->mode & 0777);
    else /* O_EXCL would forbid to give it a name later; the kernel remembers that by itself */
        opened = openat(folder->fd, ".", access_mode | O_TMPFILE | O_CLOEXEC, new->mode & 0777);
    if (opened < 0)
        return -errno;
    int rc = open_made(folder, new->name, opened, path_fd);
    if (rc && new->name)
        unlinkat(folder->fd, new->name, 0);
    if (!rc && fd)
        *fd = opened;
    else
        close(opened);
    return rc;
}

static int make_other(const struct gfs_target *folder, const struct gfs_new *new, int *path_fd) {
    int rc = new->kind == GFS_NEW_FOLDER ? mkdirat(folder->fd, new->name, new->mode & 0777)
                                         : symlinkat(new->link, folder->fd, new->name);
    if (rc)
        return -errno;
    rc = gfs_open_child(folder->fd, new->name, path_fd);
    if (rc)
        unlinkat(folder->fd, new->name, new->kind == GFS_NEW_FOLDER ? AT_REMOVEDIR : 0);
    return rc;
}

int gfs_op_make(struct gfs_call *call, const struct gfs_target *folder, const struct gfs_new *new, int *path_fd,
                int *fd) {
    int made = -1, opened = -1;
    int rc =
        new->kind == GFS_NEW_FILE ? make_file(folder, new, &made, fd ? &opened : NULL) : make_other(folder, new, &made);
    if (rc)
        return rc;
    rc = record_upload(call, folder, opened >= 0 ? opened : made);
    if (rc) {
        /* Without the record it would be nobody's, and who may only upload could not remove it. */
        if (new->name)
            unlinkat(folder->fd, new->name, new->kind == GFS_NEW_FOLDER ? AT_REMOVEDIR : 0);
        close(made);
        if (opened >= 0)
            close(opened);
        return rc;
    }
    *path_fd = made;
    if (fd)
        *fd = opened;
    return 0;
}

int gfs_op_link(struct gfs_call *call, struct gfs_target *item, const struct gfs_target *folder, const char *name) {
    char path[40];
    bool first_name = item->st.st_nlink == 0;

    snprintf(path, sizeof path, "/proc/self/fd/%d", item->fd);
    if (linkat(AT_FDCWD, path, folder->fd, name, AT_SYMLINK_FOLLOW) ||
        fstatat(item->fd, "", &item->st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -errno;
    if (first_name) {
        gfs_node_named(call->mount, &item->st, item->fd);
        gfs_quota_named(call->mount, item->share, &item->st);
    }
    return 0;
}

int gfs_op_remove(struct gfs_call *call, const struct gfs_target *folder, const char *name,
                  const struct gfs_target *item) {
    struct stat last;
    bool is_folder = S_ISDIR(item->st.st_mode);

    if (fstatat(item->fd, "", &last, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) ||
        unlinkat(folder->fd, name, is_folder ? AT_REMOVEDIR : 0))
        return -errno;
    if (is_folder || last.st_nlink <= 1) {
        gfs_node_unlinked(call->mount, &last, item->fd);
        if (!is_folder)
            gfs_quota_removed(call->mount, item->share, &last);
    }
    return 0;
}
