#include "core/store/team.h"
#include "core/store/transaction.h"

int gfs_store_team_member_add(struct gfs_tx *tx, const struct gfs_team_member_row *member, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store,
                       "INSERT INTO team_members (team_id, group_id, user_id, nested_id, created_ns) "
                       "VALUES (?1, ?2, ?3, ?4, ?5)",
                       err);
    gfs_bind_int(&statement, member->team);
    gfs_bind_id(&statement, member->group);
    gfs_bind_id(&statement, member->user);
    gfs_bind_id(&statement, member->nested);
    gfs_bind_int(&statement, tx->now_ns);
    return gfs_statement_run(&statement);
}

int gfs_store_team_member_remove(struct gfs_tx *tx, const struct gfs_team_member_row *member, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, tx->store,
        "DELETE FROM team_members WHERE team_id = ?1 AND group_id IS ?2 AND user_id IS ?3 AND nested_id IS ?4", err);
    gfs_bind_int(&statement, member->team);
    gfs_bind_id(&statement, member->group);
    gfs_bind_id(&statement, member->user);
    gfs_bind_id(&statement, member->nested);
    return gfs_statement_change(&statement, "it is not in the team");
}

int gfs_store_team_member_list(struct gfs_store *store, gfs_id team,
                               int (*each)(void *context, const struct gfs_team_member_row *member, const char *kind,
                                           const char *name),
                               void *context, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(
        &statement, store,
        "SELECT m.group_id, m.user_id, m.nested_id, "
        "CASE WHEN m.group_id IS NOT NULL THEN 'group' WHEN m.user_id IS NOT NULL THEN 'user' ELSE 'team' END "
        "AS kind, coalesce(g.name, u.name, n.name) AS name FROM team_members m "
        "LEFT JOIN groups g ON g.id = m.group_id LEFT JOIN users u ON u.id = m.user_id "
        "LEFT JOIN teams n ON n.id = m.nested_id WHERE m.team_id = ?1 ORDER BY kind, name",
        err);
    gfs_bind_int(&statement, team);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_team_member_row member = {.team = team};
        member.group = gfs_column_id(&statement);
        member.user = gfs_column_id(&statement);
        member.nested = gfs_column_id(&statement);
        const char *kind = gfs_column_need(&statement);
        const char *name = gfs_column_need(&statement);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &member, kind, name);
        if (rc != 0)
            return rc;
    }
    return rc;
}
