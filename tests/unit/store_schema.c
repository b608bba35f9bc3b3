/* What the schema keeps whoever writes: with SQL, past every check of the program. */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <string.h>

static void audit_is_append_only(void **state) {
    struct world *world = *state;

    assert_fails(world, world_sql(world, "UPDATE audit SET actor_name = 'nobody'"), EPERM, "append-only");
    assert_fails(world, world_sql(world, "DELETE FROM audit"), EPERM, "append-only");
    assert_fails(world,
                 world_sql(world, "INSERT OR REPLACE INTO audit (id, at_ns, generation, actor_name, action) "
                                  "VALUES (1, 1, 1, 'nobody', 'nothing')"),
                 EPERM, "append-only");
    assert_int_equal(world_number(world, "SELECT count(*) FROM audit WHERE id = 1 AND action = 'store.init'"), 1);
}

static void the_generation_only_grows(void **state) {
    struct world *world = *state;

    assert_fails(world, world_sql(world, "UPDATE generation SET value = value"), EPERM, "only grows");
    assert_fails(world, world_sql(world, "UPDATE generation SET value = 0"), EPERM, "only grows");
    assert_fails(world, world_sql(world, "DELETE FROM generation"), EPERM, "cannot be removed");
    assert_fails(world, world_sql(world, "INSERT INTO generation VALUES (2, 5)"), EPERM, "one generation");
    assert_fails(world, world_sql(world, "INSERT OR REPLACE INTO generation VALUES (1, 1)"), EPERM, "one generation");
    assert_ok(world, world_sql(world, "UPDATE generation SET value = value + 1"));
}

static void users_stay(void **state) {
    struct world *world = *state;

    world_user(world, "alice");
    assert_fails(world, world_sql(world, "DELETE FROM users"), EPERM, "suspend");
    assert_fails(world, world_sql(world, "UPDATE users SET uuid = '019a0000-0000-7000-8000-000000000000'"), EPERM,
                 "identity");
    assert_fails(world, world_sql(world, "UPDATE users SET id = 70"), EPERM, "identity");
}

static void ids_are_not_used_again(void **state) {
    struct world *world = *state;
    gfs_id first = world_group(world, "first", 0);

    assert_ok(world, gfs_store_group_remove(world->tx, first, &world->err));
    assert_true(world_group(world, "second", 0) > first);
}

static void keys_stay(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob"),
           group = world_group(world, "genomics", 0);
    (void)bob;

    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_ok(world, world_organization_member(world, alice, false));
    assert_fails(world, world_sql(world, "UPDATE memberships SET user_id = 2"), EINVAL, "remove and add");
    assert_fails(world, world_sql(world, "UPDATE organization_members SET user_id = 2"), EINVAL, "remove and add");
    assert_fails(world, world_sql(world, "UPDATE groups SET organization_id = 7"), EPERM, "cannot be changed");
    assert_fails(world, world_sql(world, "UPDATE groups SET builtin = 'authors'"), EPERM, "cannot be changed");
}

/* Statements that each break one rule of a column or table; "?" stands for a UUID. */
static void columns_take_what_they_should(void **state) {
    struct world *world = *state;
    static const char *const statements[] = {
        "UPDATE users SET name = 5 || char(47)",
        "UPDATE users SET name = ''",
        "UPDATE users SET name = replace(hex(zeroblob(128)), '00', 'xx')",
        "UPDATE users SET uid = -1",
        "UPDATE users SET uid = 4294967296",
        "UPDATE users SET uid = 'root'", /* STRICT */
        "UPDATE users SET status = 'gone'",
        "UPDATE users SET plan = 'gold'",
        "UPDATE users SET source = 'paper'",
        "UPDATE users SET system_admin = 2",
        "UPDATE users SET email = '@'",
        "UPDATE users SET uuid = NULL",
        "UPDATE organizations SET seats = -1",
        "UPDATE organizations SET name = 'a/b'",
        "UPDATE policies SET pack = 'unknown'",
        "UPDATE policies SET ceiling_perms = 64",
        "UPDATE policies SET organization_admin_perms = -1",
        "UPDATE policies SET group_admin_capsule_perms = 64",
        "UPDATE policies SET groups_per_user = -1",
        "UPDATE policies SET invitation = 'shout'",
        "UPDATE policies SET member_content = 'some'",
        "UPDATE policies SET removal = 'none'",
        "UPDATE policies SET group_makers = 'member'",
        "UPDATE policies SET grant_only_held = 2",
        "UPDATE groups SET level = 'high'",
        "UPDATE groups SET discoverable = 2",
        "UPDATE memberships SET role = 'king'",
        "UPDATE memberships SET status = 'maybe'",
        "UPDATE memberships SET expires_ns = 0",
        "UPDATE shares SET grace_ns = -1",
        "UPDATE shares SET quota_bytes = 0",
        "UPDATE shares SET state = 'gone'",
        "UPDATE shares SET overwrite = 'never'",
        "UPDATE shares SET data_mode = 'slow'",
        "UPDATE shares SET audit = 'some'",
        "UPDATE shares SET bin_days = -1",
        "UPDATE shares SET on_revoke = 'ask'",
        "UPDATE shares SET owner_id = NULL",
        "UPDATE grants SET perms = 64",
        "UPDATE grants SET perms = -1",
        "UPDATE grants SET expires_ns = 0",
        "UPDATE grants SET may_grant = 2",
        "INSERT INTO changes VALUES (9, 1, 'user', 1, 'eaten', 0, 0)",
        "INSERT INTO quotas (organization_id, resource, amount, updated_ns) VALUES (1, 'storage', -1, 1)",
        "INSERT INTO quotas (organization_id, resource, amount, updated_ns) VALUES (1, 'patience', 1, 1)",
        "INSERT INTO usage (resource, amount, updated_ns) VALUES ('storage', 1, 1)",
        "INSERT INTO usage (user_id, share_id, resource, amount, updated_ns) VALUES (1, 1, 'storage', 1, 1)",
        "INSERT INTO invitations (uuid, email, created_ns) VALUES (hex(zeroblob(18)), 'a@b', 1)",
        "INSERT INTO invitations (uuid, email, group_id, status, created_ns) VALUES (hex(zeroblob(18)), 'a@b', 1, "
        "'bound', 1)",
        "INSERT INTO access_requests (user_id, created_ns) VALUES (1, 1)",
        "INSERT INTO capabilities (organization_id, capability, created_ns) VALUES (1, 'manage-groups', 1)",
        "INSERT INTO capabilities (organization_id, user_id, capability, created_ns) VALUES (1, 1, 'fly', 1)",
        "INSERT INTO tokens (organization_id, name, sha256, scope, created_ns) VALUES (1, 't', x'00', 'scim', 1)",
        "INSERT INTO departures (uuid, user_id, organization_id, cause, created_ns) "
        "VALUES (hex(zeroblob(18)), 1, 1, 'whim', 1)",
        "INSERT INTO copies (uuid, owner_id, node_id, staging_path, target_path, state, created_ns, updated_ns) "
        "VALUES (hex(zeroblob(18)), 1, 1, 'a', 'b', 'published', 1, 1)",
    };
    gfs_id alice = world_user(world, "alice"), group = world_group(world, "genomics", 0);
    gfs_id work = world_share(world, "work", GFS_KIND_CAPSULE, group, alice);

    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_ok(world, world_grant(world, GFS_SUBJECT_USER, alice, work, GFS_VIEW));
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        world->err = (struct gfs_error){0};
        if (world_sql(world, "%s", statements[i]) != -EINVAL)
            fail_msg("%s: %s", statements[i], world->err.message);
    }
}

