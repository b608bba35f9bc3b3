#include "core/store/share.h"

#include <errno.h>
#include <string.h>

#include "core/store/node.h"
#include "core/store/organization.h"
#include "core/store/share_record.h"
#include "core/store/transaction.h"
#include "core/store/words.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

#define DEFAULT_GRACE_NS (3600 * GFS_NS_PER_S)

struct gfs_share_record gfs_share_record_default(const char *name, enum gfs_kind kind) {
    bool fast = kind == GFS_KIND_VOLUME || kind == GFS_KIND_IMAGE;

    return (struct gfs_share_record){.organization = GFS_DEFAULT_ORGANIZATION,
                                     .node = GFS_DEFAULT_NODE,
                                     .name = name,
                                     .kind = kind,
                                     .grace_ns = DEFAULT_GRACE_NS,
                                     .data_mode = fast ? GFS_DATA_FAST : GFS_DATA_REVOCABLE};
}

/* The share whose directory is exactly this; 0: none. */
static int find_directory(struct gfs_store *store, gfs_id node, const char *path, gfs_id *out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, "SELECT id FROM shares WHERE node_id = ?1 AND path = ?2", err);
    gfs_bind_int(&statement, node);
    gfs_bind_text(&statement, path);
    int rc = gfs_statement_step(&statement);
    if (rc >= 0)
        *out = rc == 1 ? gfs_column_id(&statement) : 0;
    return rc < 0 ? rc : 0;
}

/*
 * The nearest share around the directory has to be the parent: else its authorizations would reach
 * a place that they were not given for. The schema checks the other direction, and cannot walk up.
 */
static int check_around(struct gfs_store *store, const struct gfs_share_record *share, const char *path,
                        struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) char *above = strdup(path);
    gfs_id around = 0;
    char *slash;

    if (!above)
        return gfs_error_set(err, ENOMEM, "no memory is left to add a share");
    while (around == 0 && (slash = strrchr(above, '/'))) {
        *slash = '\0';
        int rc = find_directory(store, share->node, above, &around, err);
        if (rc < 0)
            return rc;
    }
    if (around != 0 && around != share->parent)
        return gfs_error_set(err, EINVAL,
                             "the directory \"%s\" lies in the share whose directory is \"%s\": nest it in that "
                             "share, or choose another directory",
                             path, above);
    return 0;
}

static int check(const struct gfs_share_record *share, struct gfs_error *err) {
    int rc = gfs_name_check("share name", share->name, err);

    if (rc == 0 && share->grace_ns < 0)
        rc = gfs_error_set(err, EINVAL, "the grace of share \"%s\" cannot be negative", share->name);
    if (rc == 0 && share->quota_bytes < 0)
        rc = gfs_error_set(err, EINVAL, "the quota of share \"%s\" cannot be negative", share->name);
    if (rc == 0 && share->kind == GFS_KIND_CAPSULE && share->owner == 0)
        rc = gfs_error_set(err, EINVAL, "the capsule \"%s\" needs an owner", share->name);
    return rc;
}

int gfs_store_share_add(struct gfs_tx *tx, const struct gfs_share_record *share, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    char uuid[GFS_UUID_SIZE];
    int rc = check(share, err);

    if (rc == 0)
        rc = gfs_store_uuid(uuid, err);
    if (rc < 0)
        return rc;
    const char *path = share->path ? share->path : uuid;
    rc = check_around(tx->store, share, path, err);
    if (rc < 0)
        return rc;
    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO shares (organization_id, group_id, project_id, owner_id, name, title, description, state, "
        "grace_ns, overwrite, quota_bytes, data_mode, audit, bin_days, purge_days, on_revoke, discoverable, "
        "published_ns, published_by, work_status, copied_from, permanent, created_by, uuid, parent_id, "
        "node_id, path, kind, created_ns, updated_ns, archived_ns) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, "
        "?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?29, iif(?8 = 'archived', ?29, NULL))",
        err);
    gfs_share_bind(&statement, share);
    gfs_bind_text(&statement, uuid);
    gfs_bind_id(&statement, share->parent);
    gfs_bind_int(&statement, share->node);
    gfs_bind_text(&statement, path);
    gfs_bind_word(&statement, &gfs_kind_words, (int)share->kind);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_run(&statement);
    if (rc == 0)
        *id = gfs_tx_added(tx);
    return rc;
}

int gfs_store_share_update(struct gfs_tx *tx, const struct gfs_share_record *share, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    int rc = check(share, err);

    if (rc < 0)
        return rc;
    /* On the right of a SET stands the row as it was. */
    gfs_statement_open(
        &statement, tx->store,
        "UPDATE shares SET organization_id = ?1, group_id = ?2, project_id = ?3, owner_id = ?4, name = ?5, "
        "title = ?6, description = ?7, state = ?8, grace_ns = ?9, overwrite = ?10, quota_bytes = ?11, "
        "data_mode = ?12, audit = ?13, bin_days = ?14, purge_days = ?15, on_revoke = ?16, "
        "discoverable = ?17, published_ns = ?18, published_by = ?19, work_status = ?20, copied_from = ?21, "
        "permanent = ?22, created_by = ?23, updated_ns = ?25, "
        "archived_ns = iif(?8 = 'archived' AND state = 'active', ?25, archived_ns), "
        "unarchived_ns = iif(?8 = 'active' AND state = 'archived', ?25, unarchived_ns) WHERE id = ?24",
        err);
    gfs_share_bind(&statement, share);
    gfs_bind_int(&statement, share->id);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_change(&statement, "there is no share \"%s\"", share->name);
    return rc;
}

int gfs_store_share_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "DELETE FROM shares WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_change(&statement, "there is no share with id %lld", (long long)id);
}
