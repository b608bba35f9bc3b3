#include "core/store/share_record.h"

int gfs_store_share_load_id(struct gfs_store *store, gfs_id id, struct gfs_share_record **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, GFS_SELECT_SHARE "WHERE s.id = ?2", err);
    gfs_bind_text(&statement, store->path);
    gfs_bind_int(&statement, id);
    return gfs_statement_load(&statement, &gfs_share_type, out, "there is no share with id %lld", (long long)id);
}

int gfs_store_share_list(struct gfs_store *store, const struct gfs_share_filter *filter,
                         int (*each)(void *context, const struct gfs_share_record *share), void *context,
                         struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store,
                       GFS_SELECT_SHARE
                       "WHERE (?2 IS NULL OR s.organization_id = ?2) AND (?3 IS NULL OR s.group_id = ?3) "
                       "AND (?4 IS NULL OR s.project_id = ?4) AND (?5 IS NULL OR s.parent_id = ?5) "
                       "AND (?6 IS NULL OR s.owner_id = ?6) AND (?7 IS NULL OR s.node_id = ?7) "
                       "ORDER BY g.name, s.kind, s.name, s.id",
                       err);
    gfs_bind_text(&statement, store->path);
    gfs_bind_id(&statement, filter->organization);
    gfs_bind_id(&statement, filter->group);
    gfs_bind_id(&statement, filter->project);
    gfs_bind_id(&statement, filter->parent);
    gfs_bind_id(&statement, filter->owner);
    gfs_bind_id(&statement, filter->node);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_share_record share = {0};
        gfs_share_type.read(&statement, &share);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &share);
        if (rc != 0)
            return rc;
    }
    return rc;
}
