/*
 * What every operation needs. This is the contract (guildfs-permissions(7)), and there is no
 * second copy of it in the program.
 */
#include "guildfs/op.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    V = GFS_VIEW,
    L = GFS_DOWNLOAD,
    U = GFS_UPLOAD,
    R = GFS_RENAME,
    D = GFS_DELETE,
    M = GFS_MAKE_FOLDER,
    NOBODY = GFS_NOBODY,
};

enum flag { OVERWRITES = 1, CHANGES = 2, GROWS = 4, SIGHT = 8 };

static inline struct gfs_rule rule(int existing, int pending_file, int pending_folder, int denied, int flags) {
    return (struct gfs_rule){
        .existing = (gfs_perms)existing,
        .pending_file = (gfs_perms)pending_file,
        .pending_folder = (gfs_perms)pending_folder,
        .denied = denied,
        .overwrites = flags & OVERWRITES,
        .changes = flags & CHANGES,
        .grows = flags & GROWS,
        .sight = flags & SIGHT,
    };
}

/*
 * A switch without a default: the compiler names an operation that has no row. (In an array it
 * would silently be all zero, which is "needs nothing".) The function ends in a rule that no
 * authorization can satisfy.
 *
 * Where an operation does not apply to a kind of item (rmdir of a file, truncate of a folder),
 * pending makes no difference, and the column repeats what an existing item needs.
 */
struct gfs_rule gfs_op_rule(enum gfs_op op) {
    /* clang-format off */
    switch (op) {
                                  /*      existing item   own pending     own pending     denied  flags
                                          or folder       file            empty folder                            */
    case GFS_OP_STAT:             return rule(V,          U,              M,              ENOENT, SIGHT);
    case GFS_OP_LIST:             return rule(V,          V,              M,              ENOENT, SIGHT);
    case GFS_OP_READLINK:         return rule(V,          U,              V,              ENOENT, SIGHT);
    case GFS_OP_LISTXATTR:        return rule(V,          U,              M,              ENOENT, SIGHT);
    case GFS_OP_STATFS:           return rule(V,          V,              V,              ENOENT, 0);

    case GFS_OP_OPEN_READ:        return rule(L,          L,              L,              EACCES, 0);
    case GFS_OP_GETXATTR:         return rule(L,          L,              L,              EACCES, 0);

    case GFS_OP_OPEN_WRITE:       return rule(U | D,      U,              U | D,          EACCES, OVERWRITES | CHANGES);
    case GFS_OP_OPEN_READ_WRITE:  return rule(L | U | D,  L | U,          L | U | D,      EACCES, OVERWRITES | CHANGES);
    case GFS_OP_TRUNCATE:         return rule(U | D,      U,              U | D,          EACCES, OVERWRITES | CHANGES);
    case GFS_OP_FALLOCATE:        return rule(U | D,      U,              U | D,          EACCES, OVERWRITES | CHANGES | GROWS);
    case GFS_OP_SETXATTR:         return rule(U | D,      U,              M,              EACCES, OVERWRITES | CHANGES);
    case GFS_OP_REMOVEXATTR:      return rule(U | D,      U,              M,              EACCES, OVERWRITES | CHANGES);
    case GFS_OP_CHMOD:            return rule(U | D,      U,              M,              EACCES, OVERWRITES | CHANGES);
    case GFS_OP_UTIMENS:          return rule(U | D,      U,              M,              EACCES, OVERWRITES | CHANGES);

    case GFS_OP_CREATE:           return rule(U,          U,              U,              EACCES, CHANGES | GROWS);
    case GFS_OP_TMPFILE:          return rule(U,          U,              U,              EACCES, CHANGES | GROWS);
    case GFS_OP_SYMLINK:          return rule(U,          U,              U,              EACCES, CHANGES | GROWS);
    case GFS_OP_MKDIR:            return rule(M,          M,              M,              EACCES, CHANGES | GROWS);

    case GFS_OP_UNLINK:           return rule(D,          U,              D,              EACCES, CHANGES);
    case GFS_OP_RMDIR:            return rule(D,          D,              M,              EACCES, CHANGES);

    case GFS_OP_RENAME:           return rule(R,          U,              M,              EACCES, CHANGES);
    case GFS_OP_MOVE_OUT:         return rule(D,          U,              M,              EACCES, CHANGES);
    case GFS_OP_MOVE_IN_FILE:     return rule(U,          U,              U,              EACCES, CHANGES);
    case GFS_OP_MOVE_IN_FOLDER:   return rule(M | U,      M | U,          M | U,          EACCES, CHANGES);
    case GFS_OP_REPLACE:          return rule(U | D,      U,              M,              EACCES, CHANGES);
    case GFS_OP_SAVE:             return rule(U | D,      U,              U | D,          EACCES, OVERWRITES | CHANGES);
    case GFS_OP_EXCHANGE:         return rule(R | U | D,  R | U | D,      R | U | D,      EACCES, CHANGES);
    case GFS_OP_LINK:             return rule(U | D | L,  U | D | L,      U | D | L,      EPERM,  CHANGES);

    case GFS_OP_LOCK_SHARED:      return rule(L,          L,              L,              EACCES, 0);
    case GFS_OP_LOCK_EXCLUSIVE:   return rule(U | D,      U,              U | D,          EACCES, OVERWRITES);

    case GFS_OP_CHOWN:            return rule(NOBODY,     NOBODY,         NOBODY,         EPERM,  CHANGES);
    case GFS_OP_MKNOD:            return rule(NOBODY,     NOBODY,         NOBODY,         EPERM,  CHANGES);
    case GFS_OP_COUNT:            break;
    }
    /* clang-format on */
    return rule(NOBODY, NOBODY, NOBODY, EPERM, CHANGES);
}

