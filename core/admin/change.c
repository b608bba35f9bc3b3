#include "core/admin/change.h"

#include <errno.h>
#include <stdlib.h>

int gfs_change_begin(struct gfs_store *store, const struct gfs_actor *actor, struct gfs_admin_change *out,
                     struct gfs_error *err) {
    struct gfs_admin_change change = {.actor = actor};
    *out = change;
    int rc = gfs_tx_begin(store, &change.tx, err);
    if (rc == 0)
        rc = gfs_may_administer(store, actor, &change.acting, err);
    *out = change;
    return rc;
}

json_t *gfs_audit_text(const char *text) {
    json_t *string = text ? json_string(text) : NULL;
    return string ? string : json_null();
}

/* The JSON's text; takes over the value. The caller frees the text. */
static char *dump(json_t *value) {
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(value);
    return text;
}

int gfs_change_audit(struct gfs_admin_change *change, const char *action, const char *kind, gfs_id id, const char *name,
                     json_t *before, json_t *after, struct gfs_error *err) {
    bool had_before = before, had_after = after;
    char *before_text = dump(before), *after_text = dump(after);
    const struct gfs_audit_entry entry = {
        .actor = change->acting,
        .actor_name = change->actor->user ? change->actor->user : "system",
        .origin = change->actor->from,
        .action = action,
        .object_kind = kind,
        .object = id,
        .object_name = name,
        .before = before_text,
        .after = after_text,
    };
    int rc = 0;
    if ((had_before && !before_text) || (had_after && !after_text))
        rc = gfs_error_set(err, ENOMEM, "out of memory");
    if (rc == 0)
        rc = gfs_tx_audit(change->tx, &entry, err);
    free(before_text);
    free(after_text);
    return rc;
}

int gfs_change_end(struct gfs_admin_change *change, int rc, struct gfs_error *err) {
    if (rc == 0)
        rc = gfs_tx_commit(change->tx, err);
    gfs_change_cancel(change);
    return rc;
}

void gfs_change_cancel(struct gfs_admin_change *change) {
    gfs_tx_end(change->tx);
    change->tx = NULL;
}
