/* guildfs grant, guildfs revoke. */
#include <errno.h>

#include "core/cli/administer.h"
#include "core/cli/commands.h"
#include "core/cli/grant_json.h"
#include "core/cli/output.h"

static json_t *subject_json(const struct gfs_grant_record *grant) {
    static const char *const words[] = {
        [GFS_SUBJECT_USER] = "user",
        [GFS_SUBJECT_GROUP] = "group",
        [GFS_SUBJECT_TEAM] = "team",
        [GFS_SUBJECT_ORGANIZATION] = "organization",
    };
    if (grant->subject_kind == GFS_SUBJECT_EVERYONE)
        return json_string("everyone");
    return json_sprintf("%s:%s", words[grant->subject_kind], grant->subject_name);
}

int cli_list_grant(void *list, const struct gfs_grant_record *grant) {
    json_t *object = json_pack("{s:o, s:o, s:o}", "subject", subject_json(grant), "perms", cli_json_perms(grant->perms),
                               "until", cli_json_time(grant->expires_ns));
    return json_array_append_new(list, object) == 0 ? 0 : -ENOMEM;
}

/* What the share's authorizations are now. */
static enum gfs_exit finish(struct cli_call *call, struct cli_session *session, int rc, struct gfs_error *err) {
    json_t *grants = json_array();
    if (rc == 0)
        rc = gfs_admin_grant_each(session->store, &session->actor, call->arguments[1], cli_list_grant, grants, err);
    cli_session_end(session);
    if (rc == 0)
        return cli_print_done(call,
                              json_pack("{s:o, s:o}", "share", cli_json_text(call->arguments[1]), "grants", grants));
    json_decref(grants);
    return cli_fail(call, err);
}

enum gfs_exit cli_grant(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session = {0};
    gfs_perms perms;
    int64_t until_ns;
    int rc = gfs_perms_parse(call->arguments[2], &perms, &err);
    if (rc == 0)
        rc = cli_parse_until(call, &until_ns, &err);
    if (rc == 0)
        rc = cli_session_begin(call, true, &session, &err);
    if (rc == 0)
        rc = gfs_admin_grant(session.store, &session.actor, call->arguments[0], call->arguments[1], perms, until_ns,
                             &err);
    return finish(call, &session, rc, &err);
}

enum gfs_exit cli_revoke(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session = {0};
    gfs_perms perms = GFS_ALL_PERMS;
    int rc = call->argument_count == 3 ? gfs_perms_parse(call->arguments[2], &perms, &err) : 0;
    if (rc == 0)
        rc = cli_session_begin(call, true, &session, &err);
    if (rc == 0)
        rc = gfs_admin_revoke(session.store, &session.actor, call->arguments[0], call->arguments[1], perms, &err);
    return finish(call, &session, rc, &err);
}
