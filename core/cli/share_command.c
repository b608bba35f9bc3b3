/* guildfs share ... */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/cli/administer.h"
#include "core/cli/commands.h"
#include "core/cli/grant_json.h"
#include "core/cli/output.h"
#include "core/store/share.h"
#include "guildfs/value.h"

static const struct cli_column columns[] = {
    {"name", "NAME"},   {"kind", "KIND"},           {"group", "GROUP"},
    {"owner", "OWNER"}, {"state", "STATE"},         {"quota", "QUOTA"},
    {"data", "DATA"},   {"directory", "DIRECTORY"}, {0},
};

static const struct cli_column details[] = {
    {"name", "Name"},
    {"title", "Title"},
    {"uuid", "UUID"},
    {"kind", "Kind"},
    {"group", "Group"},
    {"owner", "Owner"},
    {"in", "In share"},
    {"state", "State"},
    {"overwrite", "Overwrite"},
    {"grace", "Grace"},
    {"quota", "Quota"},
    {"data", "Data"},
    {"audit", "Audit"},
    {"on_revoke", "On revoke"},
    {"node", "Node"},
    {"path", "Path"},
    {"directory", "Directory"},
    {"created", "Created"},
    {"authorizations", "Authorizations"},
    {"grants", NULL},
    {0},
};

static json_t *quota_json(int64_t bytes) {
    char text[GFS_SIZE_TEXT_SIZE];
    gfs_size_format(bytes, text);
    return bytes > 0 ? json_string(text) : json_null();
}

static json_t *share_json(const struct gfs_share_record *share) {
    char grace[GFS_DURATION_TEXT_SIZE], directory[2 * PATH_MAX];
    gfs_duration_format(share->grace_ns, grace);
    snprintf(directory, sizeof(directory), "%s/%s", strcmp(share->node_path, "/") == 0 ? "" : share->node_path,
             share->path);
    return json_pack(
        "{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:s, s:o, s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name",
        cli_json_text(share->name), "title", cli_json_text(share->title), "uuid", share->uuid, "kind",
        gfs_kind_name(share->kind), "group", cli_json_text(share->group_name), "owner",
        cli_json_text(share->owner_name), "in", cli_json_text(share->parent_name), "state",
        share->state == GFS_SHARE_ARCHIVED ? "archived" : "active", "overwrite",
        share->overwrite_upload ? "upload" : "delete", "grace", grace, "quota", quota_json(share->quota_bytes),
        "quota_bytes", (json_int_t)share->quota_bytes, "data", share->data_mode == GFS_DATA_FAST ? "fast" : "revocable",
        "audit", gfs_share_audit_name(share->audit), "on_revoke",
        share->on_revoke == GFS_REVOKE_KILL ? "kill" : "poison", "node", cli_json_text(share->node_name), "path",
        cli_json_text(share->path), "directory", cli_json_text(directory), "created", cli_json_time(share->created_ns));
}

static int list_share(void *context, const struct gfs_share_record *share) {
    return json_array_append_new(context, share_json(share)) == 0 ? 0 : -ENOMEM;
}

