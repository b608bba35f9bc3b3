#include <errno.h>

#include "core/store/group.h"
#include "core/store/transaction.h"
#include "core/store/words.h"

#define SELECT_MEMBERSHIP                                                                                              \
    "SELECT m.group_id, m.user_id, m.role, m.status, m.expires_ns, m.invited_by, m.created_ns, m.updated_ns, g.name, " \
    "u.name, i.name FROM memberships m JOIN groups g ON g.id = m.group_id JOIN users u ON u.id = m.user_id "           \
    "LEFT JOIN users i ON i.id = m.invited_by "

static void read_membership(struct gfs_statement *statement, void *record) {
    struct gfs_membership_record *membership = record;

    membership->group = gfs_column_id(statement);
    membership->user = gfs_column_id(statement);
    membership->role = (enum gfs_role)gfs_column_word(statement, &gfs_role_words);
    membership->status = (enum gfs_membership_status)gfs_column_word(statement, &gfs_membership_status_words);
    membership->expires_ns = gfs_column_end(statement);
    membership->invited_by = gfs_column_id(statement);
    membership->created_ns = gfs_column_int(statement);
    membership->updated_ns = gfs_column_int(statement);
    membership->group_name = gfs_column_need(statement);
    membership->user_name = gfs_column_need(statement);
    membership->invited_by_name = gfs_column_text(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_membership_record, group_name),
    offsetof(struct gfs_membership_record, user_name),
    offsetof(struct gfs_membership_record, invited_by_name),
};
static const struct gfs_record_type type = {sizeof(struct gfs_membership_record), texts, sizeof texts / sizeof texts[0],
                                            read_membership};

/* The schema keeps the owner's membership in step with the group's owner. */
static int put_owner(struct gfs_tx *tx, const struct gfs_membership_record *membership, struct gfs_error *err) {
    if (membership->status != GFS_ACCEPTED || membership->expires_ns != GFS_NEVER)
        return gfs_error_set(err, EINVAL, "the owner of a group is an accepted member without an end");
    return gfs_store_group_set_owner(tx, membership->group, membership->user, err);
}

static int put_member(struct gfs_tx *tx, const struct gfs_membership_record *membership, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO memberships (group_id, user_id, role, status, expires_ns, invited_by, created_ns, "
        "updated_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (group_id, user_id) "
        "DO UPDATE SET role = excluded.role, status = excluded.status, expires_ns = excluded.expires_ns, "
        "invited_by = excluded.invited_by, updated_ns = excluded.updated_ns",
        err);
    gfs_bind_int(&statement, membership->group);
    gfs_bind_int(&statement, membership->user);
    gfs_bind_word(&statement, &gfs_role_words, (int)membership->role);
    gfs_bind_word(&statement, &gfs_membership_status_words, (int)membership->status);
    gfs_bind_end(&statement, membership->expires_ns);
    gfs_bind_id(&statement, membership->invited_by);
    gfs_bind_int(&statement, tx->now_ns);
    return gfs_statement_run(&statement);
}

int gfs_store_membership_put(struct gfs_tx *tx, const struct gfs_membership_record *membership, struct gfs_error *err) {
    int rc = membership->role == GFS_ROLE_OWNER ? put_owner(tx, membership, err) : put_member(tx, membership, err);

    return rc;
}

int gfs_store_membership_remove(struct gfs_tx *tx, gfs_id group, gfs_id user, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "DELETE FROM memberships WHERE group_id = ?1 AND user_id = ?2", err);
    gfs_bind_int(&statement, group);
    gfs_bind_int(&statement, user);
    return gfs_statement_change(&statement, "the user is no member of the group");
}

int gfs_store_membership_load(struct gfs_store *store, gfs_id group, gfs_id user, struct gfs_membership_record **out,
                              struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_MEMBERSHIP "WHERE m.group_id = ?1 AND m.user_id = ?2", err);
    gfs_bind_int(&statement, group);
    gfs_bind_int(&statement, user);
    return gfs_statement_load(&statement, &type, out, "the user is no member of the group");
}

int gfs_store_membership_list(struct gfs_store *store, gfs_id group, gfs_id user,
                              int (*each)(void *context, const struct gfs_membership_record *membership), void *context,
                              struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store,
                       SELECT_MEMBERSHIP "WHERE (?1 IS NULL OR m.group_id = ?1) AND (?2 IS NULL OR m.user_id = ?2) "
                                         "ORDER BY g.name, u.name",
                       err);
    gfs_bind_id(&statement, group);
    gfs_bind_id(&statement, user);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_membership_record membership;
        read_membership(&statement, &membership);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &membership);
        if (rc != 0)
            return rc;
    }
    return rc;
}
