/*
 * Folder locks: between looking at a name and acting on it, no other request may change what has
 * that name, or the decision would be about something else. A fixed set of locks, chosen by the
 * folder's device and inode; two are taken in the order of their numbers. Held for a few system
 * calls, never across a reply or a notification.
 *
 * They exclude the requests of this daemon. Whoever changes the backing directory by other ways
 * can still exchange what has a name in between; then the operation acts on an item of the same
 * share that the user could have named as well, and never on one outside (backing.h).
 */
#ifndef GUILDFS_FS_NAMES_H
#define GUILDFS_FS_NAMES_H

#include <sys/stat.h>

#include "guildfs/compiler.h"

struct gfs_mount;
struct gfs_names;

int gfs_names_new(struct gfs_names **out) GFS_MUST_CHECK;
void gfs_names_free(struct gfs_names *names);

/* second may be NULL, or the same folder as first. */
struct gfs_names_held {
    int first, second; /* numbers of the locks; -1: none */
};
struct gfs_names_held gfs_names_lock(struct gfs_mount *mount, const struct stat *first, const struct stat *second);
void gfs_names_unlock(struct gfs_mount *mount, struct gfs_names_held held);

#endif
