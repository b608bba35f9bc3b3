/* Reading the audit of the store. Who may administer may read it, and nobody else: it names what
 * others did, in all groups. */
#include "core/store/audit.h"

#include "guildfs/admin.h"

int gfs_admin_audit_each(struct gfs_store *store, const struct gfs_actor *actor, int64_t since_ns,
                         int (*each)(void *context, const struct gfs_audit_entry *entry), void *context,
                         struct gfs_error *err) {
    const struct gfs_audit_filter filter = {.since_ns = since_ns};
    int rc = gfs_may_administer(store, actor, NULL, err);
    return rc == 0 ? gfs_store_audit_list(store, &filter, each, context, err) : rc;
}
