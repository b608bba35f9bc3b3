/*
 * Extended attributes. What a person stores is user.* on the backing file. The namespace
 * user.guildfs.* is computed here and cannot be written:
 *
 *   user.guildfs.permissions  the caller's effective permissions ("view,download")
 *   user.guildfs.explain      what the caller may do with the item, and why; several lines
 *   user.guildfs.share        the share's reference, as the command line takes it:
 *                             GROUP/KIND/NAME, or NAME for a share without a group
 *   user.guildfs.uploader     name of the user who uploaded the item, where it is known
 *   user.guildfs.xxh3         XXH3-128 of the file's content, 32 hexadecimal digits; EAGAIN while
 *                             too many are being computed
 *
 * They are not listed, so that programs that copy all attributes (cp -a, rsync -X, tar --xattrs)
 * do not try to write them. All other namespaces are not supported: trusted.* holds the daemon's
 * own records, and ACLs, capabilities and labels would be a second set of rules beside the
 * contract.
 *
 * The kernel itself keeps user.* away from symlinks and special files.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/notify.h"
#include "fs/ops/explain.h"
#include "fs/ops/ops.h"
#include "fs/quota.h"
#include "guildfs/hash.h"

#define USER_PREFIX "user."
#define VIRTUAL_PREFIX "user.guildfs."

static bool begins_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

enum gfs_xattr_class gfs_xattr_class(const char *name) {
    if (begins_with(name, VIRTUAL_PREFIX))
        return GFS_XATTR_VIRTUAL;
    return begins_with(name, USER_PREFIX) ? GFS_XATTR_STORED : GFS_XATTR_UNSUPPORTED;
}

bool gfs_xattr_reads_content(const char *name) {
    return strcmp(name, VIRTUAL_PREFIX "xxh3") == 0;
}

/* The protocol of getxattr(2) and listxattr(2): size 0 asks for the length. */
static void reply_value(struct gfs_call *call, const char *value, size_t length, size_t size) {
    if (size == 0)
        fuse_reply_xattr(call->req, length);
    else if (length > size)
        gfs_reply_error(call, -ERANGE);
    else
        fuse_reply_buf(call->req, value, length);
}

static void reply_text(struct gfs_call *call, const char *text, size_t size) {
    reply_value(call, text, strlen(text), size);
}

/* ---- virtual attributes ---- */

static void get_permissions(struct gfs_call *call, const struct gfs_target *target, size_t size) {
    gfs_perms perms = target->facts.effective & GFS_ALL_PERMS;
    char text[GFS_PERMS_TEXT_SIZE];

    if (target->facts.archived)
        perms &= GFS_VIEW | GFS_DOWNLOAD;
    gfs_perms_format(perms, text);
    reply_text(call, text, size);
}

enum { REFERENCE_SIZE = 600 }; /* two names of at most 255 bytes, and the kind's folder */

static void format_reference(const struct gfs_call *call, const struct gfs_share *share,
                             char text[static REFERENCE_SIZE]) {
    const struct gfs_group *group = gfs_snapshot_group(call->snapshot, share->group);

    if (group)
        snprintf(text, REFERENCE_SIZE, "%s/%s/%s", group->name, gfs_kind_folder(share->kind), share->name);
    else
        snprintf(text, REFERENCE_SIZE, "%s", share->name);
}

static void get_share(struct gfs_call *call, const struct gfs_target *target, size_t size) {
    char text[REFERENCE_SIZE];

    format_reference(call, target->share, text);
    reply_text(call, text, size);
}

static void get_uploader(struct gfs_call *call, struct gfs_target *target, size_t size) {
    gfs_target_read_upload(call, target);
    const struct gfs_user *user =
        target->has_upload ? gfs_snapshot_user_by_uuid(call->snapshot, target->upload.uploader) : NULL;

    if (user)
        reply_text(call, user->name, size);
    else
        gfs_reply_error(call, -ENODATA);
}

/* The name of a view's user, lent by the call's snapshot. */
static const char *user_name(const struct gfs_call *call, const struct gfs_view *view) {
    const struct gfs_user *user = view ? gfs_snapshot_user(call->snapshot, view->user) : NULL;
    return user ? user->name : "";
}

