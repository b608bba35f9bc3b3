#include "fs/passthrough.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "fs/call.h"
#include "fs/mountinfo.h"
#include "fs/stale.h"
#include "guildfs/log.h"

/* As in linux/fuse.h since 6.9, which the headers that we build with need not have. Not by
 * fuse_passthrough_open(), which wants a request, and ids end outside of requests, too. */
struct backing_map {
    int32_t fd;
    uint32_t flags;
    uint64_t padding;
};
#define IOC_BACKING_OPEN _IOW(229, 1, struct backing_map)
#define IOC_BACKING_CLOSE _IOW(229, 2, uint32_t)

/* Whether what holds the node lies on another filesystem. The list of mounts says so; the node's
 * own filesystem may not answer. */
static bool is_stacked(const char *node_path) {
    struct gfs_mountinfo found = {.type = ""};
    char *path = strdup(node_path);

    while (path && gfs_mountinfo_find(*path ? path : "/", &found) == -ENOENT && *path)
        *(strrchr(path, '/') ? strrchr(path, '/') : path) = '\0';
    free(path);
    return strcmp(found.type, "overlay") == 0 || strcmp(found.type, GFS_MOUNT_TYPE) == 0;
}

static bool any_fast_share_is_stacked(struct gfs_mount *mount) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(mount->authority);
    const char *seen = "";
    bool any = false;

    for (size_t i = 0; snapshot && !any && i < gfs_snapshot_share_count(snapshot); i++) {
        const struct gfs_share *share = gfs_snapshot_share_at(snapshot, i);
        if (share->data_mode != GFS_DATA_FAST || strcmp(share->node_path, seen) == 0)
            continue;
        seen = share->node_path;
        any = is_stacked(seen);
    }
    gfs_authority_leave(mount->authority, snapshot);
    return any;
}

void gfs_passthrough_init(struct gfs_mount *mount, struct fuse_conn_info *conn) {
    bool granted = fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);

    /* The kernel allows two filesystems on top of each other, counting this one: either a fast
     * share lies on an overlay, or an overlay can be laid over the mount, as container engines do. */
    if (granted)
        conn->max_backing_stack_depth =
            any_fast_share_is_stacked(mount) ? FUSE_BACKING_STACKED_OVER : FUSE_BACKING_STACKED_UNDER;
    else
        atomic_store(&mount->no_passthrough, "this kernel does not have it");
    atomic_store(&mount->passthrough, granted);
}

int gfs_passthrough_open(struct gfs_mount *mount, int fd, int32_t *id) {
    struct backing_map map = {.fd = fd};

    if (!atomic_load_explicit(&mount->passthrough, memory_order_relaxed))
        return -EOPNOTSUPP;
    int answer = ioctl(fuse_session_fd(mount->session), IOC_BACKING_OPEN, &map);
    if (answer <= 0)
        return answer ? -errno : -EOPNOTSUPP;
    *id = answer;
    return 0;
}

void gfs_passthrough_close(struct gfs_mount *mount, int32_t id) {
    uint32_t number = (uint32_t)id;

    /* With the connection all ids end. */
    if (id > 0 && mount->session && ioctl(fuse_session_fd(mount->session), IOC_BACKING_CLOSE, &number))
        gfs_log(GFS_LOG_WARNING, "backing-id-not-closed", "id=%d errno=%d", id, errno);
}

static const char *reason_of(int negative_errno) {
    switch (negative_errno) {
    case -EOPNOTSUPP:
    case -ENOTTY:
        return "this kernel does not have it";
    case -EPERM:
        return "it needs CAP_SYS_ADMIN in the initial user namespace";
    case -ELOOP:
        return "too many filesystems lie on top of each other";
    default:
        return "the filesystem of a share cannot do it";
    }
}

void gfs_passthrough_refused(struct gfs_mount *mount, uint64_t device, int negative_errno) {
    const char *reason = reason_of(negative_errno);

    atomic_store(&mount->no_passthrough, reason);
    gfs_log(GFS_LOG_NOTICE, "no-passthrough", "device=%u:%u errno=%d reason=%s served=%s", major(device), minor(device),
            -negative_errno, reason, "data=fast like data=revocable");
}
