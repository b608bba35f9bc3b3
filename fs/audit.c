#include "fs/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/share.h"
#include "guildfs/audit.h"

enum { SOURCES = 16, PATH_BYTES = PATH_MAX + NAME_MAX + 2 };

/* All that a line is made from. Large, so on the stack of whoever is logged only. */
struct draft {
    struct gfs_audit_event event;
    char path[PATH_BYTES], new_path[PATH_BYTES];
    char process[32];
    struct gfs_source sources[SOURCES];
    char source_text[2048];
    char line[GFS_AUDIT_LINE_SIZE];
};

/* ---- paths ---- */

/* Where the descriptor's item lies now, as the daemon sees it; false when nothing leads there. */
static bool path_of_fd(int fd, char *path, size_t size) {
    char link[32];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length <= 0 || (size_t)length >= size - 1 || path[0] != '/')
        return false;
    path[length] = '\0';
    return true;
}

/* Cuts the root off, in place; false when the path does not lie below it. */
static bool cut_root(char *path, const char *root) {
    size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);

    if (strncmp(path, root, length) != 0 || (path[length] && path[length] != '/'))
        return false;
    const char *rest = path[length] ? path + length + 1 : "";
    memmove(path, *rest ? rest : ".", strlen(*rest ? rest : ".") + 1);
    return true;
}

/* The share's root by its name, or (a node's path may go through links) as it really lies. */
static bool make_relative(const struct gfs_share *share, char *path) {
    char root[PATH_BYTES];
    int fd = -1;
    int length =
        snprintf(root, sizeof root, "%s/%s", strcmp(share->node_path, "/") == 0 ? "" : share->node_path, share->path);

    if (length > 0 && (size_t)length < sizeof root && cut_root(path, root))
        return true;
    if (gfs_share_open(share, &fd))
        return false;
    bool cut = path_of_fd(fd, root, sizeof root) && cut_root(path, root);
    close(fd);
    return cut;
}

/* Of the item, or of a name in the folder; NULL when it cannot be told. */
static const char *describe_path(const struct gfs_share *share, int fd, const char *name, bool unlinked, char *path,
                                 size_t size) {
    static const char mark[] = " (deleted)"; /* what the kernel adds to a file that has no name any more */

    if (!path_of_fd(fd, path, size))
        return NULL;
    size_t length = strlen(path);
    if (unlinked && length > sizeof mark - 1 && strcmp(path + length - (sizeof mark - 1), mark) == 0)
        path[length -= sizeof mark - 1] = '\0';
    if (name && (size_t)snprintf(path + length, size - length, "/%s", name) >= size - length)
        return NULL;
    return make_relative(share, path) ? path : NULL;
}

static void fill_paths(const struct gfs_call *call, const struct gfs_target *target, struct draft *draft) {
    const struct gfs_audit_names *names = &call->names;
    const struct gfs_target *item = names->folder ? names->folder : names->item ? names->item : target;

    draft->event.path = describe_path(target->share, item->fd, names->folder ? names->name : NULL,
                                      !names->folder && item->st.st_nlink == 0, draft->path, sizeof draft->path);
    if (names->new_folder)
        draft->event.new_path = describe_path(target->share, names->new_folder->fd, names->new_name, false,
                                              draft->new_path, sizeof draft->new_path);
}

/* ---- who ---- */

/* The name of the process that waits for the answer. Without one the request comes from the kernel
 * itself, or from a process that this daemon's PID namespace does not have. */