static void get_explanation(struct gfs_call *call, struct gfs_target *target, size_t size) {
    enum { SOURCES_MAX = 64 };
    struct gfs_source sources[SOURCES_MAX];
    char names[8192], reference[REFERENCE_SIZE], *text;
    const struct gfs_view *view = target->tree->view;
    size_t length;

    gfs_target_look_into(call, target);
    format_reference(call, target->share, reference);
    struct gfs_explanation explanation = {.user = user_name(call, view),
                                          .share = reference,
                                          .mode = target->st.st_mode,
                                          .facts = target->facts,
                                          .sources = sources,
                                          .pending_until_ns = target->pending_until_ns};
    explanation.facts.over_quota = gfs_quota_exceeded(call->mount, target->share);
    explanation.source_count =
        gfs_snapshot_sources(call->snapshot, view->user, target->share->id, call->now_ns, sources, SOURCES_MAX, names,
                             sizeof(names), &explanation.ceiling, &explanation.suspended);
    if (explanation.source_count > SOURCES_MAX)
        explanation.source_count = SOURCES_MAX;
    int status = gfs_explanation_write(&explanation, &text, &length);
    if (status != 0) {
        gfs_reply_error(call, status);
        return;
    }
    reply_value(call, text, length, size);
    free(text);
}

static bool is_awaited(void *context) {
    struct gfs_call *call = context;
    return !fuse_req_interrupted(call->req);
}

static int hash_content(struct gfs_call *call, const struct gfs_target *target, char text[static GFS_XXH3_TEXT_SIZE]) {
    int fd;
    int status = gfs_path_reopen(target->fd, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, &fd);

    if (status != 0)
        return status;
    status = gfs_hash_fd_while(fd, is_awaited, call, text);
    close(fd);
    return status;
}

/* A checksum takes as long as its file is large, and a sparse one can be as large as the filesystem
 * allows; so long it takes a thread that serves requests. Most of the threads are kept for others,
 * and one view cannot have all the rest: whoever asks for one too many is told to try again. */
static bool begin_hashing(struct gfs_mount *mount, struct gfs_view *view) {
    const unsigned most = mount->options.max_threads / 4 ? mount->options.max_threads / 4 : 1;
    const unsigned of_view = most > 1 ? most / 2 : 1;

    if (atomic_fetch_add(&view->hashing, 1) < of_view) {
        if (atomic_fetch_add(&mount->hashing, 1) < most)
            return true;
        atomic_fetch_sub(&mount->hashing, 1);
    }
    atomic_fetch_sub(&view->hashing, 1);
    return false;
}

static int hash_in_turn(struct gfs_call *call, const struct gfs_target *target, char text[static GFS_XXH3_TEXT_SIZE]) {
    struct gfs_view *view = target->tree->view;

    if (!begin_hashing(call->mount, view))
        return -EAGAIN;
    int status = hash_content(call, target, text);
    atomic_fetch_sub(&call->mount->hashing, 1);
    atomic_fetch_sub(&view->hashing, 1);
    return status;
}

static void get_hash(struct gfs_call *call, const struct gfs_target *target, size_t size) {
    const size_t length = GFS_XXH3_TEXT_SIZE - 1;
    char text[GFS_XXH3_TEXT_SIZE] = "";
    int status = 0;

    if (!S_ISREG(target->st.st_mode)) {
        gfs_reply_error(call, -ENODATA);
        return;
    }
    /* The length is known without reading gigabytes, and programs ask for it first. */
    if (size >= length)
        status = hash_in_turn(call, target, text);
    if (status == 0)
        reply_value(call, text, length, size);
    else
        gfs_reply_error(call, status);
}

static void get_virtual(struct gfs_call *call, struct gfs_target *target, const char *name, size_t size) {
    const char *which = name + strlen(VIRTUAL_PREFIX);

    if (strcmp(which, "permissions") == 0)
        get_permissions(call, target, size);
    else if (strcmp(which, "explain") == 0)
        get_explanation(call, target, size);
    else if (strcmp(which, "share") == 0)
        get_share(call, target, size);
    else if (strcmp(which, "uploader") == 0)
        get_uploader(call, target, size);
    else if (strcmp(which, "xxh3") == 0)
        get_hash(call, target, size);
    else
        gfs_reply_error(call, -ENODATA);
}

static void describe(const struct gfs_call *call, const struct gfs_node *node, char *text, size_t size) {
    const char *user = user_name(call, node->view);
    const struct gfs_group *group = gfs_snapshot_group(call->snapshot, node->group);

    switch (node->kind) {
    case GFS_NODE_TOP:
    case GFS_NODE_DOOR:
        snprintf(text, size, "the views of this mount; each is open to its own user");
        return;
    case GFS_NODE_VIEW:
        snprintf(text, size, "the view of %s: groups and shares as the policy gives them", user);
        return;
    case GFS_NODE_PLACE:
    case GFS_NODE_KIND:
        snprintf(text, size, "%s%s in the view of %s: shows shares; ask one of them what %s may do in it",
                 group ? "group " : "a folder", group ? group->name : "", user, user);
        return;
    case GFS_NODE_ITEM:
        break;
    }
    snprintf(text, size, "an item of a share");
}

