/* An organization: its admins, its policy, its seats, and who may be in its groups. */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <string.h>

static void set_policy(struct world *world, const char *assignment) {
    assert_ok(world, world_sql(world, "UPDATE policies SET %s WHERE organization_id = 1", assignment));
}

static int remove_member(struct world *world, gfs_id user) {
    return gfs_store_organization_member_remove(world->tx, GFS_DEFAULT_ORGANIZATION, user, &world->err);
}

/* ---- organization admins ---- */

/* DW-18 */
static void the_last_organization_admin_stays(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob");
    struct gfs_organization_member_record alice_member = {
        .organization = 1, .user = alice, .admin = true, .active = false, .expires_ns = GFS_NEVER};

    assert_ok(world, world_organization_member(world, alice, true));
    assert_fails(world, world_organization_member(world, alice, false), EPERM, "last organization admin");
    assert_fails(world, gfs_store_organization_member_put(world->tx, &alice_member, &world->err), EPERM, "last");
    alice_member.active = true;
    alice_member.expires_ns = 123;
    assert_fails(world, gfs_store_organization_member_put(world->tx, &alice_member, &world->err), EPERM, "last");
    assert_fails(world, remove_member(world, alice), EPERM, "last organization admin");
    /* One who is suspended is no other admin. */
    assert_ok(world, world_organization_member(world, bob, true));
    assert_ok(world, world_sql(world, "UPDATE users SET status = 'suspended' WHERE name = 'bob'"));
    assert_fails(world, remove_member(world, alice), EPERM, "last organization admin");
    assert_ok(world, world_sql(world, "UPDATE users SET status = 'active' WHERE name = 'bob'"));
    assert_ok(world, remove_member(world, alice));
    assert_fails(world, remove_member(world, bob), EPERM, "last organization admin");
}

/* CO-33 */
static void as_many_admins_as_the_policy_allows(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob");

    assert_ok(world, world_organization_member(world, alice, true));
    assert_ok(world, world_organization_member(world, bob, false));
    set_policy(world, "organization_admins_max = 1");
    assert_fails(world, world_organization_member(world, bob, true), EPERM, "no more organization admins");
    assert_fails(world, world_organization_member(world, world_user(world, "carol"), true), EPERM, "no more");
    assert_ok(world, gfs_store_organization_admin_replace(world->tx, 1, alice, bob, &world->err));
    assert_int_equal(world_number(world, "SELECT user_id FROM organization_members WHERE admin = 1"), bob);
    assert_int_equal(world_number(world, "SELECT organization_admins_max FROM policies"), 1);
    assert_fails(world, gfs_store_organization_admin_replace(world->tx, 1, bob, 999, &world->err), ENOENT, "no member");
    assert_fails(world, gfs_store_organization_admin_replace(world->tx, 99, bob, alice, &world->err), ENOENT, "");
}

