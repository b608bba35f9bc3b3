/* Users. */
#include "core/store/user.h"

#include "core/admin/change.h"
#include "core/store/organization.h"
#include "guildfs/name.h"

static json_t *id_json(uint32_t id) {
    return id == GFS_NO_UID ? json_null() : json_integer(id);
}

static json_t *user_json(const struct gfs_user_record *user) {
    return json_pack("{s:o, s:o, s:o, s:b}", "name", gfs_audit_text(user->name), "uid", id_json(user->uid), "gid",
                     id_json(user->gid), "suspended", (int)user->suspended);
}

/* A new user belongs to the default organization, so that what is given to it reaches everybody. */
static int join_organization(struct gfs_tx *tx, gfs_id user, struct gfs_error *err) {
    const struct gfs_organization_member_record member = {
        .organization = GFS_DEFAULT_ORGANIZATION, .user = user, .active = true, .expires_ns = GFS_NEVER};
    return gfs_store_organization_member_put(tx, &member, err);
}

/* The store says what is taken; this says whose. */
static int add_row(struct gfs_tx *tx, const struct gfs_user_record *user, gfs_id *id, struct gfs_error *err) {
    int rc = gfs_store_user_add(tx, user, id, err);
    return rc < 0 && err ? gfs_error_prefix(err, "user \"%s\"", user->name) : rc;
}

int gfs_admin_user_add(struct gfs_store *store, const struct gfs_actor *actor, const char *name, uint32_t uid,
                       uint32_t gid, struct gfs_error *err) {
    struct gfs_user_record user = gfs_user_record_default(name);
    struct gfs_admin_change change;
    gfs_id id = 0;
    user.uid = uid;
    user.gid = gid;
    int rc = gfs_name_check("user name", name, err);
    if (rc < 0)
        return rc;
    rc = gfs_change_begin(store, actor, &change, err);
    if (rc == 0)
        rc = add_row(change.tx, &user, &id, err);
    if (rc == 0)
        rc = join_organization(change.tx, id, err);
    if (rc == 0)
        rc = gfs_change_audit(&change, "user.add", "user", id, name, NULL, user_json(&user), err);
    return gfs_change_end(&change, rc, err);
}

static void apply(struct gfs_user_record *user, const struct gfs_user_change *change) {
    if (change->set_uid)
        user->uid = change->uid;
    if (change->set_gid)
        user->gid = change->gid;
    if (change->set_suspended)
        user->suspended = change->suspended;
}

int gfs_admin_user_set(struct gfs_store *store, const struct gfs_actor *actor, const char *name,
                       const struct gfs_user_change *wanted, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    struct gfs_admin_change change;
    int rc = gfs_change_begin(store, actor, &change, err);
    if (rc == 0)
        rc = gfs_store_user_load(store, name, &user, err);
    if (rc < 0)
        return gfs_change_end(&change, rc, err);
    json_t *before = user_json(user);
    apply(user, wanted);
    json_t *after = user_json(user);
    if (json_equal(before, after)) {
        gfs_change_cancel(&change);
    } else {
        rc = gfs_store_user_update(change.tx, user, err);
        if (rc == 0)
            rc = gfs_change_audit(&change, "user.set", "user", user->id, user->name, json_incref(before),
                                  json_incref(after), err);
        rc = gfs_change_end(&change, rc, err);
    }
    json_decref(before);
    json_decref(after);
    return rc;
}

int gfs_admin_user_load(struct gfs_store *store, const struct gfs_actor *actor, const char *name,
                        struct gfs_user_record **out, struct gfs_error *err) {
    int rc = gfs_may_administer(store, actor, NULL, err);
    return rc == 0 ? gfs_store_user_load(store, name, out, err) : rc;
}

int gfs_admin_user_each(struct gfs_store *store, const struct gfs_actor *actor,
                        int (*each)(void *context, const struct gfs_user_record *user), void *context,
                        struct gfs_error *err) {
    int rc = gfs_may_administer(store, actor, NULL, err);
    return rc == 0 ? gfs_store_user_list(store, each, context, err) : rc;
}