void gfs_op_getxattr_virtual_node(struct gfs_call *call, struct gfs_node *node, const char *name, size_t size) {
    char text[1024];

    switch (gfs_xattr_class(name)) {
    case GFS_XATTR_UNSUPPORTED:
        gfs_reply_error(call, -EOPNOTSUPP);
        return;
    case GFS_XATTR_STORED:
        gfs_reply_error(call, -ENODATA);
        return;
    case GFS_XATTR_VIRTUAL:
        break;
    }
    if (strcmp(name, VIRTUAL_PREFIX "permissions") != 0 && strcmp(name, VIRTUAL_PREFIX "explain") != 0) {
        gfs_reply_error(call, -ENODATA);
        return;
    }
    describe(call, node, text, sizeof(text));
    reply_text(call, text, size);
}

/* ---- stored attributes ---- */

static void get_stored(struct gfs_call *call, const struct gfs_target *target, const char *name, size_t size) {
    if (size > XATTR_SIZE_MAX)
        size = XATTR_SIZE_MAX;
    char *value = size > 0 ? malloc(size) : NULL;
    if (size > 0 && !value) {
        gfs_reply_error(call, -ENOMEM);
        return;
    }
    ssize_t length = gfs_path_getxattr(target->fd, name, value, size);
    if (length < 0)
        gfs_reply_error(call, (int)length);
    else
        reply_value(call, value, (size_t)length, size);
    free(value);
}

void gfs_op_getxattr(struct gfs_call *call, struct gfs_target *target, const char *name, size_t size) {
    switch (gfs_xattr_class(name)) {
    case GFS_XATTR_VIRTUAL:
        get_virtual(call, target, name, size);
        return;
    case GFS_XATTR_STORED:
        get_stored(call, target, name, size);
        return;
    case GFS_XATTR_UNSUPPORTED:
        break;
    }
    gfs_reply_error(call, -EOPNOTSUPP);
}

/* Keeps the names of stored attributes, in place. Returns the length that is left. A list that
 * does not end in a NUL ends with its last whole name. */
static size_t keep_stored(char *list, size_t length) {
    size_t kept = 0;

    for (size_t at = 0; at < length;) {
        size_t name_length = strnlen(list + at, length - at);
        if (at + name_length == length)
            break;
        if (gfs_xattr_class(list + at) == GFS_XATTR_STORED) {
            memmove(list + kept, list + at, name_length + 1);
            kept += name_length + 1;
        }
        at += name_length + 1;
    }
    return kept;
}

void gfs_op_listxattr(struct gfs_call *call, struct gfs_target *target, size_t size) {
    /* The backing's list is longer than ours, so its length does not answer a size of 0. */
    char *list = malloc(XATTR_LIST_MAX);

    if (!list) {
        gfs_reply_error(call, -ENOMEM);
        return;
    }
    ssize_t length = gfs_path_listxattr(target->fd, list, XATTR_LIST_MAX);
    if (length < 0)
        gfs_reply_error(call, (int)length);
    else
        reply_value(call, list, keep_stored(list, (size_t)length), size);
    free(list);
}

/* 0 when the attribute is one that a person may write. */
static int writable(const char *name) {
    switch (gfs_xattr_class(name)) {
    case GFS_XATTR_VIRTUAL:
        return -EPERM;
    case GFS_XATTR_STORED:
        return 0;
    case GFS_XATTR_UNSUPPORTED:
        break;
    }
    return -EOPNOTSUPP;
}

void gfs_op_setxattr(struct gfs_call *call, struct gfs_target *target, const char *name, const char *value, size_t size,
                     int flags) {
    int status = writable(name);

    if (status == 0)
        status = gfs_path_setxattr(target->fd, name, value, size, flags);
    if (status == 0)
        gfs_notify_attributes(call->mount, &target->st, target->node);
    gfs_reply_error(call, status);
}

void gfs_op_removexattr(struct gfs_call *call, struct gfs_target *target, const char *name) {
    int status = writable(name);

    if (status == 0)
        status = gfs_path_removexattr(target->fd, name);
    if (status == 0)
        gfs_notify_attributes(call->mount, &target->st, target->node);
    gfs_reply_error(call, status);
}
