/*
 * Rename. What takes the place of an existing file by a save (a temporary file renamed over it)
 * is, for everybody but the kernel, still that file: it keeps the owner, the extended attributes
 * and the upload record of what it replaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/ops/ops.h"
#include "fs/quota.h"

enum { LIST_SIZE = 65536, VALUE_SIZE = 65536 };

/* What people store, where the kernel lets them (not on symlinks), and what guildfs keeps; not
 * security.*, which belongs to the host. */
static bool is_kept(const char *name, bool regular) {
    return (regular && !strncmp(name, "user.", 5)) || !strncmp(name, "trusted.guildfs.", 16);
}

static int copy_xattr(int from, int to, const char *name, char *value) {
    ssize_t length = gfs_path_getxattr(from, name, value, VALUE_SIZE);
    return length < 0 ? (int)length : gfs_path_setxattr(to, name, value, (size_t)length, 0);
}

static int copy_xattrs(int from, int to, bool regular, char *list, char *value) {
    ssize_t length = gfs_path_listxattr(from, list, LIST_SIZE);

    if (length == -EOPNOTSUPP)
        return 0;
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(list + at) + 1) {
        int rc = is_kept(list + at, regular) ? copy_xattr(from, to, list + at, value) : 0;
        if (rc)
            return rc;
    }
    return length < 0 ? (int)length : 0;
}

/* The upload record. As when the target is overwritten in place, what another has uploaded is
 * settled by that; and a target that nobody uploaded leaves none of the source's record either. */
static int take_over_upload(const struct gfs_target *target, const struct gfs_target *source) {
    struct gfs_upload upload;
    int rc = gfs_upload_read(target->fd, &upload);

    if (!rc && strcmp(upload.uploader, source->tree->view->uuid) != 0)
        upload.pending = false;
    rc = rc ? gfs_path_removexattr(source->fd, GFS_UPLOAD_XATTR) : gfs_upload_write(source->fd, &upload);
    return rc == -ENODATA || rc == -EOPNOTSUPP ? 0 : rc;
}

/* Before the rename, so that the target never stands there without them. */
static int take_over(const struct gfs_target *target, const struct gfs_target *source) {
    char *space = malloc(LIST_SIZE + VALUE_SIZE);
    int rc;

    if (!space)
        return -ENOMEM;
    rc = copy_xattrs(target->fd, source->fd, S_ISREG(source->st.st_mode), space, space + LIST_SIZE);
    if (!rc)
        rc = take_over_upload(target, source);
    if (!rc && (target->st.st_uid != source->st.st_uid || target->st.st_gid != source->st.st_gid) &&
        fchownat(source->fd, "", target->st.st_uid, target->st.st_gid, AT_EMPTY_PATH))
        rc = -errno;
    free(space);
    return rc;
}

static int replace(struct gfs_call *call, const struct gfs_target *source_folder, const char *name,
                   const struct gfs_target *folder, const char *new_name, const struct gfs_target *target,
                   unsigned flags) {
    struct stat last = {0};

    if (target && fstatat(target->fd, "", &last, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -errno;
    if (syscall(SYS_renameat2, source_folder->fd, name, folder->fd, new_name, flags))
        return -errno;
    if (target && !(flags & RENAME_EXCHANGE) && (S_ISDIR(last.st_mode) || last.st_nlink <= 1)) {
        gfs_node_unlinked(call->mount, &last, target->fd);
        if (!S_ISDIR(last.st_mode))
            gfs_quota_removed(call->mount, target->share, &last);
    }
    return 0;
}

int gfs_op_rename(struct gfs_call *call, const struct gfs_target *source_folder, const char *name,
                  struct gfs_target *source, const struct gfs_target *folder, const char *new_name,
                  const struct gfs_target *target, unsigned flags, bool save) {
    bool same_file = target && target->st.st_dev == source->st.st_dev && target->st.st_ino == source->st.st_ino;
    bool takes_over = save && target && S_ISREG(target->st.st_mode) && !same_file && !(flags & RENAME_EXCHANGE);

    if (same_file && !(flags & RENAME_EXCHANGE))
        target = NULL; /* two names of one file: rename(2) leaves both */
    int rc = takes_over ? take_over(target, source) : 0;
    if (!rc)
        rc = replace(call, source_folder, name, folder, new_name, target, flags);
    if (rc && takes_over && source->has_upload && gfs_upload_write(source->fd, &source->upload))
        return rc; /* the source stays, without being pending any more */
    return rc;
}
