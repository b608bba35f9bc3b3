/*
 * The operations that the contract knows. What each needs stands in core/authz/op.c, and nowhere
 * else.
 *
 * An operation is judged on one object. For operations that add a name (create, symlink, tmpfile,
 * mkdir, move-in-*) the object is the folder that receives it; for all others it is the item
 * itself. A rename is judged as two or three operations: see gfs_op below.
 */
#ifndef GUILDFS_OP_H
#define GUILDFS_OP_H

#include "guildfs/permission.h"

enum gfs_op {
    /* seeing */
    GFS_OP_STAT,      /* stat: lookup, stat, an entry of a listing */
    GFS_OP_LIST,      /* list: opendir, readdir of the object (a folder) */
    GFS_OP_READLINK,  /* readlink */
    GFS_OP_LISTXATTR, /* listxattr */
    GFS_OP_STATFS,    /* statfs: of the object (a folder, or a file in it) */
    /* reading */
    GFS_OP_OPEN_READ, /* open-read: open to read, execute, map, copy from, seek, hash */
    GFS_OP_GETXATTR,  /* getxattr: the value of an attribute that a person stored */
    /* changing what exists */
    GFS_OP_OPEN_WRITE,      /* open-write: without O_TRUNC */
    GFS_OP_OPEN_READ_WRITE, /* open-read-write */
    GFS_OP_TRUNCATE,        /* truncate, and O_TRUNC under any access mode */
    GFS_OP_FALLOCATE,       /* fallocate, every mode */
    GFS_OP_SETXATTR,        /* setxattr */
    GFS_OP_REMOVEXATTR,     /* removexattr */
    GFS_OP_CHMOD,           /* chmod */
    GFS_OP_UTIMENS,         /* utimens */
    /* adding; judged on the folder */
    GFS_OP_CREATE,  /* create: O_CREAT of a new name, mknod of a regular file */
    GFS_OP_TMPFILE, /* tmpfile: O_TMPFILE, and giving it a name */
    GFS_OP_SYMLINK, /* symlink */
    GFS_OP_MKDIR,   /* mkdir */
    /* removing */
    GFS_OP_UNLINK, /* unlink */
    GFS_OP_RMDIR,  /* rmdir */
    /* renaming. Same folder: rename. Other folder: move-out on the item and move-in-file or
     * move-in-folder on the target folder. When the target name exists, then also replace on
     * the target; but when the source is a pending file of one's own, save on the target
     * instead of replace, and no rename on the source. */
    GFS_OP_RENAME,         /* rename */
    GFS_OP_MOVE_OUT,       /* move-out */
    GFS_OP_MOVE_IN_FILE,   /* move-in-file */
    GFS_OP_MOVE_IN_FOLDER, /* move-in-folder */
    GFS_OP_REPLACE,        /* replace */
    GFS_OP_SAVE,           /* save */
    GFS_OP_EXCHANGE,       /* exchange: RENAME_EXCHANGE, on each of the two */
    GFS_OP_LINK,           /* link: a hard link to the object, within the share */
    /* locks */
    GFS_OP_LOCK_SHARED,    /* lock-shared */
    GFS_OP_LOCK_EXCLUSIVE, /* lock-exclusive */
    /* what nobody may do */
    GFS_OP_CHOWN, /* chown: to another owner or group */
    GFS_OP_MKNOD, /* mknod: a FIFO, socket or device; judged on the folder */
    GFS_OP_COUNT,
};

/* What an operation needs. */
struct gfs_rule {
    gfs_perms existing;       /* on an item that exists, or on the receiving folder */
    gfs_perms pending_file;   /* on a pending file (or symlink) of one's own */
    gfs_perms pending_folder; /* on a new empty folder of one's own */
    int denied;               /* positive errno for one who sees the object and lacks a permission */
    bool overwrites;          /* the share option overwrite=upload takes Delete away from these */
    bool changes;             /* EROFS in an archived share */
    bool grows;               /* EDQUOT over quota */
    bool sight;               /* to see the object is enough: `existing` is not asked of the root of a drop box,
                                 nor of a folder of one's own in it */
};

/*
 * Always a rule; for a number that is no operation, one that needs GFS_NOBODY. Static data, no
 * I/O, thread-safe.
 */
struct gfs_rule gfs_op_rule(enum gfs_op op);

/* The name in the comments above ("open-read"); NULL for a number that is no operation. */
const char *gfs_op_name(enum gfs_op op);

/* 0 or -EINVAL with a message that lists the names. */
int gfs_op_parse(const char *name, enum gfs_op *out, struct gfs_error *err) GFS_MUST_CHECK;

#endif
