/*
 * The status socket: /run/guildfs/MAJOR-MINOR.sock, named after the mount's st_dev, for root
 * alone. A client connects, sends "status\n", and receives one JSON object and the end of the
 * stream. Clients are answered one after the other, by a thread that does nothing else; one that
 * is slow is dropped after two seconds.
 */
#ifndef GUILDFS_FS_CONTROL_H
#define GUILDFS_FS_CONTROL_H

#include <sys/types.h>

#include "fs/mount.h"
#include "guildfs/error.h"

#define GFS_CONTROL_DIRECTORY "/run/guildfs"

struct gfs_control;

int gfs_control_start(struct gfs_mount *mount, dev_t device, struct gfs_control **out,
                      struct gfs_error *err) GFS_MUST_CHECK;

/* Ends the thread within bounded time, removes the socket. NULL is fine. */
void gfs_control_end(struct gfs_control *control);

/* Removes the socket, and nothing else: for an end by force. */
void gfs_control_unlink(struct gfs_control *control);

/* What the socket answers, without a newline; NULL when memory is out. The caller frees it. */
char *gfs_control_describe(struct gfs_mount *mount);

#endif
