/* Shares. */
#include "core/store/share.h"

#include <stdio.h>
#include <string.h>

#include "core/admin/change.h"
#include "core/admin/folder.h"
#include "core/admin/place.h"
#include "core/store/group.h"
#include "core/store/user.h"
#include "guildfs/name.h"

static json_t *share_json(const struct gfs_share_record *share) {
    return json_pack("{s:o, s:s, s:o, s:s, s:b, s:I, s:I, s:s, s:s, s:s, s:I}", "name", gfs_audit_text(share->name),
                     "kind", gfs_kind_name(share->kind), "title", gfs_audit_text(share->title), "state",
                     share->state == GFS_SHARE_ARCHIVED ? "archived" : "active", "overwrite_upload",
                     (int)share->overwrite_upload, "grace_ns", (json_int_t)share->grace_ns, "quota_bytes",
                     (json_int_t)share->quota_bytes, "data", share->data_mode == GFS_DATA_FAST ? "fast" : "revocable",
                     "audit", gfs_share_audit_name(share->audit), "on_revoke",
                     share->on_revoke == GFS_REVOKE_KILL ? "kill" : "poison", "owner", (json_int_t)share->owner);
}

static int find_owner(struct gfs_store *store, const char *name, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    if (*name == '\0') {
        *id = 0;
        return 0;
    }
    int rc = gfs_store_user_load(store, name, &user, err);
    if (rc == 0)
        *id = user->id;
    return rc;
}

static int apply_options(struct gfs_store *store, const struct gfs_share_options *options,
                         struct gfs_share_record *share, struct gfs_error *err) {
    if (options->set & GFS_SET_OVERWRITE)
        share->overwrite_upload = options->overwrite_upload;
    if (options->set & GFS_SET_GRACE)
        share->grace_ns = options->grace_ns;
    if (options->set & GFS_SET_QUOTA)
        share->quota_bytes = options->quota_bytes;
    if (options->set & GFS_SET_STATE)
        share->state = options->state;
    if (options->set & GFS_SET_DATA)
        share->data_mode = options->data_mode;
    if (options->set & GFS_SET_AUDIT)
        share->audit = options->audit;
    if (options->set & GFS_SET_ON_REVOKE)
        share->on_revoke = options->on_revoke;
    if (options->set & GFS_SET_TITLE)
        share->title = *options->title ? options->title : NULL;
    return options->set & GFS_SET_OWNER ? find_owner(store, options->owner, &share->owner, err) : 0;
}

/* ---- a new share ---- */

static int find_group(struct gfs_store *store, const char *name, struct gfs_share_record *share,
                      struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *group = NULL;
    int rc = gfs_store_group_load(store, name, &group, err);
    if (rc == 0) {
        share->group = group->id;
        share->organization = group->organization;
    }
    return rc;
}

static int find_place(struct gfs_tx *tx, const struct gfs_new_share *wanted, struct gfs_share_record *share,
                      char **path_text, struct gfs_error *err) {
    if (wanted->directory)
        return gfs_place_of_directory(tx, wanted->directory, wanted->in, share, path_text, err);
    if (wanted->in)
        return gfs_place_in_share(tx, wanted->in, share, path_text, err);
    return gfs_place_on_node(tx, wanted->node, share, err);
}

/* The store says what is taken; this says whose. */
static int add_record(struct gfs_tx *tx, const struct gfs_share_record *share, gfs_id *id, struct gfs_error *err) {
    int rc = gfs_store_share_add(tx, share, id, err);
    return rc < 0 && err ? gfs_error_prefix(err, "share \"%s\"", share->name) : rc;
}

