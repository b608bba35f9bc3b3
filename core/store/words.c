#include "core/store/words.h"

#include <errno.h>
#include <string.h>

#include "guildfs/uuid.h"

static const char *const plans[] = {
    [GFS_PLAN_FREE] = "free", [GFS_PLAN_TEAM] = "team", [GFS_PLAN_INSTITUTIONAL] = "institutional"};
const struct gfs_words gfs_plan_words = {plans, 3, "plan"};

static const char *const sources[] = {
    [GFS_SOURCE_LOCAL] = "local", [GFS_SOURCE_SCIM] = "scim", [GFS_SOURCE_SAML] = "saml", [GFS_SOURCE_LDAP] = "ldap"};
const struct gfs_words gfs_source_words = {sources, 4, "identity source"};

static const char *const user_statuses[] = {[false] = "active", [true] = "suspended"};
const struct gfs_words gfs_user_status_words = {user_statuses, 2, "status of a user"};

static const char *const roles[] = {
    [GFS_ROLE_MEMBER] = "member", [GFS_ROLE_ADMIN] = "admin", [GFS_ROLE_OWNER] = "owner"};
const struct gfs_words gfs_role_words = {roles, 3, "role"};

static const char *const membership_statuses[] = {
    [GFS_INVITED] = "invited", [GFS_ACCEPTED] = "accepted", [GFS_DECLINED] = "declined", [GFS_WITHDRAWN] = "withdrawn"};
const struct gfs_words gfs_membership_status_words = {membership_statuses, 4, "status of a membership"};

static const char *const kinds[] = {[GFS_KIND_FILES] = "files",
                                    [GFS_KIND_VOLUME] = "volume",
                                    [GFS_KIND_DATABASE] = "database",
                                    [GFS_KIND_IMAGE] = "image",
                                    [GFS_KIND_CAPSULE] = "capsule"};
const struct gfs_words gfs_kind_words = {kinds, GFS_KIND_COUNT, "kind of share"};

static const char *const share_states[] = {[GFS_SHARE_ACTIVE] = "active", [GFS_SHARE_ARCHIVED] = "archived"};
const struct gfs_words gfs_share_state_words = {share_states, 2, "state of a share"};

static const char *const overwrites[] = {[false] = "delete", [true] = "upload"};
const struct gfs_words gfs_overwrite_words = {overwrites, 2, "rule for overwriting"};

static const char *const data_modes[] = {[GFS_DATA_REVOCABLE] = "revocable", [GFS_DATA_FAST] = "fast"};
const struct gfs_words gfs_data_mode_words = {data_modes, 2, "data mode"};

static const char *const audits[] = {
    [GFS_AUDIT_NONE] = "none", [GFS_AUDIT_CHANGES] = "changes", [GFS_AUDIT_ALL] = "all"};
const struct gfs_words gfs_share_audit_words = {audits, 3, "depth of audit"};
static const char *const revokes[] = {[GFS_REVOKE_POISON] = "poison", [GFS_REVOKE_KILL] = "kill"};
const struct gfs_words gfs_on_revoke_words = {revokes, 2, "way to revoke"};

int gfs_store_uuid(char *uuid, struct gfs_error *err) {
    int rc = gfs_uuid_new(uuid);

    return rc < 0 ? gfs_error_set(err, -rc, "the system gives no random numbers: %s", strerror(-rc)) : 0;
}
