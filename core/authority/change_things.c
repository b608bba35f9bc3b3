/* The rows of a delta about things: projects, shares, and authorizations on them. */
#include <errno.h>
#include <stddef.h>

#include "core/authority/builder.h"
#include "core/authority/change.h"

/* ---- projects ---- */

static int drop_project(struct gfs_delta *delta, uint32_t i) {
    uint32_t parent = gfs_policy_project(delta->policy, i)->parent;
    int rc = 0;
    if (parent != GFS_NONE)
        rc = gfs_delta_number(delta, &delta->policy->projects_in, parent, i, false);
    return rc == 0 ? gfs_delta_gone(delta, &delta->policy->projects, i) : rc;
}

static int put_project(struct gfs_delta *delta, uint32_t i, const struct gfs_project *project) {
    static const size_t texts[] = {offsetof(struct gfs_project, name)};
    const void *copy = gfs_delta_record(delta, project, sizeof *project, texts, 1);
    if (copy == NULL)
        return -ENOMEM;
    return gfs_vector_put(&delta->policy->projects, &delta->step, i,
                          (struct gfs_cell){.rows = copy, .count = 1, .loose = true});
}

/* A project holds nothing by itself: what is in it and what is authorized on it are other rows. One
 * that moved into another is left to the whole load, which also knows what to do about cycles. */
int gfs_change_project(void *context, gfs_id id, const struct gfs_project_row *row, bool added) {
    struct gfs_delta *delta = context;
    struct gfs_policy *policy = delta->policy;
    uint32_t i = gfs_policy_find_project(policy, id);
    if (row == NULL)
        return i == GFS_NONE ? 0 : drop_project(delta, i);
    struct gfs_project project = {.id = id, .name = row->name, .parent = GFS_NONE};
    if (row->parent != 0)
        project.parent = gfs_policy_find_project(policy, row->parent);
    if ((row->parent != 0 && project.parent == GFS_NONE) || (i == GFS_NONE && !added))
        return -ESTALE;
    if (i != GFS_NONE)
        return gfs_policy_project(policy, i)->parent == project.parent ? put_project(delta, i, &project) : -ESTALE;
    i = policy->projects.count;
    int rc = put_project(delta, i, &project);
    if (rc == 0 && project.parent != GFS_NONE)
        rc = gfs_delta_number(delta, &policy->projects_in, project.parent, i, true);
    return rc == 0 ? gfs_delta_map(delta, &policy->project_by_id, (uint64_t)id, i) : rc;
}

/* ---- shares ---- */

static int put_share(struct gfs_delta *delta, uint32_t i, const struct gfs_share_record *record) {
    static const size_t texts[] = {
        offsetof(struct gfs_share_record, share.uuid), offsetof(struct gfs_share_record, share.name),
        offsetof(struct gfs_share_record, share.title), offsetof(struct gfs_share_record, share.node_path),
        offsetof(struct gfs_share_record, share.path)};
    struct gfs_share_record *copy =
        gfs_delta_record(delta, record, sizeof *record, texts, sizeof texts / sizeof texts[0]);
    if (copy == NULL)
        return -ENOMEM;
    uint32_t parent = record->links.parent;
    copy->share.parent = parent == GFS_NONE ? NULL : gfs_policy_share(delta->policy, parent);
    return gfs_vector_put(&delta->policy->shares, &delta->step, i,
                          (struct gfs_cell){.rows = copy, .count = 1, .loose = true});
}

