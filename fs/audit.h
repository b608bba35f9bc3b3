/*
 * What of the requests is logged: every refusal that the guard pronounces, and of a share with the
 * option audit= also what was done. The line is made here, in the request, because only now the
 * process waits, the item has its path, and the snapshot is that of the decision; it goes to the
 * queue (audit_queue.h), and a thread writes it.
 *
 * Not logged is what does not exist for the user (ENOENT): programs probe names all day, such a
 * refusal is no other answer than that of a free name, and a line for each would bury the rest.
 */
#ifndef GUILDFS_FS_AUDIT_H
#define GUILDFS_FS_AUDIT_H

#include "fs/audit_queue.h"
#include "fs/call.h"

/* guard.c: the decision was a refusal. */
void gfs_audit_denied(struct gfs_call *call, const struct gfs_target *target, enum gfs_op op,
                      const struct gfs_decision *decision);
/* guard.c: a handle's right to read or write has gone. */
void gfs_audit_handle_denied(struct gfs_call *call, const struct gfs_handle *handle, bool write, int rc);

/* Use gfs_audit_done(). flags: of open(2), or of renameat2(2). */
void gfs_audit_allowed(struct gfs_call *call, const struct gfs_target *target, enum gfs_op op, unsigned flags);

/* It was done: before the answer is sent, and with no lock held. */
static inline void gfs_audit_done(struct gfs_call *call, const struct gfs_target *target, enum gfs_op op) {
    if (target->share->audit != GFS_AUDIT_NONE)
        gfs_audit_allowed(call, target, op, 0);
}

/* path_fd: of the file, since the handle has taken over the target's. */
static inline void gfs_audit_opened(struct gfs_call *call, const struct gfs_target *target, int flags, int path_fd) {
    struct gfs_target opened;

    if (target->share->audit == GFS_AUDIT_NONE)
        return;
    opened = *target;
    opened.fd = path_fd;
    gfs_audit_allowed(call, &opened,
                      (flags & O_ACCMODE) == O_RDWR     ? GFS_OP_OPEN_READ_WRITE
                      : (flags & O_ACCMODE) == O_WRONLY ? GFS_OP_OPEN_WRITE
                      : flags & O_TRUNC                 ? GFS_OP_TRUNCATE
                                                        : GFS_OP_OPEN_READ,
                      (unsigned)flags & O_TRUNC);
}

/* valid: of SETATTR. A size that is set by a handle belongs to the open that made it. */
static inline void gfs_audit_changed(struct gfs_call *call, const struct gfs_target *target, int valid) {
    if (target->share->audit != GFS_AUDIT_NONE)
        gfs_audit_allowed(call, target,
                          valid & FUSE_SET_ATTR_SIZE   ? GFS_OP_TRUNCATE
                          : valid & FUSE_SET_ATTR_MODE ? GFS_OP_CHMOD
                                                       : GFS_OP_UTIMENS,
                          0);
}

#endif
