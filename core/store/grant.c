#include "core/store/grant.h"

#include "core/store/transaction.h"

/* Kinds are stored as the numbers of the enumerations: see the schema. */
#define SELECT_GRANT                                                                                                   \
    "SELECT a.id, a.subject_kind, a.subject_id, a.object_kind, a.object_id, a.perms, a.expires_ns, a.may_grant, "      \
    "a.granted_by, a.created_ns, a.updated_ns, coalesce(u.name, g.name, t.name, o.name) AS subject_name, "             \
    "coalesce(s.name, p.name) AS object_name FROM grants a "                                                           \
    "LEFT JOIN users u ON a.subject_kind = 0 AND u.id = a.subject_id "                                                 \
    "LEFT JOIN groups g ON a.subject_kind = 1 AND g.id = a.subject_id "                                                \
    "LEFT JOIN teams t ON a.subject_kind = 2 AND t.id = a.subject_id "                                                 \
    "LEFT JOIN organizations o ON a.subject_kind = 3 AND o.id = a.subject_id "                                         \
    "LEFT JOIN shares s ON a.object_kind = 0 AND s.id = a.object_id "                                                  \
    "LEFT JOIN projects p ON a.object_kind = 1 AND p.id = a.object_id "

static void read_grant(struct gfs_statement *statement, void *record) {
    struct gfs_grant_record *grant = record;

    grant->id = gfs_column_id(statement);
    grant->subject_kind = (enum gfs_subject_kind)gfs_column_int(statement);
    grant->subject = gfs_column_id(statement);
    grant->object_kind = (enum gfs_object_kind)gfs_column_int(statement);
    grant->object = gfs_column_id(statement);
    grant->perms = (gfs_perms)gfs_column_int(statement);
    grant->expires_ns = gfs_column_end(statement);
    grant->may_grant = gfs_column_int(statement) != 0;
    grant->granted_by = gfs_column_id(statement);
    grant->created_ns = gfs_column_int(statement);
    grant->updated_ns = gfs_column_int(statement);
    grant->subject_name = gfs_column_text(statement);
    grant->object_name = gfs_column_need(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_grant_record, subject_name),
    offsetof(struct gfs_grant_record, object_name),
};
static const struct gfs_record_type type = {sizeof(struct gfs_grant_record), texts, sizeof texts / sizeof texts[0],
                                            read_grant};

static void bind_key(struct gfs_statement *statement, const struct gfs_grant_record *key) {
    gfs_bind_int(statement, (int64_t)key->subject_kind);
    gfs_bind_int(statement, key->subject);
    gfs_bind_int(statement, (int64_t)key->object_kind);
    gfs_bind_int(statement, key->object);
}

int gfs_store_grant_put(struct gfs_tx *tx, const struct gfs_grant_record *grant, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO grants (subject_kind, subject_id, object_kind, object_id, perms, expires_ns, may_grant, "
        "granted_by, created_ns, updated_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9) "
        "ON CONFLICT (object_kind, object_id, subject_kind, subject_id) "
        "DO UPDATE SET perms = excluded.perms, expires_ns = excluded.expires_ns, "
        "may_grant = excluded.may_grant, granted_by = excluded.granted_by, updated_ns = excluded.updated_ns",
        err);
    bind_key(&statement, grant);
    gfs_bind_int(&statement, grant->perms);
    gfs_bind_end(&statement, grant->expires_ns);
    gfs_bind_int(&statement, grant->may_grant);
    gfs_bind_id(&statement, grant->granted_by);
    gfs_bind_int(&statement, tx->now_ns);
    return gfs_statement_run(&statement);
}

int gfs_store_grant_remove(struct gfs_tx *tx, const struct gfs_grant_record *grant, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, tx->store,
        "DELETE FROM grants WHERE subject_kind = ?1 AND subject_id = ?2 AND object_kind = ?3 AND object_id = ?4", err);
    bind_key(&statement, grant);
    return gfs_statement_change(&statement, "there is no such authorization");
}

int gfs_store_grant_load(struct gfs_store *store, const struct gfs_grant_record *key, struct gfs_grant_record **out,
                         struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store,
                       SELECT_GRANT "WHERE a.subject_kind = ?1 AND a.subject_id = ?2 AND a.object_kind = ?3 "
                                    "AND a.object_id = ?4",
                       err);
    bind_key(&statement, key);
    return gfs_statement_load(&statement, &type, out, "there is no such authorization");
}

static int hand_out(struct gfs_statement *statement, int (*each)(void *context, const struct gfs_grant_record *grant),
                    void *context) {
    int rc;

    while ((rc = gfs_statement_step(statement)) == 1) {
        struct gfs_grant_record grant;
        read_grant(statement, &grant);
        rc = gfs_statement_failed(statement);
        if (rc == 0)
            rc = each(context, &grant);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int gfs_store_grant_list_object(struct gfs_store *store, enum gfs_object_kind kind, gfs_id object,
                                int (*each)(void *context, const struct gfs_grant_record *grant), void *context,
                                struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, store,
        SELECT_GRANT "WHERE a.object_kind = ?1 AND a.object_id = ?2 ORDER BY a.subject_kind, subject_name", err);
    gfs_bind_int(&statement, (int64_t)kind);
    gfs_bind_int(&statement, object);
    return hand_out(&statement, each, context);
}

int gfs_store_grant_list_subject(struct gfs_store *store, enum gfs_subject_kind kind, gfs_id subject,
                                 int (*each)(void *context, const struct gfs_grant_record *grant), void *context,
                                 struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store,
                       SELECT_GRANT "WHERE a.subject_kind = ?1 AND a.subject_id = ?2 "
                                    "ORDER BY a.object_kind, object_name, a.object_id",
                       err);
    gfs_bind_int(&statement, (int64_t)kind);
    gfs_bind_int(&statement, subject);
    return hand_out(&statement, each, context);
}
