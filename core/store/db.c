#include "core/store/db.h"

#include <errno.h>

/*
 * Of the pragmas, only journal_mode is stored in the file (init.c sets it). There is no mmap_size:
 * an error of the disk would be a SIGBUS for the daemon instead of an error. quick_check at open
 * reads the whole file, so damage shows when a damaged page is read.
 */
static const char pragmas[] = "PRAGMA synchronous = FULL;"
                              "PRAGMA foreign_keys = ON;"
                              "PRAGMA recursive_triggers = OFF;" /* the triggers rely on it */
                              "PRAGMA trusted_schema = OFF;"
                              "PRAGMA cell_size_check = ON;"
                              "PRAGMA temp_store = MEMORY;";

static int configure(sqlite3 *db, int timeout_ms) {
    int on;

    sqlite3_extended_result_codes(db, 1);
    int rc = sqlite3_busy_timeout(db, timeout_ms);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, &on); /* "x" is a name, never a string */
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, &on);
    return rc == SQLITE_OK ? sqlite3_exec(db, pragmas, NULL, NULL, NULL) : rc;
}

int gfs_db_open(const char *file, const char *directory, int flags, int timeout_ms, sqlite3 **out,
                struct gfs_error *err) {
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(file, &db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);

    if (rc == SQLITE_OK)
        rc = configure(db, timeout_ms);
    if (rc != SQLITE_OK) {
        rc = gfs_db_fail(db, directory, err);
        sqlite3_close(db);
        return rc;
    }
    *out = db;
    return 0;
}

int gfs_db_exec(struct gfs_store *store, const char *sql, struct gfs_error *err) {
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return gfs_db_fail(store->db, store->path, err);
    return 0;
}
