/* guildfs audit: what was asked for, and whether a record of the store or of the log answers it. */
#ifndef GUILDFS_CLI_AUDIT_MATCH_H
#define GUILDFS_CLI_AUDIT_MATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/store/audit.h"
#include "guildfs/uuid.h"

/* NULL, 0 and "": whatever it is. */
struct cli_audit_query {
    int64_t since_ns, until_ns;
    const char *user;
    char user_uuid[GFS_UUID_SIZE];
    bool of_share;
    gfs_id share;
    char share_uuid[GFS_UUID_SIZE];
    const char *path, *operation;
    bool denied;
};

/* Of a mount's log. */
bool cli_audit_matches(const struct cli_audit_query *query, const json_t *record);
/* Of the store; `changed` holds before and after, as the record will show them. */
bool cli_audit_matches_entry(const struct cli_audit_query *query, const struct gfs_audit_entry *entry,
                             const json_t *changed);

#endif
