/*
 * Whether a person may do what an operation needs. What that is stands in op.c; this file is the
 * arithmetic around it.
 */
#include <errno.h>

#include "guildfs/decision.h"

/* What counts of the effective permissions: an archived share leaves View and Download. */
static gfs_perms held(const struct gfs_facts *facts) {
    gfs_perms perms = facts->effective & GFS_ALL_PERMS;

    return facts->archived ? perms & (GFS_VIEW | GFS_DOWNLOAD) : perms;
}

/*
 * An upload of one's own is something only while one may upload: who has lost Upload keeps what an
 * ordinary viewer would have, and no more.
 */
static bool own_counts(const struct gfs_facts *facts, bool own) {
    gfs_perms keeper = facts->folder ? GFS_MAKE_FOLDER : GFS_UPLOAD;

    return own && gfs_perms_include(held(facts), keeper);
}

bool gfs_own_pending(const struct gfs_facts *facts) {
    return own_counts(facts, facts->own_pending);
}

static gfs_perms needed(const struct gfs_facts *facts, const struct gfs_rule *rule) {
    gfs_perms perms = rule->existing;

    if (gfs_own_pending(facts))
        perms = facts->folder ? rule->pending_folder : rule->pending_file;
    if (rule->overwrites && facts->overwrite_upload)
        perms &= (gfs_perms)~GFS_DELETE;
    return perms;
}

/* The two things that show without View: the root of a drop box, because there would be nowhere
 * to put anything; and in it what one has just put there. */
bool gfs_visible(const struct gfs_facts *facts) {
    const struct gfs_rule stat = gfs_op_rule(GFS_OP_STAT);

    return gfs_perms_include(held(facts), needed(facts, &stat)) ||
           (facts->share_root && (held(facts) & (GFS_UPLOAD | GFS_MAKE_FOLDER))) ||
           (facts->folder && own_counts(facts, facts->own_listed));
}

static struct gfs_decision deny(enum gfs_reason reason, gfs_perms wanted, gfs_perms missing, int error) {
    return (struct gfs_decision){.reason = reason, .needed = wanted, .missing = missing, .error = error};
}

struct gfs_decision gfs_decide(const struct gfs_facts *facts, enum gfs_op op) {
    const struct gfs_rule rule = gfs_op_rule(op);
    const gfs_perms wanted = needed(facts, &rule);
    const gfs_perms missing = rule.sight ? 0 : wanted & (gfs_perms)~held(facts);

    /* First, so that no other answer tells of what the caller does not see. */
    if (!gfs_visible(facts))
        return deny(GFS_REASON_HIDDEN, wanted | GFS_VIEW, (wanted | GFS_VIEW) & (gfs_perms)~held(facts), ENOENT);
    if (wanted & GFS_NOBODY)
        return deny(GFS_REASON_NEVER, wanted, missing, rule.denied);
    /* Before the permission: EROFS is what programs understand of an archive, and it tells nothing. */
    if (rule.changes && facts->archived)
        return deny(GFS_REASON_ARCHIVED, wanted, 0, EROFS);
    if (missing)
        return deny(GFS_REASON_MISSING, wanted, missing, rule.denied);
    if (rule.grows && facts->over_quota)
        return deny(GFS_REASON_QUOTA, wanted, 0, EDQUOT);
    return (struct gfs_decision){.allowed = true, .reason = GFS_REASON_ALLOWED, .needed = wanted};
}

int gfs_decision_errno(const struct gfs_decision *decision) {
    if (decision->allowed)
        return 0;
    return decision->error > 0 ? -decision->error : -EACCES;
}

static bool may(const struct gfs_facts *facts, enum gfs_op op) {
    return gfs_decide(facts, op).allowed;
}

/* Whether there could be something in the folder that the caller may rename or remove. */
static bool may_change_item(const struct gfs_facts *folder, bool item_is_folder, bool own_pending) {
    const struct gfs_facts item = {
        .effective = folder->effective,
        .overwrite_upload = folder->overwrite_upload,
        .folder = item_is_folder,
        .own_pending = own_pending,
        .own_listed = own_pending && item_is_folder,
    };

    return may(&item, GFS_OP_RENAME) || may(&item, item_is_folder ? GFS_OP_RMDIR : GFS_OP_UNLINK);
}

static bool may_change_folder(const struct gfs_facts *folder) {
    return may(folder, GFS_OP_CREATE) || may(folder, GFS_OP_MKDIR) || may_change_item(folder, false, false) ||
           may_change_item(folder, false, true) || may_change_item(folder, true, false) ||
           may_change_item(folder, true, true);
}

unsigned gfs_access_bits(const struct gfs_facts *facts) {
    /* Quota has its own errno, which the kernel would hide if it refused by the mode bits. */
    struct gfs_facts now = *facts;
    now.over_quota = false;

    if (!gfs_visible(&now))
        return 0;
    bool reads = may(&now, now.folder ? GFS_OP_LIST : GFS_OP_OPEN_READ);
    bool writes = now.archived || (now.folder ? may_change_folder(&now) : may(&now, GFS_OP_OPEN_WRITE));
    bool enters = now.folder || reads;
    return (reads ? 4u : 0) | (writes ? 2u : 0) | (enters ? 1u : 0);
}

gfs_perms gfs_effective(const struct gfs_source *sources, size_t count, gfs_perms ceiling, bool suspended) {
    gfs_perms perms = 0;

    if (suspended)
        return 0;
    for (size_t i = 0; i < count; i++)
        perms |= sources[i].perms;
    return perms & ceiling & GFS_ALL_PERMS;
}
