/*
 * From what a person writes for a place ("genomics/files/atlas/a/b", "atlas/a/b") to a share and a
 * path in it.
 */
#ifndef GUILDFS_CLI_LOCATE_H
#define GUILDFS_CLI_LOCATE_H

#include <limits.h>

#include "guildfs/snapshot.h"

struct cli_location {
    const struct gfs_share *share; /* the innermost one; lent by the snapshot */
    char path[PATH_MAX];           /* in the share, "a/b"; "" for the share itself */
};

/*
 * Tries, in this order: GROUP/KINDFOLDER/NAME of a share that belongs to the group; the places of
 * the rights' view (rights may be NULL); NAME, when one share alone is called so. What follows is
 * the path, and may lead into nested shares.
 * -ENOENT (no such share), -EINVAL (several, "..", too long); err says so.
 */
int cli_locate(const struct gfs_snapshot *snapshot, const struct gfs_rights *rights, const char *text,
               struct cli_location *out, struct gfs_error *err) GFS_MUST_CHECK;

/* "genomics/files/atlas", or "atlas" for a share without a group. */
#define CLI_REFERENCE_SIZE 600
void cli_reference(const struct gfs_snapshot *snapshot, const struct gfs_share *share,
                   char text[static CLI_REFERENCE_SIZE]);

#endif
