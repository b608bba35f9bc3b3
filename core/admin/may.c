/* Who may administer: the one place that says so. */
#include <errno.h>

#include "core/store/user.h"
#include "guildfs/admin.h"

/* Today administration is the system administrator's, and that of users marked as such. What
 * owners and admins of groups may do by themselves is decided here too, when it comes. */
int gfs_may_administer(struct gfs_store *store, const struct gfs_actor *actor, gfs_id *acting, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    gfs_id id = 0;
    if (actor->user) {
        int rc = gfs_store_user_load(store, actor->user, &user, err);
        if (rc < 0)
            return rc;
        if (user->suspended)
            return gfs_error_set(err, EPERM, "%s is suspended, and may not administer the store", user->name);
        if (!user->system_admin)
            return gfs_error_set(err, EPERM, "%s is no system administrator, and may not administer the store",
                                 user->name);
        id = user->id;
    }
    if (acting)
        *acting = id;
    return 0;
}