static int add_row(struct gfs_admin_change *change, const struct gfs_new_share *wanted, struct gfs_share_record **added,
                   struct gfs_error *err) {
    struct gfs_store *store = gfs_tx_store(change->tx);
    struct gfs_share_record share = gfs_share_record_default(wanted->name, wanted->kind);
    char *path_text = NULL;
    gfs_id id = 0;
    share.created_by = change->acting;
    int rc = wanted->group ? find_group(store, wanted->group, &share, err) : 0;
    if (rc == 0)
        rc = apply_options(store, &wanted->options, &share, err);
    if (rc == 0)
        rc = find_place(change->tx, wanted, &share, &path_text, err);
    if (rc == 0)
        rc = add_record(change->tx, &share, &id, err);
    free(path_text);
    return rc == 0 ? gfs_store_share_load_id(store, id, added, err) : rc;
}

/*
 * On a node a new share's directory is named by the share's UUID, which the store gives it. A
 * readable name would have to be moved, under open files, whenever the share or its group is
 * renamed or the share is given to another group, or it would go on to say what is no longer
 * true. Which directory belongs to which share `guildfs share list` says.
 */
int gfs_admin_share_add(struct gfs_store *store, const struct gfs_actor *actor, const struct gfs_new_share *wanted,
                        char uuid[static GFS_UUID_SIZE], struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    struct gfs_admin_change change;
    struct gfs_folder folder = {.parent_fd = -1};
    int rc = gfs_name_check("share name", wanted->name, err);
    if (rc < 0)
        return rc;
    rc = gfs_change_begin(store, actor, &change, err);
    if (rc == 0)
        rc = add_row(&change, wanted, &share, err);
    if (rc == 0 && !wanted->directory)
        rc = gfs_folder_make(share->node_path, share->path, wanted->in != NULL, &folder, err);
    if (rc == 0) {
        json_t *after = share_json(share);
        json_object_set_new(after, "path", gfs_audit_text(share->path));
        json_object_set_new(after, "node", gfs_audit_text(share->node_path));
        rc = gfs_change_audit(&change, wanted->directory ? "share.adopt" : "share.add", "share", share->id, share->name,
                              NULL, after, err);
    }
    rc = gfs_change_end(&change, rc, err);
    if (rc < 0)
        gfs_folder_drop(&folder);
    else
        gfs_folder_keep(&folder);
    if (rc == 0)
        snprintf(uuid, GFS_UUID_SIZE, "%s", share->uuid);
    return rc;
}

/* ---- an existing one ---- */

int gfs_admin_share_set(struct gfs_store *store, const struct gfs_actor *actor, const char *reference,
                        const struct gfs_share_options *options, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    struct gfs_admin_change change;
    int rc = gfs_change_begin(store, actor, &change, err);
    if (rc == 0)
        rc = gfs_store_share_load(store, reference, &share, err);
    if (rc < 0)
        return gfs_change_end(&change, rc, err);
    json_t *before = share_json(share);
    rc = apply_options(store, options, share, err);
    json_t *after = share_json(share);
    if (rc == 0 && json_equal(before, after)) {
        gfs_change_cancel(&change);
    } else {
        if (rc == 0)
            rc = gfs_store_share_update(change.tx, share, err);
        if (rc == 0)
            rc = gfs_change_audit(&change, "share.set", "share", share->id, share->name, json_incref(before),
                                  json_incref(after), err);
        rc = gfs_change_end(&change, rc, err);
    }
    json_decref(before);
    json_decref(after);
    return rc;
}

int gfs_admin_share_load(struct gfs_store *store, const struct gfs_actor *actor, const char *reference,
                         struct gfs_share_record **out, struct gfs_error *err) {
    int rc = gfs_may_administer(store, actor, NULL, err);
    return rc == 0 ? gfs_store_share_load(store, reference, out, err) : rc;
}

int gfs_admin_share_each(struct gfs_store *store, const struct gfs_actor *actor, const char *group_name,
                         int (*each)(void *context, const struct gfs_share_record *share), void *context,
                         struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *group = NULL;
    int rc = gfs_may_administer(store, actor, NULL, err);
    if (rc == 0 && group_name)
        rc = gfs_store_group_load(store, group_name, &group, err);
    if (rc < 0)
        return rc;
    const struct gfs_share_filter filter = {.group = group ? group->id : 0};
    return gfs_store_share_list(store, &filter, each, context, err);
}
