/* --wait: until every daemon of this host that serves the store has put its state in force. */
#ifndef GUILDFS_CLI_WAIT_H
#define GUILDFS_CLI_WAIT_H

#include "core/cli/cli.h"

/*
 * Says on standard error in how many mounts, and after how long. GFS_EXIT_FAILED, with the error
 * reported, when one has not followed within 30 s. A mount whose daemon is dead serves nobody.
 */
enum gfs_exit cli_wait(struct cli_call *call);

#endif
