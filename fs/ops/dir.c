/*
 * Open folders. A listing goes by the backing filesystem's own positions, so that it can be left
 * and taken up again (seekdir) while others create and remove.
 *
 * The position after an entry is on many filesystems that of the next one, a hash of its name. In a
 * folder that is listed without View it would tell of what is hidden there, so each handle numbers
 * what it has shown, and keeps the positions to itself. The dots come first then: elsewhere they
 * stand where the filesystem has them, which may change with the folder's size.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/ops/ops.h"

enum { BATCH = 32768 };

struct gfs_folder_handle {
    struct gfs_opened opened;
    pthread_mutex_t lock; /* of what follows: one listing at a time per handle */
    int fd;               /* -1: a virtual folder */
    struct gfs_node *node;
    off_t position; /* as the kernel knows it: of the next entry, or the number of those shown */
    long batch_size, batch_at;
    char *batch;
    bool numbered;
    off_t *shown; /* numbered: the backing's position after the first, second ... entry */
    size_t shown_count, shown_size;
};

int gfs_op_opendir(struct gfs_call *call, struct gfs_node *node, const struct gfs_target *folder,
                   struct fuse_file_info *fi) {
    int admitted = gfs_opened_admit(call->mount, node->view);
    struct gfs_folder_handle *handle = admitted ? NULL : calloc(1, sizeof *handle);

    if (!handle)
        return admitted ? admitted : -ENOMEM;
    handle->node = node;
    handle->fd = -1;
    handle->numbered = folder && !(folder->facts.effective & GFS_VIEW);
    if (folder && (handle->fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        int rc = -errno;
        free(handle);
        return rc;
    }
    if (folder && !(handle->batch = malloc(BATCH))) {
        close(handle->fd);
        free(handle);
        return -ENOMEM;
    }
    pthread_mutex_init(&handle->lock, NULL);
    gfs_opened_add(call->mount, &handle->opened, node, true);
    fi->fh = (uint64_t)(uintptr_t)handle;
    return 0;
}

void gfs_op_releasedir(struct gfs_mount *mount, struct gfs_folder_handle *handle) {
    gfs_opened_remove(mount, &handle->opened);
    if (handle->fd >= 0)
        close(handle->fd);
    free(handle->batch);
    free(handle->shown);
    pthread_mutex_destroy(&handle->lock);
    free(handle);
}

int gfs_op_fsyncdir(struct gfs_folder_handle *handle, bool only_data) {
    if (handle->fd < 0)
        return 0;
    return (only_data ? fdatasync(handle->fd) : fsync(handle->fd)) ? -errno : 0;
}

/* What is being put together for one reply. */
struct reply {
    struct gfs_call *call;
    struct gfs_folder_handle *handle;
    struct gfs_target *folder; /* NULL: virtual */
    char *buffer;
    size_t used, size;
    bool plus;
};

/* False: there is no more room; nothing was added. */
static bool put_plain(struct reply *reply, const char *name, const struct stat *st, off_t next) {
    size_t room = reply->size - reply->used;
    size_t length = fuse_add_direntry(reply->call->req, reply->buffer + reply->used, room, name, st, next);

    if (length > room)
        return false;
    reply->used += length;
    return true;
}

static bool put_plus(struct reply *reply, const char *name, const struct fuse_entry_param *entry, off_t next) {
    size_t room = reply->size - reply->used;
    size_t length = fuse_add_direntry_plus(reply->call->req, reply->buffer + reply->used, room, name, entry, next);

    if (length > room)
        return false;
    reply->used += length;
    return true;
}

/* ---- items ---- */

static bool is_dot(const char *name) {
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* The next entry, without going past it; NULL at the end. -errno in *rc. */
static const struct dirent64 *peek(struct gfs_folder_handle *handle, int *rc) {
    if (handle->batch_at >= handle->batch_size) {
        handle->batch_at = 0;
        handle->batch_size = syscall(SYS_getdents64, handle->fd, handle->batch, BATCH);
        if (handle->batch_size <= 0) {
            *rc = handle->batch_size ? -errno : 0;
            handle->batch_size = 0;
            return NULL;
        }
    }
    return (const void *)(handle->batch + handle->batch_at);
}

static int seek(struct gfs_folder_handle *handle, off_t offset) {
    if (handle->position == offset && (offset || handle->batch_at))
        return 0;
    if (handle->numbered && (offset < 0 || (size_t)offset > handle->shown_count))
        return -EINVAL;
    if (lseek(handle->fd, handle->numbered && offset ? handle->shown[offset - 1] : offset, SEEK_SET) < 0)
        return -errno;
    handle->position = offset;
    handle->batch_at = handle->batch_size = 0;
    return 0;
}

/* Where a listing goes on after the entry. */
static off_t next_of(const struct gfs_folder_handle *handle, const struct dirent64 *entry) {
    return handle->numbered ? handle->position + 1 : entry->d_off;
}

/* Room to remember one more entry that is shown. */
static bool may_number(struct gfs_folder_handle *handle) {
    if (!handle->numbered || (size_t)handle->position < handle->shown_size)
        return true;
    size_t size = handle->shown_size ? handle->shown_size * 2 : 16;
    off_t *shown = realloc(handle->shown, size * sizeof *shown);
    if (!shown)
        return false;
    handle->shown = shown;
    handle->shown_size = size;
    return true;
}

static void number(struct gfs_folder_handle *handle, off_t after) {
    handle->shown[handle->position++] = after;
    if (handle->shown_count < (size_t)handle->position)
        handle->shown_count = (size_t)handle->position;
}

static void advance(struct gfs_folder_handle *handle, const struct dirent64 *entry, bool was_shown) {
    handle->batch_at += entry->d_reclen;
    if (!handle->numbered)
        handle->position = entry->d_off;
    else if (was_shown)
        number(handle, entry->d_off);
}

/* A dot entry has no node in a listing: the kernel does not ask for one. */
static bool put_dot(struct reply *reply, const char *name, ino_t inode, off_t next) {
    bool above = name[1] && reply->folder->facts.share_root; /* a virtual folder */
    const struct fuse_entry_param dot = {
        .attr = {.st_ino = above ? 1 : gfs_attr_inode(&reply->folder->st, inode), .st_mode = S_IFDIR}};
    return reply->plus ? put_plus(reply, name, &dot, next) : put_plain(reply, name, &dot.attr, next);
}

static bool put_numbered_dots(struct reply *reply) {
    struct gfs_folder_handle *handle = reply->handle;
    struct stat above;

    while (handle->position < 2) {
        bool second = handle->position == 1;
        ino_t inode = second && !fstatat(handle->fd, "..", &above, 0) ? above.st_ino : reply->folder->st.st_ino;
        if (!may_number(handle) || !put_dot(reply, second ? ".." : ".", inode, handle->position + 1))
            return false;
        number(handle, 0);
    }
    return true;
}

static bool put_child(struct reply *reply, struct gfs_target *child, const struct dirent64 *entry) {
    struct gfs_call *call = reply->call;
    struct fuse_entry_param param;

    if (!reply->plus) {
        struct stat st;
        gfs_attr_show(call, child, &st);
        return put_plain(reply, entry->d_name, &st, next_of(reply->handle, entry));
    }
    if (gfs_attr_entry(call, reply->folder, child, &param))
        return true; /* it shows up by its name when it is looked up */
    if (put_plus(reply, entry->d_name, &param, next_of(reply->handle, entry)))
        return true;
    gfs_node_forget(call->mount, child->node, 1);
    return false;
}

/* Room for one more entry of that name, so that none is looked up in vain. */
static bool has_room(const struct reply *reply, const char *name) {
    struct fuse_entry_param entry = {.ino = 0};
    size_t needed = reply->plus ? fuse_add_direntry_plus(reply->call->req, NULL, 0, name, &entry, 0)
                                : fuse_add_direntry(reply->call->req, NULL, 0, name, NULL, 0);
    return reply->size - reply->used >= needed;
}

static bool put_item(struct reply *reply, const struct dirent64 *entry) {
    struct gfs_target child = {.fd = -1};
    bool fits = true;

    if (!has_room(reply, entry->d_name) || !may_number(reply->handle))
        return false;
    if (is_dot(entry->d_name))
        return reply->handle->numbered || put_dot(reply, entry->d_name, entry->d_ino, next_of(reply->handle, entry));
    if (gfs_target_look(reply->call, reply->folder, entry->d_name, &child))
        return true; /* it went meanwhile */
    if (!gfs_guard(reply->call, &child, GFS_OP_STAT))
        fits = put_child(reply, &child, entry);
    gfs_target_put(reply->call, &child);
    return fits;
}

static int list_items(struct reply *reply, off_t offset) {
    struct gfs_folder_handle *handle = reply->handle;
    const struct dirent64 *entry;
    int rc = seek(handle, offset);

    if (!rc && handle->numbered && !put_numbered_dots(reply))
        return 0;
    while (!rc && (entry = peek(handle, &rc))) {
        size_t before = reply->used;
        if (!put_item(reply, entry))
            break;
        advance(handle, entry, reply->used > before);
    }
    return reply->used ? 0 : rc;
}

/* ---- virtual folders ---- */

static bool put_virtual(void *context, const char *name, const struct gfs_view_entry *entry, size_t number) {
    struct reply *reply = context;
    struct fuse_entry_param param = {.attr = {.st_mode = S_IFDIR, .st_ino = number + 2}};
    off_t next = (off_t)number + 3; /* 0 and 1 are the dots */

    /* Without a node id the kernel looks the name up when it needs it. */
    if (entry->node)
        gfs_view_stat(reply->call, entry->node, &param.attr);
    return reply->plus ? put_plus(reply, name, &param, next) : put_plain(reply, name, &param.attr, next);
}

static int list_virtual(struct reply *reply, struct gfs_node *folder, off_t offset) {
    struct fuse_entry_param dot = {.attr = {.st_mode = S_IFDIR, .st_ino = 1}}; /* 0 is no entry for readdir(3) */

    for (off_t i = offset; i < 2; i++) {
        const char *name = i ? ".." : ".";
        if (!(reply->plus ? put_plus(reply, name, &dot, i + 1) : put_plain(reply, name, &dot.attr, i + 1)))
            return 0;
    }
    size_t first = offset > 2 ? (size_t)offset - 2 : 0;
    return gfs_view_list(reply->call, folder, fuse_req_ctx(reply->call->req)->uid, first, put_virtual, reply);
}

void gfs_op_readdir(struct gfs_call *call, struct gfs_folder_handle *handle, struct gfs_target *target, size_t size,
                    off_t offset, bool plus) {
    struct reply reply = {
        .call = call, .handle = handle, .folder = target, .buffer = malloc(size), .size = size, .plus = plus};
    int rc = -ENOMEM;

    if (reply.buffer) {
        pthread_mutex_lock(&handle->lock);
        rc = target ? list_items(&reply, offset) : list_virtual(&reply, handle->node, offset);
        pthread_mutex_unlock(&handle->lock);
    }
    if (rc)
        gfs_reply_error(call, rc);
    else
        fuse_reply_buf(call->req, reply.buffer, reply.used);
    free(reply.buffer);
}