/* What is nested in a share points to its record, so it moves with it, and so on down. */
static int move_nested(struct gfs_delta *delta, uint32_t share) {
    struct gfs_list moved = {0};
    int rc = gfs_list_add(&moved, &share, sizeof share);
    for (size_t i = 0; i < moved.count && rc == 0; i++) { /* grows while it is walked */
        uint32_t around = ((const uint32_t *)moved.rows)[i];
        struct gfs_cell children = gfs_vector_at(&delta->policy->children, around);
        if (moved.count + children.count > GFS_MOST_MOVED)
            rc = -ESTALE;
        for (uint32_t c = 0; c < children.count && rc == 0; c++) {
            uint32_t child = ((const uint32_t *)children.rows)[c];
            rc = gfs_touch_share(delta, child);
            if (rc == 0)
                rc = put_share(delta, child, gfs_policy_share_record(delta->policy, child));
            if (rc == 0)
                rc = gfs_list_add(&moved, &child, sizeof child);
        }
        if (rc == 0)
            rc = gfs_policy_put_nested(delta->policy, &delta->step, around);
    }
    gfs_list_free(&moved);
    return rc;
}

/* Moves a share from one list to another when its key changed. */
static int relist(struct gfs_delta *delta, struct gfs_vector *vector, uint32_t before, uint32_t after, uint32_t share) {
    int rc = 0;
    if (before == after)
        return 0;
    if (before != GFS_NONE)
        rc = gfs_delta_number(delta, vector, before, share, false);
    if (rc == 0 && after != GFS_NONE)
        rc = gfs_delta_number(delta, vector, after, share, true);
    return rc;
}

static const struct gfs_share_links nowhere = {
    .parent = GFS_NONE, .project = GFS_NONE, .organization = GFS_NONE, .group = GFS_NONE, .owner = GFS_NONE};

static int relink(struct gfs_delta *delta, uint32_t share, bool capsule, const struct gfs_share_links *before,
                  const struct gfs_share_links *after) {
    struct gfs_policy *policy = delta->policy;
    int rc = relist(delta, &policy->owned, before->owner, after->owner, share);
    if (rc == 0 && capsule)
        rc = relist(delta, &policy->capsules, before->group, after->group, share);
    if (rc == 0)
        rc = relist(delta, &policy->shares_of_organization, before->organization, after->organization, share);
    if (rc == 0)
        rc = relist(delta, &policy->shares_of_project, before->project, after->project, share);
    if (rc == 0)
        rc = relist(delta, &policy->children, before->parent, after->parent, share);
    return rc;
}

static int drop_share(struct gfs_delta *delta, uint32_t i) {
    const struct gfs_share_record *record = gfs_policy_share_record(delta->policy, i);
    const struct gfs_share_links links = record->links;
    int rc = gfs_touch_share(delta, i);
    if (rc == 0)
        rc = relink(delta, i, record->share.kind == GFS_KIND_CAPSULE, &links, &nowhere);
    if (rc == 0)
        rc = gfs_delta_gone(delta, &delta->policy->shares, i);
    if (rc == 0)
        rc = gfs_delta_number(delta, &delta->policy->share_list, 0, i, false);
    if (rc == 0 && links.parent != GFS_NONE)
        rc = gfs_policy_put_nested(delta->policy, &delta->step, links.parent);
    return rc;
}

/* -ESTALE where the whole load would say what does not fit together. */
static int link_share(const struct gfs_delta *delta, const struct gfs_share_row *row, struct gfs_share_links *links) {
    const struct gfs_policy *policy = delta->policy;
    links->parent = gfs_policy_find_share(policy, row->parent);
    links->project = gfs_policy_find_project(policy, row->project);
    links->organization = gfs_policy_find_organization(policy, row->organization);
    links->group = gfs_policy_find_group(policy, row->group);
    links->owner = gfs_policy_find_user(policy, row->owner);
    if ((row->parent != 0 && links->parent == GFS_NONE) ||
        (row->organization != 0 && links->organization == GFS_NONE) || gfs_kind_name(row->kind) == NULL)
        return -ESTALE;
    return 0;
}

static int replace_share(struct gfs_delta *delta, uint32_t i, const struct gfs_share_record *record) {
    const struct gfs_share_record *old = gfs_policy_share_record(delta->policy, i);
    const struct gfs_share_links links = old->links;
    if (links.parent != record->links.parent || old->share.kind != record->share.kind)
        return -ESTALE; /* neither changes */
    int rc = gfs_touch_share(delta, i);
    if (rc == 0)
        rc = relink(delta, i, record->share.kind == GFS_KIND_CAPSULE, &links, &record->links);
    return rc == 0 ? put_share(delta, i, record) : rc;
}

