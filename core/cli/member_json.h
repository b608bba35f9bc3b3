/* Memberships as JSON, for the commands of members and of groups. */
#ifndef GUILDFS_CLI_MEMBER_JSON_H
#define GUILDFS_CLI_MEMBER_JSON_H

#include <jansson.h>

#include "core/store/group.h"
#include "guildfs/admin.h"

json_t *cli_json_member(const struct gfs_membership_record *membership);

/* Callback of gfs_admin_member_each(): appends to a json_t array. */
int cli_list_member(void *list, const struct gfs_membership_record *membership);

#endif