static void the_policy_fits_what_is_there(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob");
    gfs_id first = world_group(world, "first", 0), second = world_group(world, "second", 0);
    GFS_CLEANUP(gfs_record_freep) struct gfs_policy_record *policy = NULL;
    const struct gfs_organization_record other = {.name = "other", .plan = GFS_PLAN_TEAM};
    gfs_id other_id;

    assert_ok(world, world_organization_member(world, alice, true));
    assert_ok(world, world_organization_member(world, bob, true));
    assert_ok(world, world_member(world, first, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_ok(world, world_member(world, second, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_ok(world, gfs_store_policy_load(world->store, 1, &policy, &world->err));
    struct gfs_policy_record changed = *policy;
    changed.groups_per_user = 1;
    assert_fails(world, gfs_store_policy_update(world->tx, &changed, &world->err), EPERM, "more groups");
    changed = *policy;
    changed.organization_admins_max = 1;
    assert_fails(world, gfs_store_policy_update(world->tx, &changed, &world->err), EPERM, "more organization admins");
    changed = *policy;
    changed.organization_admins_are_users = false;
    assert_fails(world, gfs_store_policy_update(world->tx, &changed, &world->err), EPERM, "is in a group");
    assert_ok(world, world_member(world, first, world_user(world, "carol"), GFS_ROLE_MEMBER, GFS_ACCEPTED));
    changed = *policy;
    changed.members_only = true;
    assert_fails(world, gfs_store_policy_update(world->tx, &changed, &world->err), EPERM, "no members");
    assert_ok(world, gfs_store_organization_add(world->tx, &other, &other_id, &world->err));
    changed = *policy;
    changed.organization = other_id;
    changed.ceiling_group = first;
    assert_fails(world, gfs_store_policy_update(world->tx, &changed, &world->err), EINVAL, "another organization");
    changed = *policy;
    changed.sharers = GFS_WHO_ORGANIZATION_ADMIN; /* a word that this switch does not know */
    assert_fails(world, gfs_store_policy_update(world->tx, &changed, &world->err), EINVAL, "");
    changed.organization = 99;
    changed.sharers = GFS_WHO_HOLDER;
    assert_fails(world, gfs_store_policy_update(world->tx, &changed, &world->err), ENOENT, "no organization");
    assert_fails(world, world_sql(world, "DELETE FROM policies"), EPERM, "keeps its policy");
}

static void a_policy_round_trip(void **state) {
    struct world *world = *state;
    gfs_id ceiling = world_group(world, "curators", 0);
    GFS_CLEANUP(gfs_record_freep) struct gfs_policy_record *found = NULL;
    const struct gfs_policy_record policy = {
        .organization = 1,
        .pack = "codeocean",
        .group_makers = GFS_WHO_ORGANIZATION_ADMIN,
        .group_removers = GFS_WHO_ORGANIZATION_ADMIN,
        .sharers = GFS_WHO_OWNER,
        .groups_per_user = 1,
        .invitation = GFS_INVITATION_DIRECT,
        .invite_by_email = true,
        .member_content = GFS_CONTENT_TITLE,
        .removal = GFS_REMOVAL_COPY,
        .organization_admins_max = 1,
        .ceiling_group = ceiling,
        .ceiling_perms = GFS_VIEW,
        .group_admin_capsule_perms = GFS_VIEW | GFS_DOWNLOAD,
        .organization_admin_perms = GFS_ALL_PERMS,
    };

    assert_ok(world, gfs_store_policy_update(world->tx, &policy, &world->err));
    assert_ok(world, gfs_store_policy_load(world->store, 1, &found, &world->err));
    assert_string_equal(found->pack, "codeocean");
    found->pack = policy.pack;
    assert_int_equal(found->group_makers, policy.group_makers);
    assert_int_equal(found->group_removers, policy.group_removers);
    assert_int_equal(found->sharers, policy.sharers);
    assert_int_equal(found->groups_per_user, 1);
    assert_int_equal(found->invitation, policy.invitation);
    assert_true(found->invite_by_email);
    assert_int_equal(found->member_content, policy.member_content);
    assert_int_equal(found->removal, policy.removal);
    assert_int_equal(found->organization_admins_max, 1);
    assert_false(found->organization_admins_are_users || found->free_plan_joins || found->members_only ||
                 found->directory_users_join || found->owner_publishes || found->grant_only_held);
    assert_int_equal(found->ceiling_group, ceiling);
    assert_int_equal(found->ceiling_perms, GFS_VIEW);
    assert_int_equal(found->group_admin_capsule_perms, GFS_VIEW | GFS_DOWNLOAD);
    assert_int_equal(found->organization_admin_perms, GFS_ALL_PERMS);
}

/* ---- who may be in a group ---- */

/* CO-35 */
static void one_group_per_user_where_the_policy_says_so(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice");
    gfs_id first = world_group(world, "first", 0), second = world_group(world, "second", 0);
    gfs_id members = world_builtin(world, "members", GFS_BUILTIN_ALL_MEMBERS);
    struct gfs_membership_record ended = {.group = first, .user = alice, .status = GFS_ACCEPTED, .expires_ns = 1};

    set_policy(world, "groups_per_user = 1");
    assert_ok(world, world_member(world, members, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_ok(world, world_member(world, first, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_fails(world, world_member(world, second, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED), EPERM, "no further group");
    assert_ok(world, world_member(world, second, alice, GFS_ROLE_MEMBER, GFS_INVITED));
    assert_fails(world, world_member(world, second, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED), EPERM, "no further group");
    assert_fails(world, gfs_store_group_set_owner(world->tx, second, alice, &world->err), EPERM, "no further group");
    assert_ok(world, gfs_store_membership_put(world->tx, &ended, &world->err));
    assert_ok(world, world_member(world, second, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    ended.expires_ns = GFS_NEVER;
    assert_fails(world, gfs_store_membership_put(world->tx, &ended, &world->err), EPERM, "no further group");
}

/* CO-49 */
static void users_on_the_free_plan(void **state) {
    struct world *world = *state;
    struct gfs_user_record user = gfs_user_record_default("alice");
    gfs_id alice, group = world_group(world, "genomics", 0);

    user.plan = GFS_PLAN_FREE;
    assert_ok(world, gfs_store_user_add(world->tx, &user, &alice, &world->err));
    set_policy(world, "free_plan_joins = 0");
    assert_fails(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED), EPERM, "free plan");
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_INVITED));
    assert_fails(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED), EPERM, "free plan");
    set_policy(world, "free_plan_joins = 1");
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
}

static void users_from_a_directory(void **state) {
    struct world *world = *state;
    struct gfs_user_record user = gfs_user_record_default("alice");
    gfs_id alice, group = world_group(world, "genomics", 0);

    user.source = GFS_SOURCE_LDAP;
    assert_ok(world, gfs_store_user_add(world->tx, &user, &alice, &world->err));
    set_policy(world, "directory_users_join = 0");
    assert_fails(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_INVITED), EPERM, "directory");
    set_policy(world, "directory_users_join = 1");
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
}

/* CO-27, CO-29 */
static void organization_admins_outside_groups(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob");
    gfs_id group = world_group(world, "genomics", 0);

    set_policy(world, "organization_admins_are_users = 0");
    assert_ok(world, world_organization_member(world, alice, true));
    assert_fails(world, world_member(world, group, alice, GFS_ROLE_ADMIN, GFS_ACCEPTED), EPERM, "out of groups");
    assert_fails(world, gfs_store_group_set_owner(world->tx, group, alice, &world->err), EPERM, "out of groups");
    assert_ok(world, world_member(world, group, bob, GFS_ROLE_ADMIN, GFS_ACCEPTED));
    assert_fails(world, world_organization_member(world, bob, true), EPERM, "out of groups");
    assert_ok(world, world_organization_member(world, bob, false));
    assert_fails(world, world_organization_member(world, bob, true), EPERM, "out of groups");
}

/* DW-01 */
static void members_of_the_organization_only(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), group = world_group(world, "genomics", 0);

    set_policy(world, "members_only = 1");
    assert_fails(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_INVITED), EPERM, "only members");
    assert_ok(world, world_organization_member(world, alice, false));
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
}

/* CO-27, CO-30 */
static void seats(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob"), carol = world_user(world, "carol");
    GFS_CLEANUP(gfs_record_freep) struct gfs_organization_record *organization = NULL;
    struct gfs_organization_member_record waiting = {.organization = 1, .user = carol, .expires_ns = GFS_NEVER};

    assert_ok(world, gfs_store_organization_load(world->store, "default", &organization, &world->err));
    organization->seats = 2;
    assert_ok(world, gfs_store_organization_update(world->tx, organization, &world->err));
    assert_ok(world, world_organization_member(world, alice, true));
    assert_ok(world, world_organization_member(world, bob, false));
    assert_fails(world, world_organization_member(world, carol, false), EPERM, "no seat");
    assert_ok(world, gfs_store_organization_member_put(world->tx, &waiting, &world->err)); /* inactive takes none */
    assert_fails(world, world_organization_member(world, carol, false), EPERM, "no seat");
    organization->seats = 1;
    assert_fails(world, gfs_store_organization_update(world->tx, organization, &world->err), EPERM, "more members");
    set_policy(world, "organization_admins_are_users = 0");
    assert_ok(world, world_organization_member(world, carol, false)); /* alice takes none now */
    assert_fails(world, world_sql(world, "UPDATE policies SET organization_admins_are_users = 1"), EPERM, "no seat");
}

/* ---- organizations ---- */

static void leaving_with_a_group_of_ones_own(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob");
    gfs_id group = world_group(world, "genomics", alice);

    assert_ok(world, world_organization_member(world, alice, false));
    assert_fails(world, remove_member(world, alice), EPERM, "give the group to another");
    assert_ok(world, gfs_store_group_set_owner(world->tx, group, bob, &world->err));
    assert_ok(world, remove_member(world, alice));
    assert_int_equal(world_number(world, "SELECT count(*) FROM memberships WHERE user_id = %d", (int)alice), 0);
}

static void organizations_come_and_go(void **state) {
    struct world *world = *state;
    const struct gfs_organization_record acme = {.name = "acme", .description = "d", .plan = GFS_PLAN_FREE, .seats = 9};
    gfs_id alice = world_user(world, "alice"), id, share = world_share(world, "atlas", GFS_KIND_FILES, 0, alice);
    GFS_CLEANUP(gfs_record_freep) struct gfs_organization_record *found = NULL;

    assert_ok(world, gfs_store_organization_add(world->tx, &acme, &id, &world->err));
    assert_ok(world, gfs_store_organization_load_id(world->store, id, &found, &world->err));
    assert_string_equal(found->name, "acme");
    assert_string_equal(found->description, "d");
    assert_int_equal(found->plan, GFS_PLAN_FREE);
    assert_int_equal(found->seats, 9);
    const struct gfs_group_record builtin = {
        .organization = id, .name = "acme members", .kind = GFS_GROUP_BUILTIN, .builtin = GFS_BUILTIN_ALL_MEMBERS};
    const struct gfs_group_record normal = {.organization = id, .name = "acme lab"};
    const struct gfs_organization_member_record member = {
        .organization = id, .user = alice, .admin = true, .active = true, .expires_ns = GFS_NEVER};
    gfs_id builtin_id, normal_id;
    assert_ok(world, gfs_store_group_add(world->tx, &builtin, &builtin_id, &world->err));
    assert_ok(world, gfs_store_group_add(world->tx, &normal, &normal_id, &world->err));
    assert_ok(world, gfs_store_organization_member_put(world->tx, &member, &world->err));
    assert_ok(world, world_grant(world, GFS_SUBJECT_ORGANIZATION, id, share, GFS_VIEW));
    assert_ok(world, world_sql(world, "UPDATE policies SET ceiling_group_id = %d WHERE organization_id = %d",
                               (int)builtin_id, (int)id));
    assert_fails(world, gfs_store_organization_remove(world->tx, id, &world->err), EBUSY, "still has groups");
    assert_ok(world, gfs_store_group_remove(world->tx, normal_id, &world->err));
    assert_ok(world, gfs_store_organization_remove(world->tx, id, &world->err));
    assert_int_equal(world_number(world, "SELECT count(*) FROM memberships"), 0);
    assert_int_equal(world_number(world, "SELECT count(*) FROM grants"), 0);
    assert_int_equal(world_number(world, "SELECT count(*) FROM policies"), 1);
    assert_fails(world, gfs_store_organization_remove(world->tx, 1, &world->err), EPERM, "default organization");
    assert_fails(world, gfs_store_organization_remove(world->tx, id, &world->err), ENOENT, "no organization");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_last_organization_admin_stays),
        TEST(as_many_admins_as_the_policy_allows),
        TEST(the_policy_fits_what_is_there),
        TEST(a_policy_round_trip),
        TEST(one_group_per_user_where_the_policy_says_so),
        TEST(users_on_the_free_plan),
        TEST(users_from_a_directory),
        TEST(organization_admins_outside_groups),
        TEST(members_of_the_organization_only),
        TEST(seats),
        TEST(leaving_with_a_group_of_ones_own),
        TEST(organizations_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
