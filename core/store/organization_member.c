#include "core/store/organization.h"
#include "core/store/policy.h"
#include "core/store/transaction.h"

static const char *const statuses[] = {[false] = "inactive", [true] = "active"};
static const struct gfs_words status_words = {statuses, 2, "status of a member"};

#define SELECT_MEMBER                                                                                                  \
    "SELECT m.organization_id, m.user_id, m.admin, m.status, m.expires_ns, m.created_ns, o.name, u.name "              \
    "FROM organization_members m JOIN organizations o ON o.id = m.organization_id JOIN users u ON u.id = m.user_id "

static void read_member(struct gfs_statement *statement, void *record) {
    struct gfs_organization_member_record *member = record;

    member->organization = gfs_column_id(statement);
    member->user = gfs_column_id(statement);
    member->admin = gfs_column_int(statement) != 0;
    member->active = gfs_column_word(statement, &status_words) != 0;
    member->expires_ns = gfs_column_end(statement);
    member->created_ns = gfs_column_int(statement);
    member->organization_name = gfs_column_need(statement);
    member->user_name = gfs_column_need(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_organization_member_record, organization_name),
    offsetof(struct gfs_organization_member_record, user_name),
};
static const struct gfs_record_type type = {sizeof(struct gfs_organization_member_record), texts,
                                            sizeof texts / sizeof texts[0], read_member};

int gfs_store_organization_member_put(struct gfs_tx *tx, const struct gfs_organization_member_record *member,
                                      struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO organization_members (organization_id, user_id, admin, status, expires_ns, created_ns) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (organization_id, user_id) "
        "DO UPDATE SET admin = excluded.admin, status = excluded.status, expires_ns = excluded.expires_ns",
        err);
    gfs_bind_int(&statement, member->organization);
    gfs_bind_int(&statement, member->user);
    gfs_bind_int(&statement, member->admin);
    gfs_bind_word(&statement, &status_words, member->active);
    gfs_bind_end(&statement, member->expires_ns);
    gfs_bind_int(&statement, tx->now_ns);
    return gfs_statement_run(&statement);
}

int gfs_store_organization_member_remove(struct gfs_tx *tx, gfs_id organization, gfs_id user, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store,
                       "DELETE FROM organization_members WHERE organization_id = ?1 AND user_id = ?2", err);
    gfs_bind_int(&statement, organization);
    gfs_bind_int(&statement, user);
    return gfs_statement_change(&statement, "the user is no member of the organization");
}

static int set_admin(struct gfs_tx *tx, gfs_id organization, gfs_id user, bool admin, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store,
                       "UPDATE organization_members SET admin = ?3 WHERE organization_id = ?1 AND user_id = ?2", err);
    gfs_bind_int(&statement, organization);
    gfs_bind_int(&statement, user);
    gfs_bind_int(&statement, admin);
    return gfs_statement_change(&statement, "the user is no member of the organization");
}

/*
 * Between "at most one" and "at least one" there is no room to replace an admin in two steps, so
 * the first is lifted for the two, inside the transaction.
 */
int gfs_store_organization_admin_replace(struct gfs_tx *tx, gfs_id organization, gfs_id from, gfs_id to,
                                         struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_policy_record *policy = NULL;
    int rc = gfs_store_policy_load(tx->store, organization, &policy, err);

    if (rc < 0)
        return rc;
    int64_t max = policy->organization_admins_max;
    policy->organization_admins_max = 0;
    rc = gfs_store_policy_update(tx, policy, err);
    if (rc == 0)
        rc = set_admin(tx, organization, to, true, err);
    if (rc == 0)
        rc = set_admin(tx, organization, from, false, err);
    policy->organization_admins_max = max;
    if (rc == 0)
        rc = gfs_store_policy_update(tx, policy, err);
    return rc;
}

int gfs_store_organization_member_load(struct gfs_store *store, gfs_id organization, gfs_id user,
                                       struct gfs_organization_member_record **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_MEMBER "WHERE m.organization_id = ?1 AND m.user_id = ?2", err);
    gfs_bind_int(&statement, organization);
    gfs_bind_int(&statement, user);
    return gfs_statement_load(&statement, &type, out, "the user is no member of the organization");
}

int gfs_store_organization_member_list(struct gfs_store *store, gfs_id organization, gfs_id user,
                                       int (*each)(void *context, const struct gfs_organization_member_record *member),
                                       void *context, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store,
                       SELECT_MEMBER "WHERE (?1 IS NULL OR m.organization_id = ?1) AND (?2 IS NULL OR m.user_id = ?2) "
                                     "ORDER BY o.name, u.name",
                       err);
    gfs_bind_id(&statement, organization);
    gfs_bind_id(&statement, user);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_organization_member_record member;
        read_member(&statement, &member);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &member);
        if (rc != 0)
            return rc;
    }
    return rc;
}