static const char *name_process(int64_t pid, char *name, size_t size) {
    char path[48];

    if (pid <= 0)
        return NULL;
    snprintf(path, sizeof path, "/proc/%lld/comm", (long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ssize_t length = read(fd, name, size - 1);
    close(fd);
    if (length <= 0)
        return NULL;
    name[length] = '\0';
    name[strcspn(name, "\n")] = '\0'; /* the kernel ends it with one; a name may hold another */
    return name;
}

static void fill_who(const struct gfs_call *call, const struct gfs_view *view, const struct gfs_share *share,
                     struct draft *draft) {
    const struct fuse_ctx *context = fuse_req_ctx(call->req);
    const struct gfs_user *user = gfs_snapshot_user(call->snapshot, view->user);
    gfs_perms ceiling;
    bool suspended;

    draft->event.user = user ? user->name : NULL;
    draft->event.user_uuid = view->uuid;
    draft->event.share = share->name;
    draft->event.share_uuid = share->uuid;
    draft->event.uid = context->uid;
    draft->event.pid = context->pid;
    draft->event.process = name_process(context->pid, draft->process, sizeof draft->process);
    size_t count = gfs_snapshot_sources(call->snapshot, view->user, share->id, call->now_ns, draft->sources, SOURCES,
                                        draft->source_text, sizeof draft->source_text, &ceiling, &suspended);
    draft->event.sources = draft->sources;
    draft->event.source_count = count < SOURCES ? count : SOURCES;
    draft->event.generation = gfs_snapshot_generation(call->snapshot);
    draft->event.mount = call->mount->options.mountpoint;
    draft->event.time_ns = call->now_ns;
}

/* ---- refusals ---- */

static bool is_refusal(int error) {
    return error == EACCES || error == EPERM || error == EROFS || error == EDQUOT;
}

static struct gfs_audit_key key_of(const struct gfs_call *call, const struct gfs_target *target, enum gfs_op op,
                                   int error) {
    const struct gfs_audit_names *names = &call->names;
    struct gfs_audit_key key;

    memset(&key, 0, sizeof key); /* the padding as well */
    key.view = (uint64_t)(uintptr_t)target->tree->view;
    key.device = target->st.st_dev;
    key.inode = target->st.st_ino;
    key.folder = names->folder ? names->folder->st.st_ino : 0;
    key.pid = fuse_req_ctx(call->req)->pid;
    key.operation = (int32_t)op;
    key.error = error;
    if (names->name)
        strncpy(key.name, names->name, sizeof key.name - 1);
    if (names->new_name)
        strncpy(key.new_name, names->new_name, sizeof key.new_name - 1);
    return key;
}

static void push_denial(struct gfs_call *call, const struct gfs_target *target, const struct gfs_audit_event *event,
                        struct gfs_audit_key *key, bool flood) {
    struct draft draft;

    draft.event = *event;
    fill_who(call, target->tree->view, target->share, &draft);
    if (flood) {
        draft.event.operation = draft.event.process = NULL;
        draft.event.inode = 0;
        draft.event.flood = true;
    } else {
        fill_paths(call, target, &draft);
    }
    gfs_audit_push_denial(call->mount->audit, key, call->now_ns, draft.line,
                          gfs_audit_encode(&draft.event, draft.line, sizeof draft.line));
}

static void log_denial(struct gfs_call *call, const struct gfs_target *target, enum gfs_op op,
                       const struct gfs_audit_event *event) {
    struct gfs_audit_key key = key_of(call, target, op, event->error);
    enum gfs_audit_merged merged = gfs_audit_merge(call->mount->audit, &key, call->now_ns);

    if (merged != GFS_AUDIT_COUNTED)
        push_denial(call, target, event, &key, merged == GFS_AUDIT_FLOOD);
}

void gfs_audit_denied(struct gfs_call *call, const struct gfs_target *target, enum gfs_op op,
                      const struct gfs_decision *decision) {
    const struct gfs_audit_event event = {.operation = gfs_op_name(op),
                                          .error = -gfs_decision_errno(decision),
                                          .reason = decision->reason,
                                          .needed = decision->needed,
                                          .missing = decision->missing,
                                          .inode = target->st.st_ino};

    if (is_refusal(event.error))
        log_denial(call, target, op, &event);
}

void gfs_audit_handle_denied(struct gfs_call *call, const struct gfs_handle *handle, bool write, int rc) {
    const enum gfs_op op = write ? GFS_OP_OPEN_WRITE : GFS_OP_OPEN_READ;
    const struct gfs_tree *tree = handle->node->tree;
    const struct gfs_rights *rights = gfs_snapshot_rights(call->snapshot, tree->view->user, call->now_ns);
    struct gfs_target target = {
        .tree = handle->node->tree, .share = gfs_snapshot_share(call->snapshot, tree->share), .fd = handle->path_fd};

    if (!is_refusal(-rc) || !target.share || fstat(handle->path_fd, &target.st))
        return;
    const gfs_perms needed = write ? handle->write_needs : handle->read_needs;
    const struct gfs_audit_event event = {
        .operation = gfs_op_name(op),
        .error = -rc,
        .reason = rc == -EROFS ? GFS_REASON_ARCHIVED : GFS_REASON_MISSING,
        .needed = needed,
        .missing = rights ? needed & (gfs_perms)~gfs_rights_on(rights, target.share->id) : needed,
        .inode = target.st.st_ino,
        .handle = true,
    };
    log_denial(call, &target, op, &event);
}

/* ---- what was done ---- */

/* With audit=changes all that an archived share would refuse; with all also what opens to read. */
static bool is_logged(enum gfs_share_audit audit, enum gfs_op op) {
    return gfs_op_rule(op).changes || (audit == GFS_AUDIT_ALL && op == GFS_OP_OPEN_READ);
}

void gfs_audit_allowed(struct gfs_call *call, const struct gfs_target *target, enum gfs_op op, unsigned flags) {
    struct draft draft;

    if (!is_logged(target->share->audit, op))
        return;
    draft.event = (struct gfs_audit_event){.operation = gfs_op_name(op),
                                           .needed = call->needed,
                                           .inode = target->st.st_ino,
                                           .truncates = flags & O_TRUNC,
                                           .replaces = call->names.replaces};
    fill_who(call, target->tree->view, target->share, &draft);
    fill_paths(call, target, &draft);
    gfs_audit_push(call->mount->audit, draft.line, gfs_audit_encode(&draft.event, draft.line, sizeof draft.line));
}
