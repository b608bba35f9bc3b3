/*
 * Making a store. The database is made under another name and renamed when it is complete, so that
 * a store either is there or is not, wherever the machine stops.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/store/migrate.h"
#include "guildfs/uuid.h"

#define NEW_FILE GFS_STORE_FILE ".new"

static int fail(struct gfs_error *err, int code, const char *what, const char *directory) {
    const char *advice = code == EACCES || code == EPERM ? ": run this as root, or choose another directory" : "";

    return gfs_error_set(err, code, "cannot %s \"%s\": %s%s", what, directory, strerror(code), advice);
}

/* What was made so far, to take it back. */
struct building {
    const char *directory; /* as given */
    char *path;            /* absolute */
    int fd;                /* of the directory */
    mode_t old_mode;
    bool made_directory, changed_mode, made_data, made_file, done;
};

static void take_back(struct building *building) {
    static const char *const files[] = {NEW_FILE, NEW_FILE "-journal", NEW_FILE "-wal", NEW_FILE "-shm"};

    if (building->fd >= 0 && !building->done) {
        for (size_t i = 0; building->made_file && i < sizeof files / sizeof files[0]; i++)
            unlinkat(building->fd, files[i], 0);
        if (building->made_data)
            unlinkat(building->fd, GFS_STORE_DEFAULT_NODE, AT_REMOVEDIR);
        if (building->changed_mode)
            fchmod(building->fd, building->old_mode);
    }
    if (building->fd >= 0)
        close(building->fd);
    if (building->made_directory && !building->done)
        rmdir(building->directory);
    free(building->path);
}

