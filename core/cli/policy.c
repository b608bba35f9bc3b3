#include "core/cli/policy.h"

#include "core/cli/output.h"
#include "guildfs/admin.h"
#include "guildfs/clock.h"
#include "guildfs/store.h"

int cli_load_policy(const struct cli_call *call, struct gfs_snapshot **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_store_closep) struct gfs_store *store = NULL;
    struct gfs_actor actor;
    int rc = cli_actor(call, &actor, err);
    if (rc == 0)
        rc = cli_open_store(call, false, &store, err);
    if (rc == 0)
        rc = gfs_may_administer(store, &actor, NULL, err);
    return rc == 0 ? gfs_snapshot_load(store, out, err) : rc;
}

void cli_sources_get(const struct gfs_snapshot *snapshot, gfs_id user, gfs_id share, struct cli_sources *out) {
    gfs_perms ceiling = 0;
    bool suspended = false;
    size_t count = gfs_snapshot_sources(snapshot, user, share, gfs_now_ns(), out->list, CLI_MAX_SOURCES, out->text,
                                        sizeof(out->text), &ceiling, &suspended);
    out->count = count < CLI_MAX_SOURCES ? count : CLI_MAX_SOURCES;
}

json_t *cli_json_sources(const struct gfs_snapshot *snapshot, gfs_id user, gfs_id share) {
    struct cli_sources sources;
    cli_sources_get(snapshot, user, share, &sources);
    json_t *list = json_array();
    for (size_t i = 0; i < sources.count; i++) {
        json_array_append_new(list, json_pack("{s:o, s:o}", "via", cli_json_text(sources.list[i].via), "perms",
                                              cli_json_perms(sources.list[i].perms)));
    }
    return list;
}
