/* guildfs audit: records as rows of a table, for people. */
#ifndef GUILDFS_CLI_AUDIT_SHOW_H
#define GUILDFS_CLI_AUDIT_SHOW_H

#include <jansson.h>

/* The row of a record, with nothing in it that a terminal would act on: time, outcome, operation,
 * user, what, process, why. */
json_t *cli_audit_row(const json_t *record);

#endif
