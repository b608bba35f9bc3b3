/* Authorizations as JSON, for the commands of authorizations and of shares. */
#ifndef GUILDFS_CLI_GRANT_JSON_H
#define GUILDFS_CLI_GRANT_JSON_H

#include <jansson.h>

#include "core/store/grant.h"
#include "guildfs/admin.h"

/* Callback of gfs_admin_grant_each(): appends to a json_t array. */
int cli_list_grant(void *list, const struct gfs_grant_record *grant);

#endif
