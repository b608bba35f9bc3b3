/*
 * What is changed behind the mount: by root on the host, by another program that works on a node's
 * filesystem, by another mount of the same store. fanotify(7) tells of it, and the kernel is made
 * to forget what it has of the file or the name. Where that works the kernel may keep names and
 * attributes for long (decision 0014); elsewhere they are asked for again after a second.
 *
 * A filesystem is watched from the moment when the first item of it enters the inode table, before
 * that is answered. Whether one is watched is decided once: by the option watch=, by its type
 * (never a network filesystem, where others change things that this kernel does not hear of), and
 * by whether the kernel lets us.
 *
 * An event costs one probe of the inode table when no view knows the item. Events of the daemon's
 * own changes are dropped: the handlers tell the other views (notify.h).
 *
 * What no event can be had of: stores through a writable mapping, until the file is closed and
 * unmapped. So the attributes of regular files are kept for a minute, not for an hour.
 */
#ifndef GUILDFS_FS_WATCH_H
#define GUILDFS_FS_WATCH_H

#include <stdint.h>
#include <sys/stat.h>

#include "fs/mount.h"

struct gfs_watch;

int gfs_watch_new(struct gfs_mount *mount, struct gfs_watch **out) GFS_MUST_CHECK;
/* The thread that reads the events. */
int gfs_watch_start(struct gfs_mount *mount) GFS_MUST_CHECK;
void gfs_watch_stop(struct gfs_mount *mount);
void gfs_watch_free(struct gfs_watch *watch);

/* The inode table has met a filesystem; fd is a folder of it, or -1 when it has no file handles.
 * Once per filesystem, by a request, before it is answered. */
void gfs_watch_add(struct gfs_mount *mount, uint64_t device, int fd);

/*
 * How long the kernel may keep what it is told. versioned: the kernel had the inode when it asked,
 * and drops the answer by itself when it was made to forget meanwhile (FUSE's attr_version); else
 * a change that falls between our look and its taking the answer would go unnoticed.
 */
int64_t gfs_watch_attr_ns(struct gfs_mount *mount, const struct stat *st, bool versioned);
/* Of a name, there or not, in a folder on this device. */
int64_t gfs_watch_entry_ns(struct gfs_mount *mount, uint64_t device);

/* A notice to a view was dropped: the view has to forget all. Any thread; does not block. */
void gfs_watch_lost(struct gfs_mount *mount);

/* For status: one call per filesystem in use. reason: why it is not watched; NULL: it is. Strings
 * are lent for the call. */
typedef void gfs_watch_visit(void *context, const char *path, const char *type, const char *reason);
void gfs_watch_list(struct gfs_mount *mount, gfs_watch_visit *visit, void *context);
/* Events about changes behind the mount so far, and how often events were lost. */
void gfs_watch_count(struct gfs_mount *mount, uint64_t *events, uint64_t *overflows);

#endif
