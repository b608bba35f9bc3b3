/* guildfs member ... */
#include <errno.h>
#include <string.h>

#include "core/cli/administer.h"
#include "core/cli/commands.h"
#include "core/cli/member_json.h"
#include "core/cli/output.h"

static const struct cli_column columns[] = {
    {"user", "USER"}, {"role", "ROLE"}, {"status", "STATUS"}, {"until", "UNTIL"}, {"group", NULL}, {0},
};

static const char *const role_names[] = {
    [GFS_ROLE_MEMBER] = "member",
    [GFS_ROLE_ADMIN] = "admin",
    [GFS_ROLE_OWNER] = "owner",
};

static const char *const status_names[] = {
    [GFS_INVITED] = "invited",
    [GFS_ACCEPTED] = "accepted",
    [GFS_DECLINED] = "declined",
    [GFS_WITHDRAWN] = "withdrawn",
};

json_t *cli_json_member(const struct gfs_membership_record *membership) {
    return json_pack("{s:o, s:o, s:s, s:s, s:o}", "group", cli_json_text(membership->group_name), "user",
                     cli_json_text(membership->user_name), "role", role_names[membership->role], "status",
                     status_names[membership->status], "until", cli_json_time(membership->expires_ns));
}

int cli_list_member(void *list, const struct gfs_membership_record *membership) {
    return json_array_append_new(list, cli_json_member(membership)) == 0 ? 0 : -ENOMEM;
}

static int parse_role(const struct cli_call *call, enum gfs_role *role, struct gfs_error *err) {
    const char *text = cli_option(call, "role");
    *role = GFS_ROLE_MEMBER;
    for (size_t i = 0; text && i < sizeof(role_names) / sizeof(role_names[0]); i++) {
        if (strcmp(role_names[i], text) == 0) {
            *role = (enum gfs_role)i;
            return 0;
        }
    }
    return text ? gfs_error_set(err, EINVAL, "\"%s\" is no role; it is member, admin or owner", text) : 0;
}

enum gfs_exit cli_member_add(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session = {0};
    const char *group = call->arguments[0], *user = call->arguments[1];
    enum gfs_role role;
    int64_t until_ns;
    int rc = parse_role(call, &role, &err);
    if (rc == 0)
        rc = cli_parse_until(call, &until_ns, &err);
    if (rc == 0)
        rc = cli_session_begin(call, true, &session, &err);
    if (rc == 0)
        rc = gfs_admin_member_add(session.store, &session.actor, group, user, role, until_ns, &err);
    cli_session_end(&session);
    if (rc < 0)
        return cli_fail(call, &err);
    const struct gfs_membership_record membership = {
        .group_name = group, .user_name = user, .role = role, .status = GFS_ACCEPTED, .expires_ns = until_ns};
    return cli_print_done(call, cli_json_member(&membership));
}

enum gfs_exit cli_member_remove(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session;
    const char *group = call->arguments[0], *user = call->arguments[1];
    int rc = cli_session_begin(call, true, &session, &err);
    if (rc == 0)
        rc = gfs_admin_member_remove(session.store, &session.actor, group, user, &err);
    cli_session_end(&session);
    if (rc < 0)
        return cli_fail(call, &err);
    return cli_print_done(call, json_pack("{s:o, s:o}", "group", cli_json_text(group), "user", cli_json_text(user)));
}

enum gfs_exit cli_member_list(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session;
    json_t *list = json_array();
    int rc = cli_session_begin(call, false, &session, &err);
    if (rc == 0)
        rc =
            gfs_admin_member_each(session.store, &session.actor, call->arguments[0], NULL, cli_list_member, list, &err);
    cli_session_end(&session);
    if (rc == 0)
        return cli_print_list(call, list, columns);
    json_decref(list);
    return cli_fail(call, &err);
}
