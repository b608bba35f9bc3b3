/* Groups. */
#include "core/store/group.h"

#include "core/admin/change.h"
#include "core/store/organization.h"
#include "guildfs/name.h"

/* The store says what is taken; this says whose. */
static int add_row(struct gfs_tx *tx, const struct gfs_group_record *group, gfs_id *id, struct gfs_error *err) {
    int rc = gfs_store_group_add(tx, group, id, err);
    return rc < 0 && err ? gfs_error_prefix(err, "group \"%s\"", group->name) : rc;
}

int gfs_admin_group_add(struct gfs_store *store, const struct gfs_actor *actor, const char *name,
                        struct gfs_error *err) {
    const struct gfs_group_record group = {.organization = GFS_DEFAULT_ORGANIZATION, .name = name};
    struct gfs_admin_change change;
    gfs_id id = 0;
    int rc = gfs_name_check("group name", name, err);
    if (rc < 0)
        return rc;
    rc = gfs_change_begin(store, actor, &change, err);
    if (rc == 0)
        rc = add_row(change.tx, &group, &id, err);
    if (rc == 0)
        rc = gfs_change_audit(&change, "group.add", "group", id, name, NULL,
                              json_pack("{s:o}", "name", gfs_audit_text(name)), err);
    return gfs_change_end(&change, rc, err);
}

int gfs_admin_group_load(struct gfs_store *store, const struct gfs_actor *actor, const char *name,
                         struct gfs_group_record **out, struct gfs_error *err) {
    int rc = gfs_may_administer(store, actor, NULL, err);
    return rc == 0 ? gfs_store_group_load(store, name, out, err) : rc;
}

int gfs_admin_group_each(struct gfs_store *store, const struct gfs_actor *actor,
                         int (*each)(void *context, const struct gfs_group_record *group), void *context,
                         struct gfs_error *err) {
    int rc = gfs_may_administer(store, actor, NULL, err);
    return rc == 0 ? gfs_store_group_list(store, each, context, err) : rc;
}
