/* SQLite's errors, as ours: an errno, and one line that says what to do. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store/db.h"

/* What is taken when a unique constraint fails, by the words of SQLite's message. */
static const struct {
    const char *constraint, *message;
} taken[] = {
    {"users.name", "a user with this name exists already: choose another name"},
    {"users.email", "another user has this e-mail address"},
    {"users.uid", "another user has this uid: a uid belongs to one user"},
    {"users.external_id", "another user has this external id"},
    {"organizations.name", "an organization with this name exists already: choose another name"},
    {"groups.name", "a group with this name exists already: choose another name"},
    {"groups.organization_id, groups.builtin", "the organization has this built-in group already"},
    {"groups.organization_id, groups.external_id", "another group has this external id"},
    {"teams.name", "a team with this name exists already: choose another name"},
    {"team_members", "it is in the team already"},
    {"nodes.name", "a node with this name exists already: choose another name"},
    {"nodes.path", "another node has this directory"},
    {"projects.name", "a project with this name exists already: choose another name"},
    {"project_groups", "the group is available to the project already"},
    {"shares.node_id, shares.path", "another share has this directory"},
    {"shares.group_id, shares.kind, shares.name", "the group has a share of this kind with this name already: choose "
                                                  "another name"},
    {"shares_of_owner", "the owner has a share of this kind with this name in no group already: choose another name"},
};

static int set_taken(struct gfs_error *err, const char *constraint) {
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strstr(constraint, taken[i].constraint))
            return gfs_error_set(err, EEXIST, "%s", taken[i].message);
    return gfs_error_set(err, EEXIST, "it exists already (%s)", constraint);
}

/* Messages of triggers begin with the name of an errno: see schema.sql. */
static int set_raised(struct gfs_error *err, const char *message) {
    static const struct {
        const char *word;
        int code;
    } codes[] = {{"EPERM ", EPERM}, {"EINVAL ", EINVAL}, {"EBUSY ", EBUSY}, {"ENOENT ", ENOENT}};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        size_t length = strlen(codes[i].word);
        if (strncmp(message, codes[i].word, length) == 0)
            return gfs_error_set(err, codes[i].code, "%s", message + length);
    }
    return gfs_error_set(err, EPERM, "%s", message);
}

static int set_constraint(struct gfs_error *err, int extended, const char *message) {
    switch (extended) {
    case SQLITE_CONSTRAINT_TRIGGER:
        return set_raised(err, message);
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return set_taken(err, message);
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return gfs_error_set(err, ENOENT, "what it refers to does not exist, or it is still referred to");
    default:
        return gfs_error_set(err, EINVAL, "the store does not take this value (%s)", message);
    }
}

static int set_system(struct gfs_error *err, int code, const char *directory, const char *what) {
    switch (code) {
    case ENOENT:
        return gfs_error_set(err, ENOENT, "there is no store in \"%s\": make one with: guildfs init %s", directory,
                             directory);
    case EACCES:
    case EPERM:
        return gfs_error_set(err, EACCES, "no permission to %s the store in \"%s\": run this as root", what, directory);
    case EROFS:
        return gfs_error_set(err, EROFS, "the store in \"%s\" lies on a read-only filesystem: mount it writable",
                             directory);
    case ENOSPC:
    case EDQUOT:
        return gfs_error_set(err, ENOSPC, "no space is left for the store in \"%s\": free some and try again",
                             directory);
    case EMFILE:
    case ENFILE:
        return gfs_error_set(
            err, code, "too many files are open to open the store in \"%s\": raise the limit (ulimit -n)", directory);
    default:
        return gfs_error_set(err, EIO, "cannot %s the store in \"%s\": %s: look at the disk and the system's log", what,
                             directory, strerror(code));
    }
}

int gfs_db_fail(sqlite3 *db, const char *directory, struct gfs_error *err) {
    int extended = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    int system = db ? sqlite3_system_errno(db) : 0;
    const char *message = db ? sqlite3_errmsg(db) : "";

    switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
        return set_constraint(err, extended, message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return gfs_error_set(
            err, EBUSY, "the store in \"%s\" is locked by another process: try again when that is done", directory);
    case SQLITE_NOTADB:
        return gfs_error_set(err, EBADMSG,
                             "\"%s/%s\" is not a Guildfs database: give the directory of a store, or restore a "
                             "backup",
                             directory, GFS_STORE_FILE);
    case SQLITE_CORRUPT:
        return gfs_error_set(err, EBADMSG,
                             "the database \"%s/%s\" is damaged: restore a backup, or recover it with sqlite3 "
                             "\".recover\"",
                             directory, GFS_STORE_FILE);
    case SQLITE_CANTOPEN:
        return set_system(err, system ? system : EIO, directory, "open");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return set_system(err, system == EROFS ? EROFS : EACCES, directory, "write to");
    case SQLITE_FULL:
        return set_system(err, ENOSPC, directory, "write to");
    case SQLITE_NOMEM:
        return gfs_error_set(err, ENOMEM, "no memory is left to work with the store in \"%s\"", directory);
    case SQLITE_IOERR:
        if (extended == SQLITE_IOERR_NOMEM)
            return gfs_error_set(err, ENOMEM, "no memory is left to work with the store in \"%s\"", directory);
        return set_system(err, system ? system : EIO, directory, "read or write");
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        return gfs_error_set(err, EINVAL, "the store does not take this value (%s)", message);
    default:
        return gfs_error_set(err, EIO, "the store in \"%s\" failed: %s", directory, message);
    }
}
