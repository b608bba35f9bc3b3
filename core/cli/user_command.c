/* guildfs user ... */
#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "core/cli/administer.h"
#include "core/cli/commands.h"
#include "core/cli/output.h"
#include "core/store/group.h"
#include "core/store/user.h"

static const struct cli_column columns[] = {
    {"name", "NAME"}, {"uid", "UID"}, {"gid", "GID"}, {"status", "STATUS"}, {"uuid", NULL}, {0},
};

static const struct cli_column details[] = {
    {"name", "Name"}, {"uuid", "UUID"}, {"uid", "Uid"}, {"gid", "Gid"}, {"status", "Status"}, {"groups", "Groups"}, {0},
};

static json_t *id_json(uint32_t id) {
    return id == GFS_NO_UID ? json_null() : json_integer(id);
}

static json_t *user_json(const struct gfs_user_record *user) {
    return json_pack("{s:o, s:s, s:o, s:o, s:s}", "name", cli_json_text(user->name), "uuid", user->uuid, "uid",
                     id_json(user->uid), "gid", id_json(user->gid), "status", user->suspended ? "suspended" : "active");
}

static int list_user(void *context, const struct gfs_user_record *user) {
    return json_array_append_new(context, user_json(user)) == 0 ? 0 : -ENOMEM;
}

static int list_group(void *context, const struct gfs_membership_record *membership) {
    return json_array_append_new(context, cli_json_text(membership->group_name)) == 0 ? 0 : -ENOMEM;
}

/* The user as an object, with the names of the user's groups. The caller owns *out. */
static int describe(struct cli_session *session, const char *name, json_t **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    json_t *groups = json_array();
    int rc = gfs_admin_user_load(session->store, &session->actor, name, &user, err);
    if (rc == 0)
        rc = gfs_admin_member_each(session->store, &session->actor, NULL, name, list_group, groups, err);
    if (rc < 0) {
        json_decref(groups);
        return rc;
    }
    *out = user_json(user);
    json_object_set_new(*out, "groups", groups);
    return 0;
}

/* uid and gid as the options say, else as the host's account of that name has them. */
static int choose_ids(const struct cli_call *call, const char *name, uint32_t *uid, uint32_t *gid,
                      struct gfs_error *err) {
    const char *uid_text = cli_option(call, "uid"), *gid_text = cli_option(call, "gid");
    const struct passwd *account = uid_text || gid_text ? NULL : getpwnam(name);
    *uid = account ? account->pw_uid : GFS_NO_UID;
    *gid = account ? account->pw_gid : GFS_NO_UID;
    if (gid_text && !uid_text)
        return gfs_error_set(err, EINVAL, "a --gid needs a --uid");
    int rc = uid_text ? cli_parse_id("uid", uid_text, false, uid, err) : 0;
    if (rc == 0 && uid_text)
        *gid = *uid;
    if (rc == 0 && gid_text)
        rc = cli_parse_id("gid", gid_text, false, gid, err);
    return rc;
}

enum gfs_exit cli_user_add(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session = {0};
    const char *name = call->arguments[0];
    uint32_t uid, gid;
    json_t *user = NULL;
    int rc = choose_ids(call, name, &uid, &gid, &err);
    if (rc == 0)
        rc = cli_session_begin(call, true, &session, &err);
    if (rc == 0)
        rc = gfs_admin_user_add(session.store, &session.actor, name, uid, gid, &err);
    if (rc == 0)
        rc = describe(&session, name, &user, &err);
    cli_session_end(&session);
    return rc < 0 ? cli_fail(call, &err) : cli_print_done(call, user);
}

enum gfs_exit cli_user_list(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session;
    json_t *list = json_array();
    int rc = cli_session_begin(call, false, &session, &err);
    if (rc == 0)
        rc = gfs_admin_user_each(session.store, &session.actor, list_user, list, &err);
    cli_session_end(&session);
    if (rc == 0)
        return cli_print_list(call, list, columns);
    json_decref(list);
    return cli_fail(call, &err);
}

enum gfs_exit cli_user_show(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session;
    json_t *user = NULL;
    int rc = cli_session_begin(call, false, &session, &err);
    if (rc == 0)
        rc = describe(&session, call->arguments[0], &user, &err);
    cli_session_end(&session);
    return rc < 0 ? cli_fail(call, &err) : cli_print_object(call, user, details);
}

static int parse_change(const struct cli_call *call, struct gfs_user_change *change, struct gfs_error *err) {
    const char *uid = cli_option(call, "uid"), *gid = cli_option(call, "gid"), *status = cli_option(call, "status");
    *change = (struct gfs_user_change){.set_uid = uid, .set_gid = gid, .set_suspended = status};
    if (!uid && !gid && !status)
        return gfs_error_set(err, EINVAL, "nothing to change; give --uid, --gid or --status");
    int rc = uid ? cli_parse_id("uid", uid, true, &change->uid, err) : 0;
    if (rc == 0 && gid)
        rc = cli_parse_id("gid", gid, true, &change->gid, err);
    if (rc < 0 || !status)
        return rc;
    change->suspended = strcmp(status, "suspended") == 0;
    if (!change->suspended && strcmp(status, "active") != 0)
        return gfs_error_set(err, EINVAL, "\"%s\" is no status; it is active or suspended", status);
    return 0;
}

enum gfs_exit cli_user_set(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session = {0};
    struct gfs_user_change change;
    json_t *user = NULL;
    int rc = parse_change(call, &change, &err);
    if (rc == 0)
        rc = cli_session_begin(call, true, &session, &err);
    if (rc == 0)
        rc = gfs_admin_user_set(session.store, &session.actor, call->arguments[0], &change, &err);
    if (rc == 0)
        rc = describe(&session, call->arguments[0], &user, &err);
    cli_session_end(&session);
    return rc < 0 ? cli_fail(call, &err) : cli_print_done(call, user);
}
