/* Groups, their members, and the built-in ones that mirror an organization. */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "user:role:status" of every membership of the group, sorted, joined by blanks. */
static int add_membership(void *context, const struct gfs_membership_record *membership) {
    static const char *const roles[] = {"member", "admin", "owner"};
    static const char *const statuses[] = {"invited", "accepted", "declined", "withdrawn"};
    char *text = context;
    size_t used = strlen(text);

    snprintf(text + used, 512 - used, "%s%s:%s:%s", used ? " " : "", membership->user_name, roles[membership->role],
             statuses[membership->status]);
    return 0;
}

static void assert_members(struct world *world, gfs_id group, const char *expected) {
    char text[512] = "";

    assert_ok(world, gfs_store_membership_list(world->store, group, 0, add_membership, text, &world->err));
    assert_string_equal(text, expected);
}

static int remove_member(struct world *world, gfs_id user) {
    return gfs_store_organization_member_remove(world->tx, GFS_DEFAULT_ORGANIZATION, user, &world->err);
}

/* ---- groups and owners ---- */

static void a_group_begins_with_its_owner(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice");

    assert_members(world, world_group(world, "genomics", alice), "alice:owner:accepted");
    assert_members(world, world_group(world, "empty", 0), ""); /* CO-32 */
}

static void giving_a_group_away(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob");
    gfs_id group = world_group(world, "genomics", alice);
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *record = NULL;

    assert_ok(world, gfs_store_group_set_owner(world->tx, group, bob, &world->err));
    assert_members(world, group, "alice:admin:accepted bob:owner:accepted");
    /* The role owner does the same, for a member that was invited too. */
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_INVITED));
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_OWNER, GFS_ACCEPTED));
    assert_members(world, group, "alice:owner:accepted bob:admin:accepted");
    assert_ok(world, gfs_store_group_load(world->store, "genomics", &record, &world->err));
    assert_int_equal(record->owner, alice);
    assert_string_equal(record->owner_name, "alice");
    assert_ok(world, gfs_store_group_set_owner(world->tx, group, 0, &world->err));
    assert_members(world, group, "alice:admin:accepted bob:admin:accepted");
    assert_fails(world, gfs_store_group_set_owner(world->tx, 999, bob, &world->err), ENOENT, "no group");
    assert_fails(world, gfs_store_group_set_owner(world->tx, group, 999, &world->err), ENOENT, "");
}

static void the_owner_stays(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob");
    gfs_id group = world_group(world, "genomics", alice);

    assert_fails(world, world_member(world, group, alice, GFS_ROLE_ADMIN, GFS_ACCEPTED), EPERM, "owner stays");
    assert_fails(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_WITHDRAWN), EPERM, "owner stays");
    assert_fails(world, gfs_store_membership_remove(world->tx, group, alice, &world->err), EPERM, "owner stays");
    assert_fails(world, world_member(world, group, alice, GFS_ROLE_OWNER, GFS_DECLINED), EINVAL, "accepted");
    assert_fails(world,
                 world_sql(world,
                           "INSERT INTO memberships (group_id, user_id, role, status, created_ns, updated_ns) "
                           "VALUES (%d, %d, 'owner', 'accepted', 1, 1)",
                           (int)group, (int)bob),
                 EPERM, "one owner");
    assert_ok(world, world_member(world, group, bob, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_fails(world, world_sql(world, "UPDATE memberships SET role = 'owner' WHERE user_id = %d", (int)bob), EPERM,
                 "one owner");
    assert_members(world, group, "alice:owner:accepted bob:member:accepted");
}

static void memberships_come_and_go(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), group = world_group(world, "genomics", 0);
    gfs_id bob = world_user(world, "bob");
    struct gfs_membership_record invitation = {.group = group,
                                               .user = alice,
                                               .role = GFS_ROLE_ADMIN,
                                               .status = GFS_INVITED,
                                               .expires_ns = 12345,
                                               .invited_by = bob};
    GFS_CLEANUP(gfs_record_freep) struct gfs_membership_record *found = NULL;

    assert_fails(world, gfs_store_membership_load(world->store, group, alice, &found, &world->err), ENOENT,
                 "no member");
    assert_ok(world, gfs_store_membership_put(world->tx, &invitation, &world->err));
    assert_ok(world, gfs_store_membership_load(world->store, group, alice, &found, &world->err));
    assert_int_equal(found->role, GFS_ROLE_ADMIN);
    assert_int_equal(found->status, GFS_INVITED);
    assert_int_equal(found->expires_ns, 12345);
    assert_string_equal(found->invited_by_name, "bob");
    assert_string_equal(found->group_name, "genomics");
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_DECLINED));
    assert_members(world, group, "alice:member:declined");
    assert_ok(world, gfs_store_membership_remove(world->tx, group, alice, &world->err));
    assert_fails(world, gfs_store_membership_remove(world->tx, group, alice, &world->err), ENOENT, "no member");
    assert_fails(world, world_member(world, group, 999, GFS_ROLE_MEMBER, GFS_ACCEPTED), ENOENT, "");
    assert_fails(world, world_member(world, group, alice, (enum gfs_role)7, GFS_ACCEPTED), EINVAL, "role");
}

