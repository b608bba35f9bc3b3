/*
 * What stands at a location, in the facts that a decision needs. Reads the backing directory
 * directly, the way the daemon does: below the share's root, across no symlink and no mount
 * point. Changes nothing.
 */
#ifndef GUILDFS_CLI_OBJECT_H
#define GUILDFS_CLI_OBJECT_H

#include "core/cli/locate.h"

/* For whom, and when. */
struct cli_viewpoint {
    const struct gfs_snapshot *snapshot;
    const struct gfs_user *user;
    const struct gfs_rights *rights;
    int64_t now_ns;
};

struct cli_object {
    bool exists;
    bool reachable;         /* every folder on the way to it shows */
    struct gfs_facts facts; /* of what exists; else what the user holds there */
};

/* -EIO when the backing cannot be read; err says what. What does not exist is no failure. */
int cli_object_look(const struct cli_viewpoint *viewpoint, const struct cli_location *location, bool count_quota,
                    struct cli_object *out, struct gfs_error *err) GFS_MUST_CHECK;

#endif
