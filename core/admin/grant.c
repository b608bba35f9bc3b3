/* Authorizations. */
#include "core/store/grant.h"

#include <errno.h>
#include <string.h>

#include "core/admin/change.h"
#include "core/store/group.h"
#include "core/store/organization.h"
#include "core/store/share.h"
#include "core/store/team.h"
#include "core/store/user.h"

/* ---- subjects ---- */

static int user_id(struct gfs_store *store, const char *name, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    int rc = gfs_store_user_load(store, name, &user, err);
    *id = rc == 0 ? user->id : 0;
    return rc;
}

static int group_id(struct gfs_store *store, const char *name, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *group = NULL;
    int rc = gfs_store_group_load(store, name, &group, err);
    *id = rc == 0 ? group->id : 0;
    return rc;
}

static int team_id(struct gfs_store *store, const char *name, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_team_record *team = NULL;
    int rc = gfs_store_team_load(store, name, &team, err);
    *id = rc == 0 ? team->id : 0;
    return rc;
}

static int organization_id(struct gfs_store *store, const char *name, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_organization_record *organization = NULL;
    int rc = gfs_store_organization_load(store, name, &organization, err);
    *id = rc == 0 ? organization->id : 0;
    return rc;
}

static const struct {
    const char *prefix;
    enum gfs_subject_kind kind;
    int (*find)(struct gfs_store *store, const char *name, gfs_id *id, struct gfs_error *err);
} subject_kinds[] = {
    {"user:", GFS_SUBJECT_USER, user_id},
    {"group:", GFS_SUBJECT_GROUP, group_id},
    {"team:", GFS_SUBJECT_TEAM, team_id},
    {"organization:", GFS_SUBJECT_ORGANIZATION, organization_id},
};

static int find_subject(struct gfs_store *store, const char *text, struct gfs_grant_record *grant,
                        struct gfs_error *err) {
    if (strcmp(text, "everyone") == 0) {
        grant->subject_kind = GFS_SUBJECT_EVERYONE;
        return 0;
    }
    for (size_t i = 0; i < sizeof(subject_kinds) / sizeof(subject_kinds[0]); i++) {
        size_t length = strlen(subject_kinds[i].prefix);
        if (strncmp(text, subject_kinds[i].prefix, length) == 0 && text[length]) {
            grant->subject_kind = subject_kinds[i].kind;
            return subject_kinds[i].find(store, text + length, &grant->subject, err);
        }
    }
    return gfs_error_set(err, EINVAL,
                         "\"%s\" is no subject; it is user:NAME, group:NAME, team:NAME, organization:NAME or everyone",
                         text);
}

static const char *bare_reference(const char *reference) {
    return strncmp(reference, "share:", 6) == 0 ? reference + 6 : reference;
}

/* ---- granting and revoking ---- */

static json_t *grant_json(const char *subject, const struct gfs_grant_record *grant) {
    char perms[GFS_PERMS_TEXT_SIZE];
    gfs_perms_format(grant->perms, perms);
    return json_pack("{s:o, s:s, s:o}", "subject", gfs_audit_text(subject), "perms", perms, "expires_ns",
                     grant->expires_ns == GFS_NEVER ? json_null() : json_integer(grant->expires_ns));
}

/* The share and the subject that the words mean, and the authorization that is there: *old is NULL
 * when there is none. */
static int find(struct gfs_admin_change *change, const char *subject, const char *reference,
                struct gfs_share_record **share, struct gfs_grant_record *key, struct gfs_grant_record **old,
                struct gfs_error *err) {
    struct gfs_store *store = gfs_tx_store(change->tx);
    int rc = gfs_store_share_load(store, bare_reference(reference), share, err);
    if (rc == 0)
        rc = find_subject(store, subject, key, err);
    if (rc < 0)
        return rc;
    key->object_kind = GFS_OBJECT_SHARE;
    key->object = (*share)->id;
    key->granted_by = change->acting;
    rc = gfs_store_grant_load(store, key, old, err);
    return rc == -ENOENT ? 0 : rc;
}

