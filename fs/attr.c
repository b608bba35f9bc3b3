/*
 * How an item shows in a view: its user owns everything, and the mode is the stored one cut by
 * what the contract grants. Only owner bits, so that a bind mount of something below a view opens
 * nothing to others.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/call.h"
#include "fs/watch.h"

/* Inode numbers of two filesystems must not look like one file, so the device is mixed in. Bit 63
 * is left to virtual nodes. */
ino_t gfs_attr_inode(const struct stat *on, ino_t inode) {
    uint64_t device = (uint64_t)on->st_dev;
    return (inode ^ (device * 0x9e3779b97f4a7c15ULL << 40)) & ~(1ULL << 63);
}

static mode_t shown_mode(const struct gfs_target *target) {
    mode_t granted = (mode_t)gfs_access_bits(&target->facts) << 6;

    /* What these bits refuse the kernel refuses by itself, and nobody hears of it. Where it is to be
     * logged the guard has to be asked. Only entering a folder stays as it is. */
    if (target->share->audit != GFS_AUDIT_NONE)
        granted |= target->facts.folder ? S_IRUSR | S_IWUSR : S_IRWXU;
    if (S_ISLNK(target->st.st_mode))
        return S_IFLNK | 0700;
    return (target->st.st_mode & S_IFMT) | (target->st.st_mode & granted);
}

/* A folder in which the user sees nothing but own uploads tells nothing of what else it holds:
 * the number of folders, the size, and when something changed in it. */
static void blind(const struct gfs_target *target, struct stat *out) {
    const struct timespec made = {.tv_sec = target->share->created_ns / 1000000000};

    out->st_nlink = 2;
    out->st_size = 4096;
    out->st_blocks = 8;
    out->st_atim = out->st_mtim = out->st_ctim = made;
}

void gfs_attr_show(struct gfs_call *call, struct gfs_target *target, struct stat *out) {
    const struct gfs_view *view = target->tree->view;

    if (gfs_guard_bits_need_record(target))
        gfs_target_read_upload(call, target);
    *out = target->st;
    out->st_ino = gfs_attr_inode(&target->st, target->st.st_ino);
    out->st_mode = shown_mode(target);
    out->st_uid = atomic_load(&view->uid);
    out->st_gid = atomic_load(&view->gid);
    out->st_dev = 0;
    if (target->facts.folder && !(target->facts.effective & GFS_VIEW))
        blind(target, out);
}

static double seconds(int64_t ns) {
    return (double)ns / 1e9;
}

/* Bits of a pending item change when it stops being one; what is shown ends with it. */
static double until_settled(const struct gfs_call *call, const struct gfs_target *target, double timeout) {
    if (target->pending_until_ns <= call->now_ns)
        return timeout;
    double left = seconds(target->pending_until_ns - call->now_ns);
    return left < timeout ? left : timeout;
}

double gfs_attr_timeout(struct gfs_call *call, struct gfs_target *target) {
    bool versioned = call->versioned && target->node && atomic_load(&target->node->asked);
    int64_t timeout_ns = gfs_watch_attr_ns(call->mount, &target->st, versioned);

    if (target->node && target->node->kind == GFS_NODE_ITEM) {
        int64_t limit_ns = gfs_node_attr_limit_ns(call->mount, target->node);
        timeout_ns = limit_ns < timeout_ns ? limit_ns : timeout_ns;
    }
    return until_settled(call, target, seconds(timeout_ns));
}

/* Of names in the folder; NULL: a virtual one. */
static int64_t names_left_ns(struct gfs_call *call, const struct gfs_target *folder) {
    return folder && folder->node ? gfs_folder_names_left_ns(call->mount, folder->node)
                                  : call->mount->options.entry_timeout_ns;
}

double gfs_entry_timeout(struct gfs_call *call, const struct gfs_target *folder, struct gfs_target *target) {
    return until_settled(call, target, seconds(names_left_ns(call, folder)));
}

double gfs_absent_timeout(struct gfs_call *call, const struct gfs_target *folder, const char *name) {
    int64_t left_ns = names_left_ns(call, folder), unwatched_ns = call->mount->options.entry_timeout_ns;
    struct stat st;

    /* What is hidden shows when a right is given, and a mount point (hidden too) when it is gone:
     * no event tells of that. */
    if (left_ns > unwatched_ns &&
        !(fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) && errno == ENOENT))
        left_ns = unwatched_ns;
    return seconds(left_ns);
}

/* What changed before the table had the node was told to nobody here. So when anything changed since
 * the request began, the item is looked at once more. */
static int show_again(struct gfs_call *call, struct gfs_target *target, struct stat *out) {
    int fd = -1;
    int rc = gfs_backing_get(call->mount, target->node->backing, &fd);

    if (rc)
        return rc;
    if (fstatat(fd, "", &target->st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        rc = -errno;
    gfs_backing_put(call->mount, target->node->backing);
    if (!rc)
        gfs_attr_show(call, target, out);
    return rc;
}

int gfs_attr_entry(struct gfs_call *call, const struct gfs_target *folder, struct gfs_target *target,
                   struct fuse_entry_param *out) {
    struct fuse_entry_param entry = {.generation = 1};
    /* Before the inode table takes the descriptor, which may then be closed to make room. */
    gfs_attr_show(call, target, &entry.attr);
    int fd = target->backing ? fcntl(target->fd, F_DUPFD_CLOEXEC, 0) : target->fd;
    if (fd < 0 && !target->looked)
        return -errno;
    const struct gfs_node_wanted wanted = {
        .st = &target->st,
        .share_root = target->facts.share_root,
        .fast = target->share->data_mode == GFS_DATA_FAST,
        .root_fd = folder ? folder->fd : fd,
        .key = target->looked ? &target->key : NULL,
    };
    int rc = gfs_node_enter(call->mount, target->tree, &wanted, &fd, &target->node);
    if (target->backing && fd >= 0)
        close(fd);
    else if (!target->backing)
        target->fd = fd;
    if (rc > 0 && atomic_load(&call->mount->changes) == call->changes)
        rc = 0;
    if (rc > 0 && (rc = show_again(call, target, &entry.attr)))
        gfs_node_forget(call->mount, target->node, 1);
    if (rc < 0)
        return rc;
    entry.ino = gfs_node_id(target->node);
    entry.attr_timeout = gfs_attr_timeout(call, target);
    entry.entry_timeout = gfs_entry_timeout(call, folder, target);
    *out = entry;
    return 0;
}
