/*
 * The guard: the one place in the filesystem where core/authz is asked for a decision.
 * The dispatcher asks it before any operation; operations do not ask. (ops/explain.c calls
 * gfs_decide() too, for the words of user.guildfs.explain: nothing is done on its answer.)
 * tests/lint/layers holds the files against this.
 */
#include <errno.h>
#include <fcntl.h>

#include "fs/audit.h"
#include "fs/call.h"
#include "guildfs/add.h"
#include "guildfs/log.h"
#include "guildfs/rename.h"

static int verdict(struct gfs_call *call, const struct gfs_target *target, enum gfs_op op,
                   const struct gfs_decision *decision) {
    int rc = gfs_decision_errno(decision);

    if (rc && decision->reason != GFS_REASON_HIDDEN) {
        atomic_fetch_add_explicit(&call->mount->denied, 1, memory_order_relaxed);
        gfs_log(GFS_LOG_DEBUG, "denied", "operation=%s share=%s user=%s errno=%d", gfs_op_name(op), target->share->name,
                target->tree->view->uuid, -rc);
        gfs_audit_denied(call, target, op, decision);
    }
    if (decision->allowed && op != GFS_OP_STAT)
        call->needed |= decision->needed;
    return rc;
}

/* Whether the upload record could change anything: it only ever adds, and only for who may add. */
static bool record_matters(const struct gfs_target *target) {
    return !target->upload_read && !target->facts.archived &&
           (target->facts.effective & (target->facts.folder ? GFS_MAKE_FOLDER : GFS_UPLOAD));
}

static struct gfs_decision decide(struct gfs_call *call, struct gfs_target *target, enum gfs_op op) {
    struct gfs_decision decision = gfs_decide(&target->facts, op);

    if (!decision.allowed && record_matters(target)) {
        gfs_target_read_upload(call, target);
        decision = gfs_decide(&target->facts, op);
    }
    if (!decision.allowed && target->facts.own_listed && !target->looked_into) {
        gfs_target_look_into(call, target);
        decision = gfs_decide(&target->facts, op);
    }
    return decision;
}

int gfs_guard(struct gfs_call *call, struct gfs_target *target, enum gfs_op op) {
    struct gfs_decision decision = decide(call, target, op);
    return verdict(call, target, op, &decision);
}

int gfs_guard_needed(struct gfs_call *call, struct gfs_target *target, enum gfs_op op, gfs_perms *needed) {
    struct gfs_decision decision = decide(call, target, op);
    if (decision.allowed)
        *needed |= decision.needed;
    return verdict(call, target, op, &decision);
}

/* Composite decisions take facts as they are, so everything that could matter is read first. */
static const struct gfs_facts *facts_of(struct gfs_call *call, struct gfs_target *target) {
    if (!target)
        return NULL;
    if (record_matters(target) || target->facts.own_listed)
        gfs_target_look_into(call, target);
    return &target->facts;
}

/* The same of a folder in which something is done: that needs no look at all that is in it. */
static const struct gfs_facts *facts_of_place(struct gfs_call *call, struct gfs_target *folder) {
    if (record_matters(folder))
        gfs_target_read_upload(call, folder);
    return &folder->facts;
}

int gfs_guard_add(struct gfs_call *call, struct gfs_target *folder, struct gfs_target *taken, enum gfs_op op,
                  bool exclusive) {
    struct gfs_decision decision = gfs_decide_add(&folder->facts, taken ? &taken->facts : NULL, op, exclusive);

    /* Nothing is added in the place of what is there, so records could only turn a denial. */
    if (!decision.allowed)
        decision = gfs_decide_add(facts_of_place(call, folder), facts_of(call, taken), op, exclusive);
    return verdict(call, folder, op, &decision);
}

int gfs_guard_link(struct gfs_call *call, struct gfs_target *item, struct gfs_target *folder,
                   struct gfs_target *taken) {
    struct gfs_decision decision =
        gfs_decide_link(facts_of(call, item), facts_of_place(call, folder), facts_of(call, taken));
    return verdict(call, folder, GFS_OP_LINK, &decision);
}

int gfs_guard_rename(struct gfs_call *call, struct gfs_target *source, struct gfs_target *folder,
                     struct gfs_target *target, bool same_folder, bool no_replace, bool exchange) {
    const struct gfs_rename rename = {
        .source = facts_of(call, source),
        .target_folder = facts_of_place(call, folder),
        .target = facts_of(call, target),
        .same_folder = same_folder,
        .no_replace = no_replace,
        .exchange = exchange,
    };
    struct gfs_rename_verdict result = gfs_decide_rename(&rename);
    return verdict(call, folder, result.op, &result.decision);
}

int gfs_guard_open(struct gfs_call *call, struct gfs_target *target, int flags, gfs_perms *read_needs,
                   gfs_perms *write_needs) {
    int access_mode = flags & O_ACCMODE;
    gfs_perms read = 0, write = 0, both = 0;
    int rc = flags & O_TRUNC ? gfs_guard(call, target, GFS_OP_TRUNCATE) : 0;

    if (!rc && access_mode == O_RDWR)
        rc = gfs_guard_needed(call, target, GFS_OP_OPEN_READ_WRITE, &both);
    if (!rc && access_mode != O_WRONLY)
        rc = gfs_guard_needed(call, target, GFS_OP_OPEN_READ, &read);
    if (!rc && access_mode != O_RDONLY)
        rc = gfs_guard_needed(call, target, GFS_OP_OPEN_WRITE, &write);
    if (!rc) {
        /* What is no upload of one's own is there for who has View, and so are its open handles. */
        gfs_perms sight = gfs_own_pending(&target->facts) ? 0 : GFS_VIEW;
        *read_needs = read | sight;
        *write_needs = write | sight;
    }
    return rc;
}

bool gfs_guard_bits_need_record(const struct gfs_target *target) {
    const struct gfs_facts *facts = &target->facts;
    if (!record_matters(target))
        return false;
    /* With all that a pending item could add, nothing is left to add. */
    return facts->folder ? !gfs_visible(facts) : !gfs_decide(facts, GFS_OP_OPEN_WRITE).allowed || !gfs_visible(facts);
}

static int judge_handle(const struct gfs_call *call, const struct gfs_handle *handle, bool write) {
    const struct gfs_tree *tree = handle->node->tree;
    const struct gfs_share *share = gfs_snapshot_share(call->snapshot, tree->share);
    const struct gfs_rights *rights = gfs_snapshot_rights(call->snapshot, tree->view->user, call->now_ns);

    if (!share || !rights)
        return -EACCES;
    if (share->archived && write)
        return -EROFS;
    gfs_perms held = gfs_rights_on(rights, share->id);
    if (share->archived)
        held &= GFS_VIEW | GFS_DOWNLOAD;
    if (!write && gfs_perms_include(held, GFS_VIEW | GFS_DOWNLOAD))
        return 0; /* also by a handle that may read because it created the file */
    return gfs_perms_include(held, write ? handle->write_needs : handle->read_needs) ? 0 : -EACCES;
}

bool gfs_guard_handle_holds(struct gfs_call *call, const struct gfs_handle *handle, bool write) {
    return judge_handle(call, handle, write) == 0;
}

int gfs_guard_handle(struct gfs_call *call, const struct gfs_handle *handle, bool write) {
    int rc = judge_handle(call, handle, write);

    if (rc)
        gfs_audit_handle_denied(call, handle, write, rc);
    return rc;
}
