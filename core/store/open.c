#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/store/migrate.h"

static int fail_access(const char *directory, int code, enum gfs_store_mode mode, struct gfs_error *err) {
    const char *what = mode == GFS_STORE_WRITE ? "change" : "read";

    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return gfs_error_set(err, ENOENT, "there is no store in \"%s\": make one with: guildfs init %s", directory,
                             directory);
    case EACCES:
        return gfs_error_set(err, EACCES, "no permission to %s the store in \"%s\": run this as root", what, directory);
    case EROFS:
        return gfs_error_set(err, EROFS, "the store in \"%s\" lies on a read-only filesystem: mount it writable",
                             directory);
    default:
        return gfs_error_set(err, code, "cannot open the store in \"%s\": %s", directory, strerror(code));
    }
}

/*
 * Whether the file can be opened, asked without opening it: closing a descriptor would drop every
 * POSIX lock that this process holds on the file, those of its other connections included.
 */
static int check_file(const char *directory, const char *file, enum gfs_store_mode mode, struct gfs_error *err) {
    struct stat status;

    if (lstat(file, &status) < 0)
        return fail_access(directory, errno, mode, err);
    if (!S_ISREG(status.st_mode))
        return gfs_error_set(err, EBADMSG, "\"%s\" is no regular file, so it is no Guildfs database", file);
    if (faccessat(AT_FDCWD, file, mode == GFS_STORE_WRITE ? R_OK | W_OK : R_OK, AT_EACCESS) < 0)
        return fail_access(directory, errno, mode, err);
    return 0;
}

static int open_file(struct gfs_store *store, const char *file, enum gfs_store_mode mode, int timeout_ms,
                     struct gfs_error *err) {
    int flags = mode == GFS_STORE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;

    store->mode = mode;
    return gfs_db_open(file, store->path, flags, timeout_ms, &store->db, err);
}

/* Whose database it is, and of which version. */
static int check_schema(struct gfs_store *store, int *version, struct gfs_error *err) {
    int64_t application = 0;
    int rc = gfs_schema_read(store, version, &application, err);

    if (rc < 0)
        return rc;
    if (application != GFS_STORE_APPLICATION_ID || *version < 1)
        return gfs_error_set(err, EBADMSG,
                             "\"%s/%s\" is not a Guildfs database: give the directory of a store, or restore "
                             "a backup",
                             store->path, GFS_STORE_FILE);
    if (*version > gfs_schema_version())
        return gfs_error_set(err, EPROTONOSUPPORT,
                             "the store in \"%s\" has schema %d, and this program knows %d: use a "
                             "newer guildfs",
                             store->path, *version, gfs_schema_version());
    return 0;
}

/* Brings an older store up to date, through a connection of its own. */
static int upgrade(const struct gfs_store *store, const char *file, int timeout_ms, struct gfs_error *err) {
    struct gfs_store writer = {.path = store->path};
    int rc = check_file(store->path, file, GFS_STORE_WRITE, err);

    if (rc == 0)
        rc = open_file(&writer, file, GFS_STORE_WRITE, timeout_ms, err);
    if (rc == 0)
        rc = gfs_migrate(&writer, gfs_migrations, gfs_migration_count, err);
    sqlite3_close(writer.db);
    return rc;
}

int gfs_store_open(const char *directory, enum gfs_store_mode mode, int timeout_ms, struct gfs_store **out,
                   struct gfs_error *err) {
    char file[PATH_MAX + sizeof "/" GFS_STORE_FILE];
    int version = 0;

    GFS_CLEANUP(gfs_store_closep) struct gfs_store *store = calloc(1, sizeof *store);
    if (!store)
        return gfs_error_set(err, ENOMEM, "no memory is left to open the store");
    store->path = realpath(directory, NULL);
    if (!store->path)
        return fail_access(directory, errno, mode, err);
    snprintf(file, sizeof file, "%s/" GFS_STORE_FILE, store->path);
    int rc = check_file(store->path, file, mode, err);
    if (rc == 0)
        rc = open_file(store, file, mode, timeout_ms, err);
    if (rc == 0)
        rc = check_schema(store, &version, err);
    if (rc == 0 && version < gfs_schema_version())
        rc = upgrade(store, file, timeout_ms, err);
    if (rc < 0)
        return rc;
    *out = store;
    store = NULL;
    return 0;
}

void gfs_store_close(struct gfs_store *store) {
    if (!store)
        return;
    /* _v2: should a statement still be open, the connection goes with it, instead of never. */
    sqlite3_close_v2(store->db);
    free(store->path);
    free(store);
}

const char *gfs_store_path(const struct gfs_store *store) {
    return store->path;
}

int gfs_store_generation(struct gfs_store *store, uint64_t *out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, "SELECT value FROM generation WHERE only_row = 1", err);
    int rc = gfs_statement_step(&statement);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return gfs_error_set(err, EBADMSG, "the store in \"%s\" has lost its generation: restore a backup",
                             store->path);
    *out = (uint64_t)gfs_column_int(&statement);
    return 0;
}
