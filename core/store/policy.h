/*
 * An organization's policy: the switches in which the systems that Guildfs follows differ. The
 * schema (policies) says what each one means. What is marked [schema] is enforced there, by a
 * trigger; the rest by whoever decides.
 */
#ifndef GUILDFS_CORE_STORE_POLICY_H
#define GUILDFS_CORE_STORE_POLICY_H

#include "core/store/tx.h"

/* Who may do it. "anyone" "member" "owner" "group-admin" "organization-admin" "holder" */
enum gfs_who {
    GFS_WHO_ANYONE,
    GFS_WHO_MEMBER,
    GFS_WHO_OWNER,
    GFS_WHO_GROUP_ADMIN,
    GFS_WHO_ORGANIZATION_ADMIN,
    GFS_WHO_HOLDER
};
/* "accept" "direct" */
enum gfs_invitation_mode { GFS_INVITATION_ACCEPT, GFS_INVITATION_DIRECT };
/* "per-grant" "title" "all" "none" */
enum gfs_member_content { GFS_CONTENT_PER_GRANT, GFS_CONTENT_TITLE, GFS_CONTENT_ALL, GFS_CONTENT_NONE };
/* "revoke" "copy" "leave-organization" */
enum gfs_removal { GFS_REMOVAL_REVOKE, GFS_REMOVAL_COPY, GFS_REMOVAL_LEAVE_ORGANIZATION };

struct gfs_policy_record {
    gfs_id organization;
    const char *pack;            /* the policy pack that it was set from: "default", "sciserver", "codeocean", "odm",
                                    "shares", "dataworld"; "custom" when changed since */
    enum gfs_who group_makers;   /* anyone, organization-admin */
    enum gfs_who group_removers; /* owner, organization-admin */
    enum gfs_who sharers;        /* member, owner, group-admin, holder */
    int64_t groups_per_user;     /* [schema] accepted memberships in groups that are not built in; 0: any number */
    enum gfs_invitation_mode invitation;
    bool invite_by_email;
    enum gfs_member_content member_content;
    enum gfs_removal removal;
    int64_t organization_admins_max;    /* [schema] 0: any number */
    bool organization_admins_are_users; /* [schema] else they take no seat, and join, own and administer no group */
    bool free_plan_joins;               /* [schema] users on the free plan may be members of groups */
    bool members_only;                  /* [schema] only members of the organization may be in its groups */
    bool directory_users_join;          /* [schema] users from SAML or LDAP may be members of groups */
    bool owner_publishes;               /* only the owner may publish a capsule */
    bool grant_only_held;               /* nobody gives a permission that he does not hold */
    gfs_id ceiling_group;               /* 0: no ceiling */
    gfs_perms ceiling_perms;
    gfs_perms group_admin_capsule_perms;
    gfs_perms organization_admin_perms;
};

int gfs_store_policy_load(struct gfs_store *store, gfs_id organization, struct gfs_policy_record **out,
                          struct gfs_error *err) GFS_NONNULL(1, 3) GFS_MUST_CHECK;
/* -EPERM when what is there already breaks a switch that the schema enforces. */
int gfs_store_policy_update(struct gfs_tx *tx, const struct gfs_policy_record *policy, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;

#endif
