#include "core/cli/administer.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "guildfs/clock.h"
#include "guildfs/value.h"

int cli_session_begin(const struct cli_call *call, bool write, struct cli_session *session, struct gfs_error *err) {
    *session = (struct cli_session){0};
    int rc = cli_actor(call, &session->actor, err);
    return rc == 0 ? cli_open_store(call, write, &session->store, err) : rc;
}

void cli_session_end(struct cli_session *session) {
    gfs_store_close(session->store);
    session->store = NULL;
}

int cli_parse_id(const char *what, const char *text, bool none_ok, uint32_t *out, struct gfs_error *err) {
    if (none_ok && strcmp(text, "none") == 0) {
        *out = GFS_NO_UID;
        return 0;
    }
    char *end;
    errno = 0;
    unsigned long long value = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : ULLONG_MAX;
    if (value >= GFS_NO_UID || errno != 0 || *end)
        return gfs_error_set(err, EINVAL, "\"%s\" is no %s; it is a whole number%s", text, what,
                             none_ok ? ", or none" : "");
    *out = (uint32_t)value;
    return 0;
}

int cli_parse_until(const struct cli_call *call, int64_t *out, struct gfs_error *err) {
    const char *until = cli_option(call, "until");
    if (until)
        return gfs_time_parse(until, gfs_now_ns(), out, err);
    *out = GFS_NEVER;
    return 0;
}
