/* The whole policy, for the commands that ask who may do what. */
#ifndef GUILDFS_CLI_POLICY_H
#define GUILDFS_CLI_POLICY_H

#include <jansson.h>

#include "core/cli/cli.h"
#include "guildfs/snapshot.h"

/* Loads a snapshot of the call's store. The caller frees it. */
int cli_load_policy(const struct cli_call *call, struct gfs_snapshot **out, struct gfs_error *err) GFS_MUST_CHECK;

/* Why a user holds what on a share. At most as many as fit are told. */
#define CLI_MAX_SOURCES 128
struct cli_sources {
    struct gfs_source list[CLI_MAX_SOURCES];
    size_t count;
    char text[CLI_MAX_SOURCES * 64];
};
void cli_sources_get(const struct gfs_snapshot *snapshot, gfs_id user, gfs_id share, struct cli_sources *out);

/* [{"via": "group physics", "perms": ["view"]}] */
json_t *cli_json_sources(const struct gfs_snapshot *snapshot, gfs_id user, gfs_id share);

#endif
