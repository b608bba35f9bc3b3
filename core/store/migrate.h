/* Schema versions, and how an older store becomes a newer one. */
#ifndef GUILDFS_CORE_STORE_MIGRATE_H
#define GUILDFS_CORE_STORE_MIGRATE_H

#include "core/store/db.h"

/* From version - 1 to version. */
struct gfs_migration {
    int version;             /* as in PRAGMA user_version */
    const char *sql;         /* what is to be done */
    const char *set_version; /* "PRAGMA user_version = N" */
};

/* All of them, from an empty database on. */
extern const struct gfs_migration gfs_migrations[];
extern const size_t gfs_migration_count;

/* The schema that this program knows. */
int gfs_schema_version(void);

/* PRAGMA user_version and application_id of the open database. */
int gfs_schema_read(struct gfs_store *store, int *version, int64_t *application_id,
                    struct gfs_error *err) GFS_MUST_CHECK;

/* Runs the steps above the database's version, in one transaction; all or none. */
int gfs_migrate(struct gfs_store *store, const struct gfs_migration *steps, size_t count,
                struct gfs_error *err) GFS_MUST_CHECK;

#endif