static void references_lead_somewhere(void **state) {
    struct world *world = *state;
    static const char *const statements[] = {
        "UPDATE shares SET owner_id = 99",
        "UPDATE shares SET group_id = 99",
        "UPDATE shares SET project_id = 99",
        "UPDATE shares SET organization_id = 99",
        "UPDATE groups SET owner_id = 99",
        "INSERT INTO organization_members (organization_id, user_id, created_ns) VALUES (1, 99, 1)",
        "INSERT INTO teams (uuid, organization_id, name, created_ns) VALUES (hex(zeroblob(18)), 99, 't', 1)",
    };
    world_share(world, "work", GFS_KIND_FILES, 0, world_user(world, "alice"));
    world_group(world, "genomics", 0);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        world->err = (struct gfs_error){0};
        if (world_sql(world, "%s", statements[i]) != -ENOENT)
            fail_msg("%s: %s", statements[i], world->err.message);
    }
}

/* Each statement may run once. */
static void one_row_each(void **state) {
    struct world *world = *state;
    static const char *const statements[] = {
        "INSERT INTO quotas (organization_id, user_id, resource, amount, updated_ns) VALUES (1, 1, 'storage', 1, 1)",
        "INSERT INTO quotas (organization_id, resource, amount, updated_ns) VALUES (1, 'storage', 1, 1)",
        "INSERT INTO quotas (organization_id, user_id, group_id, resource, amount, updated_ns) VALUES (1, 1, 1, "
        "'storage', 1, 1)",
        "INSERT INTO quotas (organization_id, group_id, resource, amount, updated_ns) VALUES (1, 1, 'compute', 1, 1)",
        "INSERT INTO usage (share_id, resource, amount, updated_ns) VALUES (1, 'storage', 1, 1)",
        "INSERT INTO usage (user_id, resource, amount, updated_ns) VALUES (1, 'compute', 1, 1)",
        "INSERT INTO invitations (uuid, email, group_id, created_ns) "
        "VALUES ('019a0000-0000-7000-8000-' || printf('%012d', random() & 1048575), 'new@example.org', 1, 1)",
        "INSERT INTO access_requests (user_id, share_id, created_ns) VALUES (1, 1, 1)",
        "INSERT INTO capabilities (organization_id, user_id, capability, created_ns) VALUES (1, 1, 'manage-groups', 1)",
        "INSERT INTO project_nodes (project_id, node_id, created_ns) VALUES (1, 1, 1)",
        "INSERT INTO departures (uuid, user_id, organization_id, cause, created_ns) "
        "VALUES ('019a0000-0000-7000-8000-' || printf('%012d', random() & 1048575), 1, 1, 'leave', 1)",
    };
    gfs_id alice = world_user(world, "alice"), group = world_group(world, "genomics", 0);

    world_share(world, "work", GFS_KIND_FILES, group, alice);
    assert_ok(world, world_sql(world, "INSERT INTO projects (uuid, organization_id, name, created_ns) "
                                      "VALUES (hex(zeroblob(18)), 1, 'p', 1)"));
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        world->err = (struct gfs_error){0};
        if (world_sql(world, "%s", statements[i]) != 0 || world_sql(world, "%s", statements[i]) != -EEXIST)
            fail_msg("%s: %s", statements[i], world->err.message);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(audit_is_append_only),
        TEST(the_generation_only_grows),
        TEST(users_stay),
        TEST(ids_are_not_used_again),
        TEST(keys_stay),
        TEST(columns_take_what_they_should),
        TEST(references_lead_somewhere),
        TEST(one_row_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