static int add_share(struct gfs_delta *delta, uint32_t i, const struct gfs_share_record *record) {
    int rc = put_share(delta, i, record);
    if (rc == 0)
        rc = relink(delta, i, record->share.kind == GFS_KIND_CAPSULE, &nowhere, &record->links);
    if (rc == 0)
        rc = gfs_delta_number(delta, &delta->policy->share_list, 0, i, true);
    return rc == 0 ? gfs_delta_map(delta, &delta->policy->share_by_id, (uint64_t)record->share.id, i) : rc;
}

int gfs_change_share(void *context, gfs_id id, const struct gfs_share_row *row, const char *node_path) {
    struct gfs_delta *delta = context;
    uint32_t i = gfs_policy_find_share(delta->policy, id);
    if (row == NULL)
        return i == GFS_NONE ? 0 : drop_share(delta, i);
    struct gfs_share_record record = {.share = gfs_share_of_row(row, node_path)};
    int rc = link_share(delta, row, &record.links);
    if (rc < 0)
        return rc;
    if (i == GFS_NONE) {
        i = delta->policy->shares.count;
        rc = add_share(delta, i, &record);
    } else {
        rc = replace_share(delta, i, &record);
    }
    if (rc == 0)
        rc = gfs_touch_share(delta, i);
    if (rc == 0)
        rc = move_nested(delta, i);
    if (rc == 0 && record.links.parent != GFS_NONE)
        rc = gfs_policy_put_nested(delta->policy, &delta->step, record.links.parent);
    return rc;
}

/* ---- authorizations ---- */

static uint32_t subject_of(const struct gfs_delta *delta, const struct gfs_grant_row *row) {
    switch (row->subject_kind) {
    case GFS_SUBJECT_USER:
        return gfs_delta_find(delta, gfs_policy_find_user, row->subject);
    case GFS_SUBJECT_GROUP:
        return gfs_delta_find(delta, gfs_policy_find_group, row->subject);
    case GFS_SUBJECT_TEAM:
        return gfs_delta_find(delta, gfs_policy_find_team, row->subject);
    case GFS_SUBJECT_ORGANIZATION:
        return gfs_delta_find(delta, gfs_policy_find_organization, row->subject);
    case GFS_SUBJECT_EVERYONE:
        return 0;
    }
    return GFS_NONE;
}

static uint32_t object_of(const struct gfs_delta *delta, const struct gfs_grant_row *row) {
    gfs_find *find = row->object_kind == GFS_OBJECT_PROJECT ? gfs_policy_find_project : gfs_policy_find_share;
    return gfs_object(row->object_kind, gfs_delta_find(delta, find, row->object));
}

int gfs_change_grant(void *context, const struct gfs_grant_row *row, bool there) {
    struct gfs_delta *delta = context;
    uint32_t principal = subject_of(delta, row), object = object_of(delta, row);
    const struct gfs_grant grant = {
        .principal = principal, .object = object, .expires_ns = row->expires_ns, .perms = row->perms & GFS_ALL_PERMS};
    if (principal == GFS_NONE || object == GFS_NONE)
        return there ? -ESTALE : 0; /* came and went since */
    struct gfs_vector *grants = &delta->policy->grants[row->subject_kind];
    bool counts = there && grant.perms != 0;
    int rc = gfs_touch_principal(delta, row->subject_kind, principal);
    if (rc < 0)
        return rc;
    gfs_delta_ends(delta, counts ? row->expires_ns : GFS_NEVER);
    size_t offset = offsetof(struct gfs_grant, object);
    return counts ? gfs_vector_row_put(grants, &delta->step, principal, &grant, sizeof grant, offset)
                  : gfs_vector_row_remove(grants, &delta->step, principal, object, sizeof grant, offset);
}
