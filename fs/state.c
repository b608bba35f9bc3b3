#include <errno.h>
#include <string.h>

#include "fs/audit.h"
#include "fs/call.h"
#include "fs/crash.h"
#include "fs/names.h"
#include "fs/notify.h"
#include "fs/ops/ops.h"
#include "fs/poison.h"
#include "fs/quota.h"
#include "fs/remnants.h"
#include "fs/watch.h"

int gfs_mount_tables_new(struct gfs_mount *mount, struct gfs_error *err) {
    int rc = gfs_nodes_new(&mount->nodes);
    if (!rc)
        rc = gfs_views_new(&mount->views);
    if (!rc)
        rc = gfs_notifier_new(&mount->notifier);
    if (!rc)
        rc = gfs_locks_new(&mount->locks);
    if (!rc)
        rc = gfs_quotas_new(&mount->quotas);
    if (!rc)
        rc = gfs_names_new(&mount->names);
    if (!rc)
        rc = gfs_opened_list_new(&mount->opened);
    if (!rc)
        rc = gfs_audit_new(&(struct gfs_audit_options){.store = mount->options.store,
                                                       .mount = mount->options.mountpoint,
                                                       .limit_bytes = mount->options.audit_bytes,
                                                       .keep = mount->options.audit_keep},
                           &mount->audit);
    if (!rc)
        rc = gfs_poison_new(&mount->poison);
    if (!rc)
        rc = gfs_revoker_new(&mount->revoker);
    if (!rc)
        rc = gfs_remnants_new(&mount->remnants);
    if (!rc)
        rc = gfs_watch_new(mount, &mount->watch);
    if (!rc)
        rc = gfs_views_set_root(mount);
    if (rc) {
        gfs_mount_tables_free(mount);
        return gfs_error_set(err, -rc, "cannot prepare the mount: %s", strerror(-rc));
    }
    return 0;
}

int gfs_mount_start(struct gfs_mount *mount, dev_t device, struct gfs_error *err) {
    struct gfs_authority_status status;
    int rc = gfs_notifier_start(mount);

    mount->device = device;
    gfs_authority_status(mount->authority, &status);
    gfs_crash_note(mount, status.generation);
    if (!rc)
        rc = gfs_poison_start(mount, device);
    if (!rc)
        rc = gfs_remnants_start(mount, device);
    if (!rc)
        rc = gfs_revoker_start(mount);
    if (!rc)
        rc = gfs_watch_start(mount);
    if (!rc)
        rc = gfs_audit_start(mount->audit);
    return rc ? gfs_error_set(err, -rc, "cannot start a thread: %s", strerror(-rc)) : 0;
}

void gfs_mount_stop(struct gfs_mount *mount) {
    gfs_locks_stop(mount->locks);
    gfs_poison_stop(mount);
    gfs_revoker_stop(mount);
    gfs_remnants_stop(mount);
    gfs_crash_forget(mount);
    gfs_opened_list_free(mount); /* while there is a session that can be told */
    gfs_watch_stop(mount);
    gfs_notifier_stop(mount);
    gfs_audit_stop(mount->audit);
}

void gfs_mount_tables_free(struct gfs_mount *mount) {
    gfs_audit_free(mount->audit);
    gfs_opened_list_free(mount);
    gfs_remnants_free(mount->remnants);
    gfs_revoker_free(mount->revoker);
    gfs_poison_free(mount->poison);
    gfs_watch_free(mount->watch);
    gfs_names_free(mount->names);
    gfs_quotas_free(mount->quotas);
    gfs_locks_free(mount->locks);
    gfs_notifier_free(mount->notifier);
    gfs_nodes_free(mount->nodes);
    gfs_views_free(mount->views);
    mount->audit = NULL;
    mount->remnants = NULL;
    mount->revoker = NULL;
    mount->poison = NULL;
    mount->watch = NULL;
    mount->names = NULL;
    mount->quotas = NULL;
    mount->locks = NULL;
    mount->notifier = NULL;
    mount->nodes = NULL;
    mount->views = NULL;
}

void gfs_mount_count(struct gfs_mount *mount, struct gfs_mount_counts *out) {
    struct gfs_mount_counts counts = {
        .views = gfs_views_count(mount),
        .open_handles = mount->open_handles,
        .requests = mount->requests,
        .denied = mount->denied,
    };
    gfs_nodes_count(mount, &counts.nodes, &counts.backings, &counts.descriptors);
    *out = counts;
}
