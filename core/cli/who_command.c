/* guildfs who: everybody who holds any permission on a path, and why. */
#include <stdlib.h>

#include "core/cli/commands.h"
#include "core/cli/locate.h"
#include "core/cli/output.h"
#include "core/cli/policy.h"
#include "guildfs/clock.h"

static const struct cli_column columns[] = {
    {"user", "USER"}, {"perms", "PERMISSIONS"}, {"why", "WHY"}, {"sources", NULL}, {0},
};

/* ["group physics", "owner"]: for the table. */
static json_t *why(const json_t *sources) {
    json_t *list = json_array();
    size_t i;
    const json_t *source;
    json_array_foreach(sources, i, source) {
        json_array_append(list, json_object_get(source, "via"));
    }
    return list;
}

static json_t *describe(const struct gfs_snapshot *snapshot, const struct gfs_user *user, const struct gfs_share *share,
                        gfs_perms perms) {
    json_t *sources = cli_json_sources(snapshot, user->id, share->id);
    return json_pack("{s:o, s:o, s:o, s:o}", "user", cli_json_text(user->name), "perms", cli_json_perms(perms), "why",
                     why(sources), "sources", sources);
}

static json_t *everybody(const struct gfs_snapshot *snapshot, const struct gfs_share *share) {
    json_t *list = json_array();
    int64_t now_ns = gfs_now_ns();
    size_t count = gfs_snapshot_user_count(snapshot);
    for (size_t i = 0; list && i < count; i++) {
        const struct gfs_user *user = gfs_snapshot_user_at(snapshot, i);
        const struct gfs_rights *rights = gfs_snapshot_rights(snapshot, user->id, now_ns);
        gfs_perms perms = rights ? gfs_rights_on(rights, share->id) : 0;
        if (share->archived)
            perms &= GFS_VIEW | GFS_DOWNLOAD; /* what counts of them there */
        if (perms)
            json_array_append_new(list, describe(snapshot, user, share, perms));
    }
    return list;
}

enum gfs_exit cli_who(struct cli_call *call) {
    struct gfs_error err;
    struct gfs_snapshot *snapshot = NULL;
    struct cli_location location;
    enum gfs_exit result;
    if (cli_load_policy(call, &snapshot, &err) < 0 ||
        cli_locate(snapshot, NULL, call->arguments[0], &location, &err) < 0)
        result = cli_fail(call, &err);
    else
        result = cli_print_list(call, everybody(snapshot, location.share), columns);
    gfs_snapshot_free(snapshot);
    return result;
}
