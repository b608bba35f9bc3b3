/*
 * FUSE passthrough: the kernel reads, writes and maps the backing file by itself, without a message.
 * It knows the backing file by a backing id, which the daemon gets for a descriptor and names in
 * its reply to OPEN. Here is the kernel's side of it; backing.h says which file has an id, node.h
 * which nodes are served so.
 */
#ifndef GUILDFS_FS_PASSTHROUGH_H
#define GUILDFS_FS_PASSTHROUGH_H

#include <stdint.h>

#include "guildfs/compiler.h"

struct gfs_mount;
struct fuse_conn_info;

/* While the connection is made: asks for passthrough, and notes whether there will be any. */
void gfs_passthrough_init(struct gfs_mount *mount, struct fuse_conn_info *conn);

/*
 * An id for the file behind a descriptor, which may be O_PATH; closing the descriptor does not end
 * it. 0 and *id > 0. -EOPNOTSUPP: the connection has no passthrough. -EPERM: not in the initial user
 * namespace. -ELOOP: too many filesystems on top of each other. -ENOMEM, -ENFILE and the like.
 */
int gfs_passthrough_open(struct gfs_mount *mount, int fd, int32_t *id) GFS_MUST_CHECK;
/* An id that is in use by open files stays with these. 0 is fine. */
void gfs_passthrough_close(struct gfs_mount *mount, int32_t id);

/* Fast shares on the filesystem are served like revocable ones: says so in the log, and from now
 * on in the mount's status. */
void gfs_passthrough_refused(struct gfs_mount *mount, uint64_t device, int negative_errno);

#endif