static void removing_a_group(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), group = world_group(world, "genomics", alice);
    gfs_id other = world_group(world, "physics", alice);
    gfs_id share = world_share(world, "atlas", GFS_KIND_FILES, other, alice);

    assert_ok(world, world_grant(world, GFS_SUBJECT_GROUP, group, share, GFS_VIEW));
    assert_ok(world,
              world_grant(world, GFS_SUBJECT_USER, group, share, GFS_VIEW)); /* the same number, another subject */
    assert_ok(world, gfs_store_group_remove(world->tx, group, &world->err));
    assert_int_equal(world_number(world, "SELECT count(*) FROM memberships WHERE group_id = %d", (int)group), 0);
    assert_int_equal(world_number(world, "SELECT count(*) FROM grants"), 1);
    assert_int_equal(world_number(world, "SELECT subject_kind FROM grants"), GFS_SUBJECT_USER);
    assert_fails(world, gfs_store_group_remove(world->tx, group, &world->err), ENOENT, "no group");
    assert_fails(world, gfs_store_group_remove(world->tx, other, &world->err), EBUSY, "holds shares");
    gfs_id ceiling = world_group(world, "curators", 0);
    assert_ok(world, world_sql(world, "UPDATE policies SET ceiling_group_id = %d", (int)ceiling));
    assert_fails(world, gfs_store_group_remove(world->tx, ceiling, &world->err), EBUSY, "ceiling");
}

/* ---- built-in groups ---- */

/* OD-07, DW-07 */
static void built_in_groups_stay(void **state) {
    struct world *world = *state;
    static const enum gfs_builtin all[] = {GFS_BUILTIN_ALL_USERS, GFS_BUILTIN_CURATORS, GFS_BUILTIN_ALL_MEMBERS,
                                           GFS_BUILTIN_AUTHORS, GFS_BUILTIN_ORGANIZATION_ADMINS};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char name[] = {'g', (char)('0' + i), '\0'};
        gfs_id group = world_builtin(world, name, all[i]);
        assert_fails(world, gfs_store_group_remove(world->tx, group, &world->err), EPERM, "built in");
        assert_fails(world,
                     world_sql(world, "UPDATE groups SET kind = 'normal', builtin = NULL WHERE id = %d", (int)group),
                     EPERM, "cannot be changed");
        assert_fails(world, world_sql(world, "UPDATE groups SET owner_id = 1 WHERE id = %d", (int)group), EINVAL, "");
    }
    const struct gfs_group_record twice = {
        .organization = 1, .name = "again", .kind = GFS_GROUP_BUILTIN, .builtin = GFS_BUILTIN_AUTHORS};
    gfs_id id;
    assert_fails(world, gfs_store_group_add(world->tx, &twice, &id, &world->err), EEXIST, "built-in");
    const struct gfs_group_record mixed = {.organization = 1, .name = "mixed", .builtin = GFS_BUILTIN_AUTHORS};
    assert_fails(world, gfs_store_group_add(world->tx, &mixed, &id, &world->err), EINVAL, "");
}

/* DW-06, DW-17 */
static void levels_of_two_built_in_groups_are_fixed(void **state) {
    struct world *world = *state;
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *authors = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_group_record *members = NULL;

    world_builtin(world, "authors", GFS_BUILTIN_AUTHORS);
    world_builtin(world, "members", GFS_BUILTIN_ALL_MEMBERS);
    assert_ok(world, gfs_store_group_load(world->store, "authors", &authors, &world->err));
    assert_ok(world, gfs_store_group_load(world->store, "members", &members, &world->err));
    authors->level = members->level = GFS_LEVEL_MANAGE;
    assert_fails(world, gfs_store_group_update(world->tx, authors, &world->err), EPERM, "fixed");
    assert_ok(world, gfs_store_group_update(world->tx, members, &world->err));
}

