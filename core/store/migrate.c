#include "core/store/migrate.h"

#include "core/store/schema.h"

const struct gfs_migration gfs_migrations[] = {
    {1, gfs_schema_sql, "PRAGMA user_version = 1"},
};
const size_t gfs_migration_count = sizeof gfs_migrations / sizeof gfs_migrations[0];

int gfs_schema_version(void) {
    return gfs_migrations[gfs_migration_count - 1].version;
}

static int read_number(struct gfs_store *store, const char *sql, int64_t *out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, sql, err);
    int rc = gfs_statement_step(&statement);
    if (rc == 1)
        *out = gfs_column_int(&statement);
    return rc < 0 ? rc : 0;
}

int gfs_schema_read(struct gfs_store *store, int *version, int64_t *application_id, struct gfs_error *err) {
    int64_t application = 0, user = 0;
    int rc = read_number(store, "PRAGMA application_id", &application, err);

    if (rc == 0)
        rc = read_number(store, "PRAGMA user_version", &user, err);
    if (rc < 0)
        return rc;
    *version = (int)user;
    *application_id = application;
    return 0;
}

static int run_steps(struct gfs_store *store, const struct gfs_migration *steps, size_t count, struct gfs_error *err) {
    int version = 0;
    int64_t application = 0;
    /* Read under the write lock: another process may have done it meanwhile. */
    int rc = gfs_schema_read(store, &version, &application, err);

    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (steps[i].version <= version)
            continue;
        rc = gfs_db_exec(store, steps[i].sql, err);
        if (rc == 0)
            rc = gfs_db_exec(store, steps[i].set_version, err);
    }
    return rc;
}

int gfs_migrate(struct gfs_store *store, const struct gfs_migration *steps, size_t count, struct gfs_error *err) {
    int rc = gfs_db_exec(store, "BEGIN IMMEDIATE", err);

    if (rc < 0)
        return rc;
    rc = run_steps(store, steps, count, err);
    if (rc == 0)
        rc = gfs_db_exec(store, "COMMIT", err);
    if (rc < 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}
