/* The daemon of a mount, through its control socket (guildfsd(8)). */
#ifndef GUILDFS_CLI_DAEMON_H
#define GUILDFS_CLI_DAEMON_H

#include <jansson.h>

#define CLI_DAEMON_TIMEOUT_MS 2000

/*
 * What the daemon of the mount with this device ("0:57") says of itself, an object that the caller
 * owns. NULL when it does not answer in time, and *problem says why; static storage.
 */
json_t *cli_daemon_ask(const char *device, const char **problem);

#endif
