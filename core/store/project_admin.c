#include <errno.h>

#include "core/store/project.h"
#include "core/store/transaction.h"

/* The two kinds of admins have a unique index each, so each has a statement of its own. */
static int put_user(struct gfs_tx *tx, const struct gfs_project_admin_record *admin, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO project_admins (project_id, user_id, see_all_users, see_all_nodes, granted_by, created_ns) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (user_id, project_id) WHERE user_id IS NOT NULL "
        "DO UPDATE SET see_all_users = excluded.see_all_users, see_all_nodes = excluded.see_all_nodes, "
        "granted_by = excluded.granted_by",
        err);
    gfs_bind_int(&statement, admin->project);
    gfs_bind_int(&statement, admin->user);
    gfs_bind_int(&statement, admin->see_all_users);
    gfs_bind_int(&statement, admin->see_all_nodes);
    gfs_bind_id(&statement, admin->granted_by);
    gfs_bind_int(&statement, tx->now_ns);
    return gfs_statement_run(&statement);
}

static int put_group(struct gfs_tx *tx, const struct gfs_project_admin_record *admin, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO project_admins (project_id, group_id, see_all_users, see_all_nodes, granted_by, created_ns) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (group_id, project_id) WHERE group_id IS NOT NULL "
        "DO UPDATE SET see_all_users = excluded.see_all_users, see_all_nodes = excluded.see_all_nodes, "
        "granted_by = excluded.granted_by",
        err);
    gfs_bind_int(&statement, admin->project);
    gfs_bind_int(&statement, admin->group);
    gfs_bind_int(&statement, admin->see_all_users);
    gfs_bind_int(&statement, admin->see_all_nodes);
    gfs_bind_id(&statement, admin->granted_by);
    gfs_bind_int(&statement, tx->now_ns);
    return gfs_statement_run(&statement);
}

int gfs_store_project_admin_put(struct gfs_tx *tx, const struct gfs_project_admin_record *admin,
                                struct gfs_error *err) {
    if ((admin->user == 0) == (admin->group == 0))
        return gfs_error_set(err, EINVAL, "an admin of a project is either a user or a group");
    int rc = admin->user ? put_user(tx, admin, err) : put_group(tx, admin, err);
    return rc < 0 ? rc : gfs_tx_change(tx, "project-admin", admin->project, GFS_CHANGE_UPDATED, err);
}

int gfs_store_project_admin_remove(struct gfs_tx *tx, const struct gfs_project_admin_record *admin,
                                   struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store,
                       "DELETE FROM project_admins WHERE project_id = ?1 AND user_id IS ?2 AND group_id IS ?3", err);
    gfs_bind_int(&statement, admin->project);
    gfs_bind_id(&statement, admin->user);
    gfs_bind_id(&statement, admin->group);
    int rc = gfs_statement_change(&statement, "that is no admin of the project");
    return rc < 0 ? rc : gfs_tx_change(tx, "project-admin", admin->project, GFS_CHANGE_REMOVED, err);
}

int gfs_store_project_admin_list(struct gfs_store *store, gfs_id project,
                                 int (*each)(void *context, const struct gfs_project_admin_record *admin),
                                 void *context, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(
        &statement, store,
        "SELECT a.user_id, a.group_id, a.see_all_users, a.see_all_nodes, a.granted_by, a.created_ns, "
        "coalesce(u.name, g.name) AS name FROM project_admins a LEFT JOIN users u ON u.id = a.user_id "
        "LEFT JOIN groups g ON g.id = a.group_id WHERE a.project_id = ?1 ORDER BY a.group_id IS NULL, name",
        err);
    gfs_bind_int(&statement, project);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_project_admin_record admin = {.project = project};
        admin.user = gfs_column_id(&statement);
        admin.group = gfs_column_id(&statement);
        admin.see_all_users = gfs_column_int(&statement) != 0;
        admin.see_all_nodes = gfs_column_int(&statement) != 0;
        admin.granted_by = gfs_column_id(&statement);
        admin.created_ns = gfs_column_int(&statement);
        admin.name = gfs_column_need(&statement);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &admin);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int gfs_store_project_group_add(struct gfs_tx *tx, gfs_id project, gfs_id group, gfs_id granted_by,
                                struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO project_groups (project_id, group_id, granted_by, created_ns) VALUES (?1, ?2, ?3, ?4)", err);
    gfs_bind_int(&statement, project);
    gfs_bind_int(&statement, group);
    gfs_bind_id(&statement, granted_by);
    gfs_bind_int(&statement, tx->now_ns);
    int rc = gfs_statement_run(&statement);
    return rc < 0 ? rc : gfs_tx_change(tx, "project-group", project, GFS_CHANGE_ADDED, err);
}

int gfs_store_project_group_remove(struct gfs_tx *tx, gfs_id project, gfs_id group, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "DELETE FROM project_groups WHERE project_id = ?1 AND group_id = ?2",
                       err);
    gfs_bind_int(&statement, project);
    gfs_bind_int(&statement, group);
    int rc = gfs_statement_change(&statement, "the group is not available to the project");
    return rc < 0 ? rc : gfs_tx_change(tx, "project-group", project, GFS_CHANGE_REMOVED, err);
}

int gfs_store_project_group_list(struct gfs_store *store, gfs_id project,
                                 int (*each)(void *context, gfs_id group, const char *name), void *context,
                                 struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store,
                       "SELECT a.group_id, g.name FROM project_groups a JOIN groups g ON g.id = a.group_id "
                       "WHERE a.project_id = ?1 ORDER BY g.name",
                       err);
    gfs_bind_int(&statement, project);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        gfs_id group = gfs_column_id(&statement);
        const char *name = gfs_column_need(&statement);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, group, name);
        if (rc != 0)
            return rc;
    }
    return rc;
}