const char *gfs_op_name(enum gfs_op op) {
    /* clang-format off */
    switch (op) {
    case GFS_OP_STAT:             return "stat";
    case GFS_OP_LIST:             return "list";
    case GFS_OP_READLINK:         return "readlink";
    case GFS_OP_LISTXATTR:        return "listxattr";
    case GFS_OP_STATFS:           return "statfs";
    case GFS_OP_OPEN_READ:        return "open-read";
    case GFS_OP_GETXATTR:         return "getxattr";
    case GFS_OP_OPEN_WRITE:       return "open-write";
    case GFS_OP_OPEN_READ_WRITE:  return "open-read-write";
    case GFS_OP_TRUNCATE:         return "truncate";
    case GFS_OP_FALLOCATE:        return "fallocate";
    case GFS_OP_SETXATTR:         return "setxattr";
    case GFS_OP_REMOVEXATTR:      return "removexattr";
    case GFS_OP_CHMOD:            return "chmod";
    case GFS_OP_UTIMENS:          return "utimens";
    case GFS_OP_CREATE:           return "create";
    case GFS_OP_TMPFILE:          return "tmpfile";
    case GFS_OP_SYMLINK:          return "symlink";
    case GFS_OP_MKDIR:            return "mkdir";
    case GFS_OP_UNLINK:           return "unlink";
    case GFS_OP_RMDIR:            return "rmdir";
    case GFS_OP_RENAME:           return "rename";
    case GFS_OP_MOVE_OUT:         return "move-out";
    case GFS_OP_MOVE_IN_FILE:     return "move-in-file";
    case GFS_OP_MOVE_IN_FOLDER:   return "move-in-folder";
    case GFS_OP_REPLACE:          return "replace";
    case GFS_OP_SAVE:             return "save";
    case GFS_OP_EXCHANGE:         return "exchange";
    case GFS_OP_LINK:             return "link";
    case GFS_OP_LOCK_SHARED:      return "lock-shared";
    case GFS_OP_LOCK_EXCLUSIVE:   return "lock-exclusive";
    case GFS_OP_CHOWN:            return "chown";
    case GFS_OP_MKNOD:            return "mknod";
    case GFS_OP_COUNT:            break;
    }
    /* clang-format on */
    return NULL;
}

int gfs_op_parse(const char *name, enum gfs_op *out, struct gfs_error *err) {
    char names[512] = "";
    size_t used = 0;

    for (enum gfs_op op = 0; op < GFS_OP_COUNT; op++) {
        const char *candidate = gfs_op_name(op);
        if (name && candidate && strcmp(name, candidate) == 0) {
            *out = op;
            return 0;
        }
        if (used < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "", candidate);
    }
    return gfs_error_set(err, EINVAL, "\"%s\" is no operation: use one of %s", name ? name : "", names);
}
