#include "core/store/policy.h"

#include "core/store/transaction.h"

/* Each switch knows its own part of these words; the schema checks which. */
static const char *const whos[] = {
    [GFS_WHO_ANYONE] = "anyone",
    [GFS_WHO_MEMBER] = "member",
    [GFS_WHO_OWNER] = "owner",
    [GFS_WHO_GROUP_ADMIN] = "group-admin",
    [GFS_WHO_ORGANIZATION_ADMIN] = "organization-admin",
    [GFS_WHO_HOLDER] = "holder",
};
static const struct gfs_words who_words = {whos, 6, "class of people in a policy"};

static const char *const invitations[] = {[GFS_INVITATION_ACCEPT] = "accept", [GFS_INVITATION_DIRECT] = "direct"};
static const struct gfs_words invitation_words = {invitations, 2, "way to invite"};

static const char *const contents[] = {[GFS_CONTENT_PER_GRANT] = "per-grant",
                                       [GFS_CONTENT_TITLE] = "title",
                                       [GFS_CONTENT_ALL] = "all",
                                       [GFS_CONTENT_NONE] = "none"};
static const struct gfs_words content_words = {contents, 4, "content for members"};

static const char *const removals[] = {[GFS_REMOVAL_REVOKE] = "revoke",
                                       [GFS_REMOVAL_COPY] = "copy",
                                       [GFS_REMOVAL_LEAVE_ORGANIZATION] = "leave-organization"};
static const struct gfs_words removal_words = {removals, 3, "effect of a removal"};

static void read_policy(struct gfs_statement *statement, void *record) {
    struct gfs_policy_record *policy = record;

    policy->organization = gfs_column_id(statement);
    policy->pack = gfs_column_need(statement);
    policy->group_makers = (enum gfs_who)gfs_column_word(statement, &who_words);
    policy->group_removers = (enum gfs_who)gfs_column_word(statement, &who_words);
    policy->sharers = (enum gfs_who)gfs_column_word(statement, &who_words);
    policy->groups_per_user = gfs_column_int(statement);
    policy->invitation = (enum gfs_invitation_mode)gfs_column_word(statement, &invitation_words);
    policy->invite_by_email = gfs_column_int(statement) != 0;
    policy->member_content = (enum gfs_member_content)gfs_column_word(statement, &content_words);
    policy->removal = (enum gfs_removal)gfs_column_word(statement, &removal_words);
    policy->organization_admins_max = gfs_column_int(statement);
    policy->organization_admins_are_users = gfs_column_int(statement) != 0;
    policy->free_plan_joins = gfs_column_int(statement) != 0;
    policy->members_only = gfs_column_int(statement) != 0;
    policy->directory_users_join = gfs_column_int(statement) != 0;
    policy->owner_publishes = gfs_column_int(statement) != 0;
    policy->grant_only_held = gfs_column_int(statement) != 0;
    policy->ceiling_group = gfs_column_id(statement);
    policy->ceiling_perms = (gfs_perms)gfs_column_int(statement);
    policy->group_admin_capsule_perms = (gfs_perms)gfs_column_int(statement);
    policy->organization_admin_perms = (gfs_perms)gfs_column_int(statement);
}

static const size_t texts[] = {offsetof(struct gfs_policy_record, pack)};
static const struct gfs_record_type type = {sizeof(struct gfs_policy_record), texts, 1, read_policy};

int gfs_store_policy_load(struct gfs_store *store, gfs_id organization, struct gfs_policy_record **out,
                          struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, store,
        "SELECT organization_id, pack, group_makers, group_removers, sharers, groups_per_user, invitation, "
        "invite_by_email, member_content, removal, organization_admins_max, organization_admins_are_users, "
        "free_plan_joins, members_only, directory_users_join, owner_publishes, grant_only_held, "
        "ceiling_group_id, ceiling_perms, group_admin_capsule_perms, organization_admin_perms "
        "FROM policies WHERE organization_id = ?1",
        err);
    gfs_bind_int(&statement, organization);
    return gfs_statement_load(&statement, &type, out, "there is no organization with id %lld", (long long)organization);
}

int gfs_store_policy_update(struct gfs_tx *tx, const struct gfs_policy_record *policy, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(
        &statement, tx->store,
        "UPDATE policies SET pack = ?2, group_makers = ?3, group_removers = ?4, sharers = ?5, "
        "groups_per_user = ?6, invitation = ?7, invite_by_email = ?8, member_content = ?9, removal = ?10, "
        "organization_admins_max = ?11, organization_admins_are_users = ?12, free_plan_joins = ?13, "
        "members_only = ?14, directory_users_join = ?15, owner_publishes = ?16, grant_only_held = ?17, "
        "ceiling_group_id = ?18, ceiling_perms = ?19, group_admin_capsule_perms = ?20, "
        "organization_admin_perms = ?21 WHERE organization_id = ?1",
        err);
    gfs_bind_int(&statement, policy->organization);
    gfs_bind_text(&statement, policy->pack);
    gfs_bind_word(&statement, &who_words, (int)policy->group_makers);
    gfs_bind_word(&statement, &who_words, (int)policy->group_removers);
    gfs_bind_word(&statement, &who_words, (int)policy->sharers);
    gfs_bind_int(&statement, policy->groups_per_user);
    gfs_bind_word(&statement, &invitation_words, (int)policy->invitation);
    gfs_bind_int(&statement, policy->invite_by_email);
    gfs_bind_word(&statement, &content_words, (int)policy->member_content);
    gfs_bind_word(&statement, &removal_words, (int)policy->removal);
    gfs_bind_int(&statement, policy->organization_admins_max);
    gfs_bind_int(&statement, policy->organization_admins_are_users);
    gfs_bind_int(&statement, policy->free_plan_joins);
    gfs_bind_int(&statement, policy->members_only);
    gfs_bind_int(&statement, policy->directory_users_join);
    gfs_bind_int(&statement, policy->owner_publishes);
    gfs_bind_int(&statement, policy->grant_only_held);
    gfs_bind_id(&statement, policy->ceiling_group);
    gfs_bind_int(&statement, policy->ceiling_perms);
    gfs_bind_int(&statement, policy->group_admin_capsule_perms);
    gfs_bind_int(&statement, policy->organization_admin_perms);
    return gfs_statement_change(&statement, "there is no organization with id %lld", (long long)policy->organization);
}
