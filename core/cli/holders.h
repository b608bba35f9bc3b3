/* Processes from which a daemon could not take everything back, as it names them in "not_closed". */
#ifndef GUILDFS_CLI_HOLDERS_H
#define GUILDFS_CLI_HOLDERS_H

#include <jansson.h>

/* "python3 (pid 17, uid 1001) of bob in genomics/files/atlas: 1 descriptor, 2 mappings", without control
 * characters. The caller frees it; NULL when memory is out. */
char *cli_holder_text(const json_t *holder);

#endif
