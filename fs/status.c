/* What a mount says of itself. */
#include "fs/control.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fs/audit_queue.h"
#include "fs/remnants.h"
#include "fs/revoke.h"
#include "fs/watch.h"
#include "guildfs/clock.h"

/* JSON is UTF-8; a path need not be. */
static json_t *text(const char *value) {
    json_t *exact = json_string(value);
    if (exact)
        return exact;
    char *copy = strdup(value);
    if (!copy)
        return NULL;
    for (char *byte = copy; *byte; byte++) {
        if ((unsigned char)*byte >= 0x80)
            *byte = '?';
    }
    json_t *approximate = json_string(copy);
    free(copy);
    return approximate;
}

/* RFC 3339, to the millisecond; null for a time that has not come. */
static json_t *moment(int64_t ns) {
    time_t seconds = (time_t)(ns / GFS_NS_PER_S);
    struct tm parts;
    char whole[32], shown[48];
    if (ns <= 0 || !gmtime_r(&seconds, &parts) || strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
        return json_null();
    snprintf(shown, sizeof shown, "%s.%03dZ", whole, (int)(ns % GFS_NS_PER_S / (GFS_NS_PER_S / 1000)));
    return json_string(shown);
}

static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

static void add_authority(json_t *object, const struct gfs_authority_status *status) {
    json_object_set_new(object, "generation", number(status->generation));
    json_object_set_new(object, "loaded", moment(status->loaded_ns));
    json_object_set_new(object, "last_read", moment(status->last_read_ns));
    json_object_set_new(object, "stale", json_boolean(status->stale));
    json_object_set_new(object, "problem", text(status->problem));
}

static void add_counts(json_t *object, const struct gfs_mount_counts *counts) {
    json_object_set_new(object, "views", number(counts->views));
    json_object_set_new(object, "nodes", number(counts->nodes));
    json_object_set_new(object, "backings", number(counts->backings));
    json_object_set_new(object, "descriptors", number(counts->descriptors));
    json_object_set_new(object, "open_handles", number(counts->open_handles));
    json_object_set_new(object, "requests", number(counts->requests));
    json_object_set_new(object, "denied", number(counts->denied));
}

static void add_audit(json_t *object, const struct gfs_audit_status *status) {
    json_object_set_new(object, "audit_lines", number(status->written));
    json_object_set_new(object, "audit_lost", number(status->lost));
    json_object_set_new(object, "audit_problem", text(status->problem));
}

/* ---- what could not be taken back ---- */

enum { HOLDERS_SHOWN = 100 };

struct shown {
    json_t *list;
    const struct gfs_snapshot *snapshot; /* NULL: the store cannot be read */
    uint64_t more;
};

/* "genomics/files/atlas", as the command line names it. */
static json_t *share_reference(const struct gfs_snapshot *snapshot, gfs_id id) {
    const struct gfs_share *share = snapshot ? gfs_snapshot_share(snapshot, id) : NULL;
    const struct gfs_group *group = share ? gfs_snapshot_group(snapshot, share->group) : NULL;
    char reference[1024];

    if (!share)
        return json_null();
    snprintf(reference, sizeof reference, "%s%s%s/%s", group ? group->name : "", group ? "/" : "",
             gfs_kind_folder(share->kind), share->name);
    return text(reference);
}

static void add_holder(void *context, const struct gfs_holder *holder) {
    struct shown *shown = context;
    const struct gfs_user *user = shown->snapshot ? gfs_snapshot_user(shown->snapshot, holder->user) : NULL;

    if (json_array_size(shown->list) == HOLDERS_SHOWN) {
        shown->more++;
        return;
    }
    json_array_append_new(shown->list,
                          json_pack("{s:i, s:o, s:I, s:o, s:o, s:I, s:I, s:I}", "pid", (int)holder->process, "program",
                                    text(holder->program), "uid", (json_int_t)holder->uid, "user",
                                    user ? text(user->name) : json_null(), "share",
                                    share_reference(shown->snapshot, holder->share), "generation",
                                    (json_int_t)holder->generation, "descriptors", (json_int_t)holder->descriptors,
                                    "mappings", (json_int_t)holder->mappings));
}

static void add_holders(json_t *object, struct gfs_mount *mount) {
    struct shown shown = {.list = json_array(), .snapshot = gfs_authority_enter(mount->authority)};

    if (shown.list)
        gfs_remnants_visit(mount, add_holder, &shown);
    gfs_authority_leave(mount->authority, shown.snapshot);
    json_object_set_new(object, "not_closed", shown.list);
    json_object_set_new(object, "not_closed_more", number(shown.more));
}

/* ---- what is watched ---- */

static void add_watched(void *context, const char *path, const char *type, const char *reason) {
    json_t *list = context, *object = json_object();

    json_object_set_new(object, "path", text(path));
    json_object_set_new(object, "type", text(type));
    json_object_set_new(object, "watch", json_string(reason ? "off" : "on"));
    json_object_set_new(object, "reason", reason ? json_string(reason) : json_null());
    json_array_append_new(list, object);
}

static void add_watch(json_t *object, struct gfs_mount *mount) {
    json_t *list = json_array();
    uint64_t events, overflows;

    gfs_watch_list(mount, add_watched, list);
    gfs_watch_count(mount, &events, &overflows);
    json_object_set_new(object, "watch", list);
    json_object_set_new(object, "watch_events", number(events));
    json_object_set_new(object, "watch_overflows", number(overflows));
}

char *gfs_control_describe(struct gfs_mount *mount) {
    struct gfs_authority_status status = {.generation = 0};
    struct gfs_mount_counts counts = {.views = 0};
    struct gfs_audit_status audit;
    json_t *object = json_object();
    if (!object)
        return NULL;
    gfs_authority_status(mount->authority, &status);
    gfs_mount_count(mount, &counts);
    json_object_set_new(object, "version", json_string(GUILDFS_VERSION));
    json_object_set_new(object, "pid", json_integer(getpid()));
    json_object_set_new(object, "store", text(mount->options.store));
    json_object_set_new(object, "mountpoint", text(mount->options.mountpoint));
    json_object_set_new(object, "user", mount->options.user ? text(mount->options.user) : json_null());
    add_authority(object, &status);
    json_object_set_new(object, "settled", number(gfs_revoker_settled(mount, status.generation)));
    add_counts(object, &counts);
    add_holders(object, mount);
    const char *no_passthrough = atomic_load(&mount->no_passthrough);
    json_object_set_new(object, "passthrough", no_passthrough ? text(no_passthrough) : json_string("works"));
    gfs_audit_status(mount->audit, &audit);
    add_audit(object, &audit);
    add_watch(object, mount);
    char *line = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return line;
}
