/* guildfs group ... */
#include <errno.h>
#include <string.h>

#include "core/cli/administer.h"
#include "core/cli/commands.h"
#include "core/cli/member_json.h"
#include "core/cli/output.h"
#include "core/store/share.h"

static const struct cli_column columns[] = {
    {"name", "NAME"}, {"kind", "KIND"}, {"owner", "OWNER"}, {"uuid", NULL}, {0}};

static const struct cli_column details[] = {
    {"name", "Name"},     {"uuid", "UUID"},  {"kind", "Kind"},     {"owner", "Owner"},
    {"users", "Members"}, {"members", NULL}, {"shares", "Shares"}, {0},
};

static json_t *group_json(const struct gfs_group_record *group) {
    static const char *const kinds[] = {
        [GFS_GROUP_NORMAL] = "normal", [GFS_GROUP_PUBLIC] = "public", [GFS_GROUP_BUILTIN] = "builtin"};
    return json_pack("{s:o, s:s, s:s, s:o}", "name", cli_json_text(group->name), "uuid", group->uuid, "kind",
                     kinds[group->kind], "owner", cli_json_text(group->owner_name));
}

static int list_group(void *context, const struct gfs_group_record *group) {
    return json_array_append_new(context, group_json(group)) == 0 ? 0 : -ENOMEM;
}

/* "files/atlas". */
static int list_share(void *context, const struct gfs_share_record *share) {
    return json_array_append_new(context, json_sprintf("%s/%s", gfs_kind_folder(share->kind), share->name)) == 0
               ? 0
               : -ENOMEM;
}

/* "alice (owner)": for people; programs read `members`. */
static json_t *member_words(const json_t *members) {
    json_t *words = json_array();
    size_t i;
    const json_t *member;
    json_array_foreach(members, i, member) {
        json_array_append_new(words, json_sprintf("%s (%s)", json_string_value(json_object_get(member, "user")),
                                                  json_string_value(json_object_get(member, "role"))));
    }
    return words;
}

/* The group as an object, with its members and shares. The caller owns *out. */
static int describe(struct cli_session *session, const char *name, json_t **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *group = NULL;
    json_t *members = json_array(), *shares = json_array();
    int rc = gfs_admin_group_load(session->store, &session->actor, name, &group, err);
    if (rc == 0)
        rc = gfs_admin_member_each(session->store, &session->actor, name, NULL, cli_list_member, members, err);
    if (rc == 0)
        rc = gfs_admin_share_each(session->store, &session->actor, name, list_share, shares, err);
    if (rc < 0) {
        json_decref(members);
        json_decref(shares);
        return rc;
    }
    *out = group_json(group);
    json_object_set_new(*out, "users", member_words(members));
    json_object_set_new(*out, "members", members);
    json_object_set_new(*out, "shares", shares);
    return 0;
}

enum gfs_exit cli_group_add(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session;
    json_t *group = NULL;
    int rc = cli_session_begin(call, true, &session, &err);
    if (rc == 0)
        rc = gfs_admin_group_add(session.store, &session.actor, call->arguments[0], &err);
    if (rc == 0)
        rc = describe(&session, call->arguments[0], &group, &err);
    cli_session_end(&session);
    return rc < 0 ? cli_fail(call, &err) : cli_print_done(call, group);
}

enum gfs_exit cli_group_list(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session;
    json_t *list = json_array();
    int rc = cli_session_begin(call, false, &session, &err);
    if (rc == 0)
        rc = gfs_admin_group_each(session.store, &session.actor, list_group, list, &err);
    cli_session_end(&session);
    if (rc == 0)
        return cli_print_list(call, list, columns);
    json_decref(list);
    return cli_fail(call, &err);
}

enum gfs_exit cli_group_show(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session;
    json_t *group = NULL;
    int rc = cli_session_begin(call, false, &session, &err);
    if (rc == 0)
        rc = describe(&session, call->arguments[0], &group, &err);
    cli_session_end(&session);
    return rc < 0 ? cli_fail(call, &err) : cli_print_object(call, group, details);
}