/* What the authorization becomes. 1: as it is; 0; or an error. */
static int add(struct gfs_grant_record *grant, const struct gfs_grant_record *old, const char *subject, int64_t now_ns,
               struct gfs_error *err) {
    /* What has ended gives nothing any more, and so comes back only when it is given anew. */
    if (!old || old->expires_ns <= now_ns)
        return 0;
    if (old->expires_ns == grant->expires_ns) {
        grant->perms |= old->perms;
        return grant->perms == old->perms;
    }
    if (gfs_perms_include(grant->perms, old->perms))
        return 0;
    char perms[GFS_PERMS_TEXT_SIZE];
    gfs_perms_format(old->perms, perms);
    return gfs_error_set(err, EEXIST,
                         "%s holds %s already, with another end; an authorization has one end: name these permissions "
                         "too, or give the same --until",
                         subject, perms);
}

int gfs_admin_grant(struct gfs_store *store, const struct gfs_actor *actor, const char *subject, const char *reference,
                    gfs_perms perms, int64_t expires_ns, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_grant_record *old = NULL;
    struct gfs_grant_record grant = {.perms = perms, .expires_ns = expires_ns};
    struct gfs_admin_change change;
    if (perms == 0)
        return gfs_error_set(err, EINVAL, "there is no permission to grant; guildfs revoke takes permissions away");
    int rc = gfs_change_begin(store, actor, &change, err);
    if (rc == 0)
        rc = find(&change, subject, reference, &share, &grant, &old, err);
    if (rc == 0)
        rc = add(&grant, old, subject, gfs_tx_now_ns(change.tx), err);
    if (rc > 0) {
        gfs_change_cancel(&change);
        return 0;
    }
    if (rc == 0)
        rc = gfs_store_grant_put(change.tx, &grant, err);
    if (rc == 0)
        rc = gfs_change_audit(&change, "grant.set", "share", share->id, share->name,
                              old ? grant_json(subject, old) : NULL, grant_json(subject, &grant), err);
    return gfs_change_end(&change, rc, err);
}

int gfs_admin_revoke(struct gfs_store *store, const struct gfs_actor *actor, const char *subject, const char *reference,
                     gfs_perms perms, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_grant_record *old = NULL;
    struct gfs_grant_record grant = {0};
    struct gfs_admin_change change;
    if (perms == 0)
        return gfs_error_set(err, EINVAL, "there is no permission to revoke");
    int rc = gfs_change_begin(store, actor, &change, err);
    if (rc == 0)
        rc = find(&change, subject, reference, &share, &grant, &old, err);
    if (rc == 0 && (!old || !(old->perms & perms)))
        rc = gfs_error_set(err, ENOENT, "%s has no such authorization on the share \"%s\"", subject, share->name);
    if (rc < 0)
        return gfs_change_end(&change, rc, err);
    grant.perms = old->perms & (gfs_perms)~perms;
    grant.expires_ns = old->expires_ns;
    rc = grant.perms ? gfs_store_grant_put(change.tx, &grant, err) : gfs_store_grant_remove(change.tx, &grant, err);
    if (rc == 0)
        rc = gfs_change_audit(&change, grant.perms ? "grant.set" : "grant.remove", "share", share->id, share->name,
                              grant_json(subject, old), grant.perms ? grant_json(subject, &grant) : NULL, err);
    return gfs_change_end(&change, rc, err);
}

int gfs_admin_grant_each(struct gfs_store *store, const struct gfs_actor *actor, const char *reference,
                         int (*each)(void *context, const struct gfs_grant_record *grant), void *context,
                         struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    int rc = gfs_may_administer(store, actor, NULL, err);
    if (rc == 0)
        rc = gfs_store_share_load(store, bare_reference(reference), &share, err);
    return rc == 0 ? gfs_store_grant_list_object(store, GFS_OBJECT_SHARE, share->id, each, context, err) : rc;
}