/* OD-08 */
static void every_user_is_in_all_users(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice");
    gfs_id group = world_builtin(world, "everybody", GFS_BUILTIN_ALL_USERS);

    world_user(world, "bob");
    assert_members(world, group, "alice:member:accepted bob:member:accepted");
    assert_fails(world, gfs_store_membership_remove(world->tx, group, alice, &world->err), EPERM, "every user");
    assert_fails(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_DECLINED), EPERM, "every user");
    assert_ok(world, world_organization_member(world, alice, false));
    assert_ok(world, remove_member(world, alice));
    assert_members(world, group, "alice:member:accepted bob:member:accepted");
}

/* DW-10, DW-14 */
static void all_members_is_the_organization(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob"), carol = world_user(world, "carol");
    gfs_id other = world_group(world, "genomics", 0);

    assert_ok(world, world_organization_member(world, alice, false));
    gfs_id group = world_builtin(world, "members", GFS_BUILTIN_ALL_MEMBERS);
    assert_ok(world, world_organization_member(world, bob, false));
    assert_ok(world, world_member(world, group, carol, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_members(world, group, "alice:member:accepted bob:member:accepted carol:member:accepted");
    assert_int_equal(world_number(world, "SELECT count(*) FROM organization_members"), 3);
    /* Leaving the group is leaving the organization, with all its groups. */
    assert_ok(world, world_member(world, other, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_ok(world, gfs_store_membership_remove(world->tx, group, alice, &world->err));
    assert_members(world, other, "");
    assert_int_equal(world_number(world, "SELECT count(*) FROM organization_members WHERE user_id = %d", (int)alice),
                     0);
    /* And the other way round. */
    assert_ok(world, remove_member(world, bob));
    assert_members(world, group, "carol:member:accepted");
    assert_fails(world, remove_member(world, bob), ENOENT, "no member");
    assert_fails(world, world_member(world, group, bob, GFS_ROLE_MEMBER, GFS_INVITED), EINVAL, "invited");
}

static void the_mirror_shows_status_and_end(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice");
    gfs_id group = world_builtin(world, "members", GFS_BUILTIN_ALL_MEMBERS);
    struct gfs_organization_member_record member = {
        .organization = 1, .user = alice, .active = true, .expires_ns = 777};

    assert_ok(world, gfs_store_organization_member_put(world->tx, &member, &world->err));
    assert_int_equal(world_number(world, "SELECT expires_ns FROM memberships"), 777);
    member.active = false;
    member.expires_ns = GFS_NEVER;
    assert_ok(world, gfs_store_organization_member_put(world->tx, &member, &world->err));
    assert_members(world, group, "alice:member:withdrawn");
    assert_int_equal(world_number(world, "SELECT count(*) FROM memberships WHERE expires_ns IS NULL"), 1);
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_int_equal(world_number(world, "SELECT count(*) FROM organization_members WHERE status = 'active'"), 1);
}

static void organization_admins_is_the_admins(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob");

    assert_ok(world, world_organization_member(world, alice, true));
    gfs_id group = world_builtin(world, "admins", GFS_BUILTIN_ORGANIZATION_ADMINS);
    assert_members(world, group, "alice:member:accepted");
    assert_ok(world, world_organization_member(world, bob, false));
    assert_members(world, group, "alice:member:accepted");
    assert_ok(world, world_organization_member(world, bob, true));
    assert_members(world, group, "alice:member:accepted bob:member:accepted");
    assert_ok(world, world_organization_member(world, alice, false));
    assert_members(world, group, "bob:member:accepted");
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_int_equal(world_number(world, "SELECT admin FROM organization_members WHERE user_id = %d", (int)alice), 1);
    assert_ok(world, gfs_store_membership_remove(world->tx, group, bob, &world->err));
    assert_int_equal(world_number(world, "SELECT admin FROM organization_members WHERE user_id = %d", (int)bob), 0);
    /* DW-18, by way of the group */
    assert_fails(world, gfs_store_membership_remove(world->tx, group, alice, &world->err), EPERM,
                 "last organization admin");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_group_begins_with_its_owner),
        TEST(giving_a_group_away),
        TEST(the_owner_stays),
        TEST(memberships_come_and_go),
        TEST(removing_a_group),
        TEST(built_in_groups_stay),
        TEST(levels_of_two_built_in_groups_are_fixed),
        TEST(every_user_is_in_all_users),
        TEST(all_members_is_the_organization),
        TEST(the_mirror_shows_status_and_end),
        TEST(organization_admins_is_the_admins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
