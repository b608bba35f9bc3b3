/* How much of its quota a share uses. */
#ifndef GUILDFS_CLI_USAGE_H
#define GUILDFS_CLI_USAGE_H

#include "guildfs/snapshot.h"

/* The sum of the sizes of the regular files below root_fd (O_PATH), a file with several links
 * counted once, nested shares left out. 0 or a negative errno. */
int cli_usage_count(const struct gfs_snapshot *snapshot, const struct gfs_share *share, int root_fd,
                    int64_t *bytes) GFS_MUST_CHECK;

#endif