/* "group:physics view,download": for people; programs read `grants`. */
static json_t *grant_words(const json_t *grants) {
    json_t *words = json_array();
    size_t i, j;
    const json_t *grant, *perm;
    json_array_foreach(grants, i, grant) {
        char text[512];
        size_t used = (size_t)snprintf(text, sizeof(text), "%s ", json_string_value(json_object_get(grant, "subject")));
        json_array_foreach(json_object_get(grant, "perms"), j, perm) {
            if (used < sizeof(text))
                used +=
                    (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", j ? "+" : "", json_string_value(perm));
        }
        json_array_append_new(words, cli_json_text(text));
    }
    return words;
}

/* The share as an object, with its authorizations. The caller owns *out. */
static int describe(struct cli_session *session, const char *reference, json_t **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    json_t *grants = json_array();
    int rc = gfs_admin_share_load(session->store, &session->actor, reference, &share, err);
    if (rc == 0)
        rc = gfs_admin_grant_each(session->store, &session->actor, reference, cli_list_grant, grants, err);
    if (rc < 0) {
        json_decref(grants);
        return rc;
    }
    *out = share_json(share);
    json_object_set_new(*out, "authorizations", grant_words(grants));
    json_object_set_new(*out, "grants", grants);
    return 0;
}

/* The options that add and adopt share. */
static int parse_new_share(const struct cli_call *call, struct gfs_new_share *share, struct gfs_error *err) {
    const char *kind = cli_option(call, "kind"), *assignment;
    *share = (struct gfs_new_share){
        .group = cli_option(call, "group"), .node = cli_option(call, "node"), .in = cli_option(call, "in")};
    int rc = kind ? gfs_kind_parse(kind, &share->kind, err) : 0;
    for (size_t i = 0; rc == 0 && (assignment = cli_option_at(call, "set", i)); i++)
        rc = gfs_share_option_parse(assignment, &share->options, err);
    const char *owner = cli_option(call, "owner");
    if (owner) {
        share->options.set |= GFS_SET_OWNER;
        share->options.owner = owner;
    }
    return rc;
}

static enum gfs_exit add(struct cli_call *call, const struct gfs_new_share *share) {
    struct gfs_error err;
    struct cli_session session;
    char uuid[GFS_UUID_SIZE];
    json_t *object = NULL;
    int rc = cli_session_begin(call, true, &session, &err);
    if (rc == 0)
        rc = gfs_admin_share_add(session.store, &session.actor, share, uuid, &err);
    /* By the UUID: the name alone may mean several shares. */
    if (rc == 0)
        rc = describe(&session, uuid, &object, &err);
    cli_session_end(&session);
    return rc < 0 ? cli_fail(call, &err) : cli_print_done(call, object);
}

enum gfs_exit cli_share_add(struct cli_call *call) {
    struct gfs_error err;
    struct gfs_new_share share;
    if (parse_new_share(call, &share, &err) < 0)
        return cli_fail(call, &err);
    if (share.in && share.node)
        return cli_usage_error(call, "a nested share lies in the node of the share around it; leave out --node");
    share.name = call->arguments[0];
    return add(call, &share);
}

enum gfs_exit cli_share_adopt(struct cli_call *call) {
    struct gfs_error err;
    struct gfs_new_share share;
    if (parse_new_share(call, &share, &err) < 0)
        return cli_fail(call, &err);
    share.name = cli_option(call, "name");
    share.directory = call->arguments[0];
    if (!share.name)
        return cli_usage_error(call, "the share needs a name: --name NAME");
    return add(call, &share);
}

enum gfs_exit cli_share_list(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session;
    json_t *list = json_array();
    int rc = cli_session_begin(call, false, &session, &err);
    if (rc == 0)
        rc = gfs_admin_share_each(session.store, &session.actor, NULL, list_share, list, &err);
    cli_session_end(&session);
    if (rc == 0)
        return cli_print_list(call, list, columns);
    json_decref(list);
    return cli_fail(call, &err);
}

enum gfs_exit cli_share_show(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session;
    json_t *share = NULL;
    int rc = cli_session_begin(call, false, &session, &err);
    if (rc == 0)
        rc = describe(&session, call->arguments[0], &share, &err);
    cli_session_end(&session);
    return rc < 0 ? cli_fail(call, &err) : cli_print_object(call, share, details);
}

enum gfs_exit cli_share_set(struct cli_call *call) {
    struct gfs_error err;
    struct cli_session session = {0};
    struct gfs_share_options options = {0};
    json_t *share = NULL;
    int rc = 0;
    for (int i = 1; rc == 0 && i < call->argument_count; i++)
        rc = gfs_share_option_parse(call->arguments[i], &options, &err);
    if (rc == 0)
        rc = cli_session_begin(call, true, &session, &err);
    if (rc == 0)
        rc = gfs_admin_share_set(session.store, &session.actor, call->arguments[0], &options, &err);
    if (rc == 0)
        rc = describe(&session, call->arguments[0], &share, &err);
    cli_session_end(&session);
    return rc < 0 ? cli_fail(call, &err) : cli_print_done(call, share);
}
