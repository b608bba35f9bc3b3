/*
 * What root may do is cut into capabilities, see capabilities(7). The daemon keeps the few that
 * serving needs and gives up the rest, for good.
 */
#ifndef GUILDFS_FS_CAPABILITIES_H
#define GUILDFS_FS_CAPABILITIES_H

#include <stdbool.h>

#include "guildfs/error.h"

struct gfs_capability {
    int number;
    const char *name;
    const char *reason;
};

/* Those that are kept; ended by a NULL name. The manual page has the same list. */
extern const struct gfs_capability gfs_capabilities_kept[];

/*
 * Gives up all others, in the permitted, effective, inheritable, ambient and bounding set, and
 * sets no_new_privs. Capabilities belong to a thread and are handed on to the threads that it
 * starts: so this is called before there is a second one. Capabilities that the process does not
 * have are not asked for (in a container, say); -EPERM when CAP_SYS_ADMIN is not among them.
 */
int gfs_capabilities_drop(struct gfs_error *err) GFS_MUST_CHECK;

#endif