static int check_empty(struct building *building, struct gfs_error *err) {
    int rc = 0;
    int fd = openat(building->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);

    if (!entries) {
        rc = fail(err, errno, "read the directory", building->directory);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    if (faccessat(building->fd, GFS_STORE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        rc = gfs_error_set(err, EEXIST, "there is a store in \"%s\" already", building->directory);
    for (struct dirent *entry; rc == 0 && (entry = readdir(entries));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = gfs_error_set(err, ENOTEMPTY, "the directory \"%s\" is not empty: give an empty or a new one",
                               building->directory);
    closedir(entries);
    return rc;
}

static int make_directory(struct building *building, struct gfs_error *err) {
    struct stat status;

    building->made_directory = mkdir(building->directory, 0700) == 0;
    if (!building->made_directory && errno != EEXIST)
        return fail(err, errno, "make the directory", building->directory);
    building->fd = open(building->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (building->fd < 0 || fstat(building->fd, &status) < 0 || !(building->path = realpath(building->directory, NULL)))
        return fail(err, errno, "open the directory", building->directory);
    int rc = check_empty(building, err);
    if (rc < 0)
        return rc;
    building->old_mode = status.st_mode & 07777;
    if (fchmod(building->fd, 0700) < 0)
        return fail(err, errno, "close to others the directory", building->directory);
    building->changed_mode = true;
    return 0;
}

/* The files that SQLite puts beside the database take over its mode. */
static int make_contents(struct building *building, struct gfs_error *err) {
    building->made_data = mkdirat(building->fd, GFS_STORE_DEFAULT_NODE, 0700) == 0;
    if (!building->made_data || fchmodat(building->fd, GFS_STORE_DEFAULT_NODE, 0700, 0) < 0)
        return fail(err, errno, "make the directory " GFS_STORE_DEFAULT_NODE " in", building->directory);
    int fd = openat(building->fd, NEW_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    building->made_file = fd >= 0;
    if (fd < 0 || fchmod(fd, 0600) < 0) {
        int rc = fail(err, errno, "make the database in", building->directory);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    close(fd); /* before SQLite opens it: this would drop its locks */
    return 0;
}

static int add_first_organization(struct gfs_store *store, int64_t now, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    char uuid[GFS_UUID_SIZE];
    int rc = gfs_uuid_new(uuid);

    if (rc < 0)
        return fail(err, -rc, "make identifiers for", store->path);
    gfs_statement_open(&statement, store,
                       "INSERT INTO organizations (id, uuid, name, created_ns) VALUES (1, ?1, 'default', ?2)", err);
    gfs_bind_text(&statement, uuid);
    gfs_bind_int(&statement, now);
    return gfs_statement_run(&statement);
}

static int add_first_node(struct gfs_store *store, int64_t now, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    char uuid[GFS_UUID_SIZE];
    int rc = gfs_uuid_new(uuid);

    if (rc < 0)
        return fail(err, -rc, "make identifiers for", store->path);
    gfs_statement_open(&statement, store,
                       "INSERT INTO nodes (id, uuid, name, path, created_ns) VALUES (1, ?1, 'default', ?2, ?3)", err);
    gfs_bind_text(&statement, uuid);
    gfs_bind_text(&statement, GFS_STORE_DEFAULT_NODE);
    gfs_bind_int(&statement, now);
    return gfs_statement_run(&statement);
}

static int add_facts(struct gfs_store *store, int64_t now, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    char uuid[GFS_UUID_SIZE];
    int rc = gfs_uuid_new(uuid);

    if (rc < 0)
        return fail(err, -rc, "make identifiers for", store->path);
    gfs_statement_open(&statement, store, "INSERT INTO meta (key, value) VALUES ('uuid', ?1), ('created_ns', ?2)", err);
    gfs_bind_text(&statement, uuid);
    gfs_bind_int(&statement, now);
    return gfs_statement_run(&statement);
}

static int add_first_audit(struct gfs_store *store, int64_t now, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store,
                       "INSERT INTO audit (at_ns, generation, actor_name, action, object_kind, object_name) "
                       "VALUES (?1, 1, 'system', 'store.init', 'store', ?2)",
                       err);
    gfs_bind_int(&statement, now);
    gfs_bind_text(&statement, store->path);
    return gfs_statement_run(&statement);
}

static int fill(struct gfs_store *store, struct gfs_error *err) {
    int64_t now = gfs_now_ns();
    int rc = gfs_migrate(store, gfs_migrations, gfs_migration_count, err);

    if (rc == 0)
        rc = gfs_db_exec(store, "PRAGMA application_id = 0x47754673; BEGIN", err);
    if (rc == 0)
        rc = add_first_organization(store, now, err);
    if (rc == 0)
        rc = add_first_node(store, now, err);
    if (rc == 0)
        rc = add_facts(store, now, err);
    if (rc == 0)
        rc = add_first_audit(store, now, err);
    if (rc == 0) /* the generation last: what came before it is in no feed */
        rc = gfs_db_exec(store, "INSERT INTO generation VALUES (1, 1); COMMIT; PRAGMA journal_mode = WAL", err);
    return rc;
}

static int make_database(struct building *building, struct gfs_error *err) {
    char file[PATH_MAX + sizeof "/" NEW_FILE];
    struct gfs_store store = {.path = building->path, .mode = GFS_STORE_WRITE};

    snprintf(file, sizeof file, "%s/" NEW_FILE, building->path);
    int rc = gfs_db_open(file, building->path, SQLITE_OPEN_READWRITE, 0, &store.db, err);
    if (rc < 0)
        return rc;
    rc = fill(&store, err);
    /* Closing writes the log back into the file and removes it. */
    if (sqlite3_close(store.db) != SQLITE_OK && rc == 0)
        rc = gfs_error_set(err, EIO, "cannot close the new database in \"%s\"", building->directory);
    return rc;
}

int gfs_store_init(const char *directory, struct gfs_error *err) {
    GFS_CLEANUP(take_back) struct building building = {.directory = directory, .fd = -1};
    int rc = make_directory(&building, err);

    if (rc == 0)
        rc = make_contents(&building, err);
    if (rc == 0)
        rc = make_database(&building, err);
    if (rc < 0)
        return rc;
    if (renameat(building.fd, NEW_FILE, building.fd, GFS_STORE_FILE) < 0)
        return fail(err, errno, "name the database in", directory);
    building.done = true;
    if (fsync(building.fd) < 0)
        return fail(err, errno, "write to the disk the directory", directory);
    return 0;
}
