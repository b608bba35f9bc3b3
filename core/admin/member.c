/* Memberships of users in groups. */
#include <errno.h>
#include <stdlib.h>

#include "core/admin/change.h"
#include "core/store/group.h"
#include "core/store/user.h"

static json_t *membership_json(const struct gfs_group_record *group, const struct gfs_user_record *user,
                               const struct gfs_membership_record *membership) {
    static const char *const roles[] = {
        [GFS_ROLE_MEMBER] = "member", [GFS_ROLE_ADMIN] = "admin", [GFS_ROLE_OWNER] = "owner"};
    static const char *const statuses[] = {[GFS_INVITED] = "invited",
                                           [GFS_ACCEPTED] = "accepted",
                                           [GFS_DECLINED] = "declined",
                                           [GFS_WITHDRAWN] = "withdrawn"};
    return json_pack("{s:o, s:o, s:s, s:s, s:o}", "group", gfs_audit_text(group->name), "user",
                     gfs_audit_text(user->name), "role", roles[membership->role], "status",
                     statuses[membership->status], "expires_ns",
                     membership->expires_ns == GFS_NEVER ? json_null() : json_integer(membership->expires_ns));
}

static int load_both(struct gfs_store *store, const char *group_name, const char *user_name,
                     struct gfs_group_record **group, struct gfs_user_record **user, struct gfs_error *err) {
    int rc = gfs_store_group_load(store, group_name, group, err);
    return rc == 0 ? gfs_store_user_load(store, user_name, user, err) : rc;
}

static bool same(const struct gfs_membership_record *a, const struct gfs_membership_record *b) {
    return a->role == b->role && a->status == b->status && a->expires_ns == b->expires_ns;
}

int gfs_admin_member_add(struct gfs_store *store, const struct gfs_actor *actor, const char *group_name,
                         const char *user_name, enum gfs_role role, int64_t expires_ns, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *group = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_membership_record *old = NULL;
    struct gfs_admin_change change;
    int rc = gfs_change_begin(store, actor, &change, err);
    if (rc == 0)
        rc = load_both(store, group_name, user_name, &group, &user, err);
    if (rc == 0)
        rc = gfs_store_membership_load(store, group->id, user->id, &old, err);
    if (rc < 0 && !(rc == -ENOENT && group && user))
        return gfs_change_end(&change, rc, err);
    const struct gfs_membership_record membership = {.group = group->id,
                                                     .user = user->id,
                                                     .role = role,
                                                     .status = GFS_ACCEPTED,
                                                     .expires_ns = expires_ns,
                                                     .invited_by = change.acting};
    if (old && same(old, &membership)) {
        gfs_change_cancel(&change);
        return 0;
    }
    rc = gfs_store_membership_put(change.tx, &membership, err);
    if (rc == 0)
        rc = gfs_change_audit(&change, old ? "member.set" : "member.add", "group", group->id, group->name,
                              old ? membership_json(group, user, old) : NULL, membership_json(group, user, &membership),
                              err);
    return gfs_change_end(&change, rc, err);
}

int gfs_admin_member_remove(struct gfs_store *store, const struct gfs_actor *actor, const char *group_name,
                            const char *user_name, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *group = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_membership_record *old = NULL;
    struct gfs_admin_change change;
    int rc = gfs_change_begin(store, actor, &change, err);
    if (rc == 0)
        rc = load_both(store, group_name, user_name, &group, &user, err);
    if (rc == 0)
        rc = gfs_store_membership_load(store, group->id, user->id, &old, err);
    if (rc == -ENOENT && group && user)
        rc = gfs_error_set(err, ENOENT, "%s is no member of the group %s", user->name, group->name);
    if (rc == 0)
        rc = gfs_store_membership_remove(change.tx, group->id, user->id, err);
    if (rc == 0)
        rc = gfs_change_audit(&change, "member.remove", "group", group->id, group->name,
                              membership_json(group, user, old), NULL, err);
    return gfs_change_end(&change, rc, err);
}

int gfs_admin_member_each(struct gfs_store *store, const struct gfs_actor *actor, const char *group_name,
                          const char *user_name,
                          int (*each)(void *context, const struct gfs_membership_record *membership), void *context,
                          struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *group = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    int rc = gfs_may_administer(store, actor, NULL, err);
    if (rc == 0 && group_name)
        rc = gfs_store_group_load(store, group_name, &group, err);
    if (rc == 0 && user_name)
        rc = gfs_store_user_load(store, user_name, &user, err);
    if (rc < 0)
        return rc;
    return gfs_store_membership_list(store, group ? group->id : 0, user ? user->id : 0, each, context, err);
}
