#include "fs/passthrough.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "fs/call.h"
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

void gfs_passthrough_init(struct gfs_mount *mount, struct fuse_conn_info *conn) {
    bool granted = fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH);

    /* A share may lie on an overlay filesystem. The price: no overlay can be laid over the mount. */
    if (granted)
        conn->max_backing_stack_depth = FUSE_BACKING_STACKED_OVER;
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
