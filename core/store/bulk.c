#include "core/store/bulk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/store/transaction.h"

/* Runs a constant statement with up to three numbers. */
static int run(struct gfs_tx *tx, const char *sql, int64_t first, int64_t second, int64_t third,
               struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, sql, err);
    const int64_t numbers[] = {first, second, third};
    if (statement.rc < 0)
        return statement.rc;
    int count = sqlite3_bind_parameter_count(statement.sql);
    for (int i = 0; i < count; i++)
        gfs_bind_int(&statement, numbers[i]);
    return gfs_statement_run(&statement);
}

/* A UUID of version 7 with the time ?, made of the kind of thing and its number. */
#define UUID(kind, number) "printf('019a0000-%04x-7000-8" kind "-%012x', " number " / 65536, " number ")"

static int fill_people(struct gfs_tx *tx, unsigned users, unsigned groups, struct gfs_error *err) {
    int rc = run(tx,
                 "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
                 "INSERT INTO users (uuid, name, uid, gid, created_ns, updated_ns) "
                 "SELECT " UUID("001", "i") ", 'user-' || i, 99999 + i, 99999 + i, ?2, ?2 FROM n",
                 users, tx->now_ns, 0, err);
    if (rc == 0)
        rc = run(tx,
                 "INSERT INTO organization_members (organization_id, user_id, created_ns) SELECT 1, id, ?1 FROM users",
                 tx->now_ns, 0, 0, err);
    if (rc == 0)
        rc = run(tx,
                 "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
                 "INSERT INTO groups (uuid, organization_id, name, created_ns, updated_ns) "
                 "SELECT " UUID("002", "i") ", 1, 'group-' || i, ?2, ?2 FROM n",
                 groups, tx->now_ns, 0, err);
    if (rc == 0) /* sorted by group, so that the table grows at its end */
        rc = run(tx,
                 "INSERT OR IGNORE INTO memberships (group_id, user_id, role, status, created_ns, updated_ns) "
                 "SELECT 1 + (u.id * 7 + k.step * u.id + k.step * k.step * 31) % ?1 AS g, u.id, "
                 "iif(u.id % 50 = 0, 'admin', 'member'), 'accepted', ?2, ?2 "
                 "FROM users u JOIN (SELECT 0 AS step UNION SELECT 1 UNION SELECT 2) k ORDER BY g, u.id",
                 groups, tx->now_ns, 0, err);
    return rc;
}

static int fill_things(struct gfs_tx *tx, unsigned users, unsigned groups, unsigned grants, struct gfs_error *err) {
    int rc =
        run(tx,
            "INSERT INTO shares (uuid, organization_id, group_id, owner_id, node_id, path, name, kind, created_ns, "
            "updated_ns) SELECT " UUID("003", "id") ", 1, id, 1 + (id * 13) % ?1, 1, 'share-' || id, 'share-' || id, "
                                                    "'files', ?2, ?2 FROM groups",
            users, tx->now_ns, 0, err);
    /* Authorization i is on share i % shares; its subject is number i / shares there, groups before users:
     * so no pair comes twice, and a share's subjects are spread over all. */
    if (rc == 0)
        rc = run(tx,
                 "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?3) "
                 "INSERT INTO grants (subject_kind, subject_id, object_kind, object_id, perms, created_ns, updated_ns) "
                 "SELECT iif(i / ?2 = 0, 1, 0), iif(i / ?2 = 0, 1 + i % ?2, 1 + (i % ?2 * 101 + i / ?2 - 1) % ?1), 0, "
                 "1 + i % ?2, "
                 "1 + (i * 37) % 63, 1, 1 FROM n",
                 users, groups, grants, err);
    return rc;
}

/* A million rows of feed would be written only to be replaced by one: they are not written. */
static int fill_unfed(struct gfs_tx *tx, unsigned users, unsigned groups, unsigned grants, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "SELECT sql FROM sqlite_schema WHERE name = 'feed_next'", err);
    int rc = gfs_statement_step(&statement);
    if (rc <= 0)
        return rc;
    char *sql GFS_CLEANUP(gfs_record_freep) = strdup(gfs_column_need(&statement));
    gfs_statement_close(&statement);
    if (!sql)
        return gfs_error_set(err, ENOMEM, "no memory is left to fill the store");
    rc = gfs_db_exec(tx->store,
                     "DROP TRIGGER feed_next; CREATE TRIGGER feed_next INSTEAD OF INSERT ON feed BEGIN SELECT 1; END",
                     err);
    if (rc == 0)
        rc = fill_people(tx, users, groups, err);
    if (rc == 0)
        rc = fill_things(tx, users, groups, grants, err);
    if (rc == 0)
        rc = gfs_db_exec(tx->store, "DROP TRIGGER feed_next", err);
    if (rc == 0)
        rc = gfs_db_exec(tx->store, sql, err);
    return rc < 0 ? rc : gfs_tx_change(tx, "everything", 0, GFS_CHANGE_UPDATED, err);
}

int gfs_store_bulk_fill(struct gfs_store *store, unsigned users, unsigned groups, unsigned grants,
                        struct gfs_error *err) {
    GFS_CLEANUP(gfs_tx_endp) struct gfs_tx *tx = NULL;
    const struct gfs_audit_entry entry = {.actor_name = "system", .action = "store.fill"};

    if (users == 0 || groups == 0 || grants == 0 || (uint64_t)grants > (uint64_t)groups * (users + 1ULL))
        return gfs_error_set(err, EINVAL,
                             "a made-up store needs users, groups and authorizations, of these at most "
                             "groups * (users + 1)");
    int rc =
        gfs_db_exec(store, "PRAGMA cache_size = -131072", err); /* KiB: all of it stays in memory until the commit */
    if (rc == 0)
        rc = gfs_tx_begin(store, &tx, err);
    if (rc == 0)
        rc = fill_unfed(tx, users, groups, grants, err);
    if (rc == 0)
        rc = gfs_tx_audit(tx, &entry, err);
    return rc < 0 ? rc : gfs_tx_commit(tx, err);
}
