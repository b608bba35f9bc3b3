/* A command that opens the store and acts in it. */
#ifndef GUILDFS_CLI_ADMINISTER_H
#define GUILDFS_CLI_ADMINISTER_H

#include "core/cli/cli.h"
#include "guildfs/admin.h"

struct cli_session {
    struct gfs_store *store;
    struct gfs_actor actor;
};

/* Knows the actor and opens the store. Ends with cli_session_end(), after a failure too. */
int cli_session_begin(const struct cli_call *call, bool write, struct cli_session *session,
                      struct gfs_error *err) GFS_MUST_CHECK;
void cli_session_end(struct cli_session *session);

/* A uid or gid: a whole number, or "none" where allowed. -EINVAL. */
int cli_parse_id(const char *what, const char *text, bool none_ok, uint32_t *out, struct gfs_error *err) GFS_MUST_CHECK;

/* The value of --until; GFS_NEVER without one. */
int cli_parse_until(const struct cli_call *call, int64_t *out, struct gfs_error *err) GFS_MUST_CHECK;

#endif
