/* Users, teams, projects, nodes and authorizations: what is written is what is read. */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store/node.h"
#include "core/store/project.h"
#include "core/store/team.h"
#include "guildfs/uuid.h"

/* ---- users ---- */

static int add_user_name(void *context, const struct gfs_user_record *user) {
    char *text = context;
    size_t used = strlen(text);

    snprintf(text + used, 256 - used, "%s ", user->name);
    return 0;
}

static void users_round_trip(void **state) {
    struct world *world = *state;
    struct gfs_user_record user = gfs_user_record_default("alice");
    gfs_id id;
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *found = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *plain = NULL;

    user.display_name = "Alice A.";
    user.email = "Alice@example.org";
    user.uid = 4294967294; /* the largest that is one */
    user.gid = 0;
    user.suspended = true;
    user.system_admin = true;
    user.plan = GFS_PLAN_INSTITUTIONAL;
    user.source = GFS_SOURCE_SCIM;
    user.external_id = "x-1";
    assert_ok(world, gfs_store_user_add(world->tx, &user, &id, &world->err));
    for (int way = 0; way < 4; way++) {
        free(found);
        found = NULL;
        int rc = way == 0   ? gfs_store_user_load(world->store, "alice", &found, &world->err)
                 : way == 1 ? gfs_store_user_load_id(world->store, id, &found, &world->err)
                 : way == 2 ? gfs_store_user_load_uid(world->store, 4294967294, &found, &world->err)
                            : gfs_store_user_load_email(world->store, "aLICE@example.org", &found, &world->err);
        assert_ok(world, rc);
        assert_int_equal(found->id, id);
        assert_true(gfs_uuid_valid(found->uuid));
        assert_string_equal(found->display_name, "Alice A.");
        assert_string_equal(found->email, "Alice@example.org");
        assert_int_equal(found->uid, 4294967294);
        assert_int_equal(found->gid, 0);
        assert_true(found->suspended && found->system_admin);
        assert_int_equal(found->plan, GFS_PLAN_INSTITUTIONAL);
        assert_int_equal(found->source, GFS_SOURCE_SCIM);
        assert_string_equal(found->external_id, "x-1");
        assert_int_equal(found->created_ns, gfs_tx_now_ns(world->tx));
    }
    world_user(world, "bob");
    assert_ok(world, gfs_store_user_load(world->store, "bob", &plain, &world->err));
    assert_int_equal(plain->uid, GFS_NO_UID);
    assert_int_equal(plain->gid, GFS_NO_UID);
    assert_false(plain->suspended || plain->system_admin);
    assert_null(plain->email);
    plain->name = "robert";
    plain->uid = 1000;
    plain->suspended = true;
    assert_ok(world, gfs_store_user_update(world->tx, plain, &world->err));
    free(plain);
    plain = NULL;
    assert_ok(world, gfs_store_user_load(world->store, "robert", &plain, &world->err));
    assert_int_equal(plain->uid, 1000);
    assert_true(plain->suspended);
    assert_int_equal(world_number(world, "SELECT suspended_ns FROM users WHERE name = 'robert'"),
                     gfs_tx_now_ns(world->tx));
    char text[256] = "";
    assert_ok(world, gfs_store_user_list(world->store, add_user_name, text, &world->err));
    assert_string_equal(text, "alice robert ");
}

static void users_that_cannot_be(void **state) {
    struct world *world = *state;
    struct gfs_user_record first = gfs_user_record_default("alice");
    gfs_id id = 3;
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *found = NULL;
    static const char *const names[] = {"", "a/b", ".", "my", "public", ".guildfs", "a\tb", "\xff"};

    first.uid = 1000;
    first.email = "a@example.org";
    first.external_id = "x";
    assert_ok(world, gfs_store_user_add(world->tx, &first, &id, &world->err));
    const struct gfs_user_record same_name = gfs_user_record_default("alice");
    assert_fails(world, gfs_store_user_add(world->tx, &same_name, &id, &world->err), EEXIST, "this name");
    struct gfs_user_record other = gfs_user_record_default("bob");
    other.uid = 1000;
    assert_fails(world, gfs_store_user_add(world->tx, &other, &id, &world->err), EEXIST, "this uid");
    other = gfs_user_record_default("bob");
    other.email = "A@EXAMPLE.ORG";
    assert_fails(world, gfs_store_user_add(world->tx, &other, &id, &world->err), EEXIST, "e-mail");
    other.email = "nowhere";
    assert_fails(world, gfs_store_user_add(world->tx, &other, &id, &world->err), EINVAL, "");
    other = gfs_user_record_default("bob");
    other.external_id = "x";
    assert_fails(world, gfs_store_user_add(world->tx, &other, &id, &world->err), EEXIST, "external id");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct gfs_user_record bad = gfs_user_record_default(names[i]);
        assert_fails(world, gfs_store_user_add(world->tx, &bad, &id, &world->err), EINVAL, "user name");
    }
    assert_fails(world, gfs_store_user_load(world->store, "nobody", &found, &world->err), ENOENT, "\"nobody\"");
    assert_fails(world, gfs_store_user_load_id(world->store, 99, &found, &world->err), ENOENT, "99");
    assert_fails(world, gfs_store_user_load_uid(world->store, 77, &found, &world->err), ENOENT, "77");
    /* A user without an account is not found by "no uid". */
    world_user(world, "carol");
    assert_fails(world, gfs_store_user_load_uid(world->store, GFS_NO_UID, &found, &world->err), ENOENT, "uid");
    assert_null(found);
    other = gfs_user_record_default("ghost");
    other.id = 99;
    assert_fails(world, gfs_store_user_update(world->tx, &other, &world->err), ENOENT, "ghost");
}

static void nothing_in_a_value_is_sql(void **state) {
    struct world *world = *state;
    static const char name[] = "x'); DROP TABLE users; --";
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *found = NULL;

    gfs_id id = world_user(world, name);
    assert_ok(world, gfs_store_user_load(world->store, name, &found, &world->err));
    assert_int_equal(found->id, id);
}

/* Every entity that a view shows as a directory, added and renamed. */
static void names_are_checked_everywhere(void **state) {
    struct world *world = *state;
    static const char bad[] = "public";
    const struct gfs_organization_record organization = {.id = 1, .name = bad, .plan = GFS_PLAN_TEAM};
    const struct gfs_group_record group = {.id = world_group(world, "group", 0), .organization = 1, .name = bad};
    const struct gfs_team_record team = {.id = 1, .organization = 1, .name = bad};
    const struct gfs_project_record project = {.id = 1, .organization = 1, .name = bad};
    const struct gfs_node_record node = {.id = 1, .name = bad, .path = "/srv"};
    struct gfs_user_record user = gfs_user_record_default(bad);
    struct gfs_share_record share = gfs_share_record_default(bad, GFS_KIND_FILES);
    gfs_id id;

    user.id = world_user(world, "user");
    share.id = world_share(world, "share", GFS_KIND_FILES, 0, 0);
    assert_fails(world, gfs_store_organization_add(world->tx, &organization, &id, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_organization_update(world->tx, &organization, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_group_add(world->tx, &group, &id, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_group_update(world->tx, &group, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_team_add(world->tx, &team, &id, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_team_update(world->tx, &team, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_project_add(world->tx, &project, &id, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_project_update(world->tx, &project, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_node_add(world->tx, &node, &id, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_node_update(world->tx, &node, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_user_update(world->tx, &user, &world->err), EINVAL, "reserved");
    assert_fails(world, gfs_store_share_update(world->tx, &share, &world->err), EINVAL, "reserved");
}

/* ---- teams ---- */

static int add_team_member(void *context, const struct gfs_team_member_row *member, const char *kind,
                           const char *name) {
    char *text = context;
    size_t used = strlen(text);

    snprintf(text + used, 256 - used, "%s:%s(%lld) ", kind, name,
             (long long)(member->group + member->user + member->nested));
    return 0;
}

static void teams(void **state) {
    struct world *world = *state;
    const struct gfs_team_record first = {.organization = 1, .name = "first", .description = "d"};
    const struct gfs_team_record second = {.organization = 1, .name = "second"};
    gfs_id alice = world_user(world, "alice"), group = world_group(world, "genomics", 0), a, b;
    gfs_id share = world_share(world, "atlas", GFS_KIND_FILES, 0, alice);
    GFS_CLEANUP(gfs_record_freep) struct gfs_team_record *found = NULL;

    assert_ok(world, gfs_store_team_add(world->tx, &first, &a, &world->err));
    assert_ok(world, gfs_store_team_add(world->tx, &second, &b, &world->err));
    gfs_id unused;
    assert_fails(world, gfs_store_team_add(world->tx, &first, &unused, &world->err), EEXIST, "team");
    const struct gfs_team_member_row members[] = {
        {.team = a, .user = alice}, {.team = a, .group = group}, {.team = a, .nested = b}, {.team = b, .nested = a}};
    for (size_t i = 0; i < 4; i++)
        assert_ok(world, gfs_store_team_member_add(world->tx, &members[i], &world->err));
    for (size_t i = 0; i < 4; i++)
        assert_fails(world, gfs_store_team_member_add(world->tx, &members[i], &world->err), EEXIST,
                     "in the team already");
    const struct gfs_team_member_row bad[] = {
        {.team = a}, {.team = a, .user = alice, .group = group}, {.team = a, .nested = a}};
    for (size_t i = 0; i < 3; i++)
        assert_fails(world, gfs_store_team_member_add(world->tx, &bad[i], &world->err), EINVAL, "");
    char text[256] = "";
    assert_ok(world, gfs_store_team_member_list(world->store, a, add_team_member, text, &world->err));
    assert_string_equal(text, "group:genomics(1) team:second(2) user:alice(1) ");
    assert_ok(world, gfs_store_team_member_remove(world->tx, &members[0], &world->err));
    assert_fails(world, gfs_store_team_member_remove(world->tx, &members[0], &world->err), ENOENT, "not in the team");
    assert_ok(world, world_grant(world, GFS_SUBJECT_TEAM, a, share, GFS_VIEW));
    assert_ok(world, gfs_store_team_load(world->store, "first", &found, &world->err));
    assert_string_equal(found->description, "d");
    found->name = "renamed";
    assert_ok(world, gfs_store_team_update(world->tx, found, &world->err));
    assert_fails(world, gfs_store_team_load(world->store, "first", &found, &world->err), ENOENT, "first");
    assert_ok(world, gfs_store_team_remove(world->tx, a, &world->err));
    assert_int_equal(world_number(world, "SELECT count(*) FROM team_members"), 0);
    assert_int_equal(world_number(world, "SELECT count(*) FROM grants"), 0);
    assert_fails(world, gfs_store_team_remove(world->tx, a, &world->err), ENOENT, "no team");
}

/* ---- projects ---- */

static int add_admin(void *context, const struct gfs_project_admin_record *admin) {
    char *text = context;
    size_t used = strlen(text);

    snprintf(text + used, 256 - used, "%s:%s:%d%d ", admin->user ? "user" : "group", admin->name, admin->see_all_users,
             admin->see_all_nodes);
    return 0;
}

static int add_group_name(void *context, gfs_id group, const char *name) {
    char *text = context;
    size_t used = strlen(text);

    snprintf(text + used, 256 - used, "%lld:%s ", (long long)group, name);
    return 0;
}

static void projects(void **state) {
    struct world *world = *state;
    const struct gfs_project_record outer = {.organization = 1, .name = "outer"};
    gfs_id a, b, alice = world_user(world, "alice"), group = world_group(world, "genomics", 0);
    GFS_CLEANUP(gfs_record_freep) struct gfs_project_record *found = NULL;

    assert_ok(world, gfs_store_project_add(world->tx, &outer, &a, &world->err));
    const struct gfs_project_record inner = {.organization = 1, .name = "inner", .parent = a, .description = "d"};
    assert_ok(world, gfs_store_project_add(world->tx, &inner, &b, &world->err));
    assert_ok(world, gfs_store_project_load(world->store, "inner", &found, &world->err));
    assert_int_equal(found->parent, a);
    assert_string_equal(found->description, "d");
    struct gfs_project_record circle = {.id = a, .organization = 1, .name = "outer", .parent = b};
    assert_fails(world, gfs_store_project_update(world->tx, &circle, &world->err), EINVAL, "inside itself");
    circle.parent = a;
    assert_fails(world, gfs_store_project_update(world->tx, &circle, &world->err), EINVAL, "inside itself");
    assert_fails(world, gfs_store_project_remove(world->tx, a, &world->err), EBUSY, "shares or projects");
    found->parent = 0;
    assert_ok(world, gfs_store_project_update(world->tx, found, &world->err));
    circle.parent = b; /* an older project in a younger one */
    assert_ok(world, gfs_store_project_update(world->tx, &circle, &world->err));

    struct gfs_project_admin_record admin = {.project = a, .user = alice, .see_all_users = true};
    const struct gfs_project_admin_record of_group = {.project = a, .group = group, .see_all_nodes = true};
    const struct gfs_project_admin_record nobody = {.project = a}, both = {.project = a, .user = alice, .group = group};
    assert_ok(world, gfs_store_project_admin_put(world->tx, &admin, &world->err));
    assert_ok(world, gfs_store_project_admin_put(world->tx, &of_group, &world->err));
    admin.see_all_users = false;
    assert_ok(world, gfs_store_project_admin_put(world->tx, &admin, &world->err));
    assert_fails(world, gfs_store_project_admin_put(world->tx, &nobody, &world->err), EINVAL, "either");
    assert_fails(world, gfs_store_project_admin_put(world->tx, &both, &world->err), EINVAL, "either");
    char text[256] = "", groups[256] = "";
    assert_ok(world, gfs_store_project_admin_list(world->store, a, add_admin, text, &world->err));
    assert_string_equal(text, "group:genomics:01 user:alice:00 ");
    assert_ok(world, gfs_store_project_admin_remove(world->tx, &admin, &world->err));
    assert_fails(world, gfs_store_project_admin_remove(world->tx, &admin, &world->err), ENOENT, "no admin");

    assert_ok(world, gfs_store_project_group_add(world->tx, a, group, alice, &world->err));
    assert_fails(world, gfs_store_project_group_add(world->tx, a, group, 0, &world->err), EEXIST, "available");
    assert_ok(world, gfs_store_project_group_list(world->store, a, add_group_name, groups, &world->err));
    assert_string_equal(groups, "1:genomics ");
    assert_ok(world, gfs_store_project_group_remove(world->tx, a, group, &world->err));
    assert_fails(world, gfs_store_project_group_remove(world->tx, a, group, &world->err), ENOENT, "not available");

    const struct gfs_grant_record grant = {.subject_kind = GFS_SUBJECT_USER,
                                           .subject = alice,
                                           .object_kind = GFS_OBJECT_PROJECT,
                                           .object = a,
                                           .expires_ns = GFS_NEVER};
    assert_ok(world, gfs_store_grant_put(world->tx, &grant, &world->err));
    assert_ok(world, gfs_store_project_remove(world->tx, a, &world->err));
    assert_int_equal(world_number(world, "SELECT count(*) FROM grants"), 0);
    assert_int_equal(world_number(world, "SELECT count(*) FROM project_admins"), 0);
    assert_fails(world, gfs_store_project_remove(world->tx, a, &world->err), ENOENT, "no project");
}

/* ---- nodes ---- */

static void nodes(void **state) {
    struct world *world = *state;
    const struct gfs_node_record big = {.name = "big", .path = "/srv/big"};
    const struct gfs_node_record same = {.name = "same", .path = "/srv/big"};
    gfs_id id;
    char path[256];
    GFS_CLEANUP(gfs_record_freep) struct gfs_node_record *found = NULL;
    GFS_CLEANUP(gfs_record_freep) struct gfs_node_record *first = NULL;
    static const char *const paths[] = {"srv", "", "/srv/", "/srv//x", "/srv/../x", "/srv/./x", "/.."};

    assert_ok(world, gfs_store_node_add(world->tx, &big, &id, &world->err));
    assert_ok(world, gfs_store_node_load_path(world->store, "/srv/big", &found, &world->err));
    assert_int_equal(found->id, id);
    gfs_id unused;
    assert_fails(world, gfs_store_node_add(world->tx, &big, &unused, &world->err), EEXIST, "node");
    assert_fails(world, gfs_store_node_add(world->tx, &same, &unused, &world->err), EEXIST, "this directory");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct gfs_node_record bad = {.name = "bad", .path = paths[i]};
        assert_fails(world, gfs_store_node_add(world->tx, &bad, &unused, &world->err), EINVAL, "");
    }
    const struct gfs_node_record root = {.name = "host", .path = "/"};
    assert_ok(world, gfs_store_node_add(world->tx, &root, &unused, &world->err));
    /* The default node follows the store. */
    snprintf(path, sizeof path, "%s/data", gfs_store_path(world->store));
    assert_ok(world, gfs_store_node_load_id(world->store, GFS_DEFAULT_NODE, &first, &world->err));
    assert_string_equal(first->path, path);
    free(first);
    first = NULL;
    assert_ok(world, gfs_store_node_load_path(world->store, path, &first, &world->err));
    assert_int_equal(first->id, GFS_DEFAULT_NODE);
    first->name = "main";
    assert_ok(world, gfs_store_node_update(world->tx, first, &world->err));
    assert_int_equal(world_number(world, "SELECT count(*) FROM nodes WHERE id = 1 AND path = 'data' AND name = 'main'"),
                     1);
    assert_fails(world, gfs_store_node_remove(world->tx, GFS_DEFAULT_NODE, &world->err), EPERM, "default node");
    struct gfs_share_record share = gfs_share_record_default("atlas", GFS_KIND_FILES);
    share.node = id;
    gfs_id share_id;
    assert_ok(world, gfs_store_share_add(world->tx, &share, &share_id, &world->err));
    assert_fails(world, gfs_store_node_remove(world->tx, id, &world->err), EBUSY, "holds shares");
    assert_ok(world, gfs_store_share_remove(world->tx, share_id, &world->err));
    assert_ok(world, gfs_store_node_remove(world->tx, id, &world->err));
    assert_fails(world, gfs_store_node_load(world->store, "big", &found, &world->err), ENOENT, "big");
}

/* ---- authorizations ---- */

static int add_grant(void *context, const struct gfs_grant_record *grant) {
    char *text = context;
    size_t used = strlen(text);

    snprintf(text + used, 512 - used, "%d:%s>%s=%d ", (int)grant->subject_kind,
             grant->subject_name ? grant->subject_name : "-", grant->object_name, grant->perms);
    return 0;
}

static void authorizations(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), group = world_group(world, "genomics", 0);
    gfs_id atlas = world_share(world, "atlas", GFS_KIND_FILES, 0, alice),
           birds = world_share(world, "birds", GFS_KIND_FILES, 0, 0);
    struct gfs_grant_record grant = {.subject_kind = GFS_SUBJECT_USER,
                                     .subject = alice,
                                     .object_kind = GFS_OBJECT_SHARE,
                                     .object = atlas,
                                     .perms = GFS_ALL_PERMS,
                                     .expires_ns = 99,
                                     .may_grant = true,
                                     .granted_by = alice};
    GFS_CLEANUP(gfs_record_freep) struct gfs_grant_record *found = NULL;

    assert_fails(world, gfs_store_grant_load(world->store, &grant, &found, &world->err), ENOENT, "no such");
    assert_ok(world, gfs_store_grant_put(world->tx, &grant, &world->err));
    assert_ok(world, gfs_store_grant_load(world->store, &grant, &found, &world->err));
    assert_int_equal(found->perms, 63);
    assert_int_equal(found->expires_ns, 99);
    assert_true(found->may_grant);
    assert_int_equal(found->granted_by, alice);
    assert_string_equal(found->subject_name, "alice");
    assert_string_equal(found->object_name, "atlas");
    gfs_id id = found->id;
    free(found);
    found = NULL;
    grant.perms = 0; /* one row for each pair: it is replaced */
    grant.expires_ns = GFS_NEVER;
    assert_ok(world, gfs_store_grant_put(world->tx, &grant, &world->err));
    assert_ok(world, gfs_store_grant_load(world->store, &grant, &found, &world->err));
    assert_int_equal(found->id, id);
    assert_int_equal(found->perms, 0);
    assert_int_equal(found->expires_ns, GFS_NEVER);
    assert_ok(world, world_grant(world, GFS_SUBJECT_GROUP, group, atlas, GFS_VIEW));
    assert_ok(world, world_grant(world, GFS_SUBJECT_EVERYONE, 0, atlas, GFS_VIEW));
    assert_ok(world, world_grant(world, GFS_SUBJECT_GROUP, group, birds, GFS_DOWNLOAD));
    char object[512] = "", subject[512] = "";
    assert_ok(world,
              gfs_store_grant_list_object(world->store, GFS_OBJECT_SHARE, atlas, add_grant, object, &world->err));
    assert_string_equal(object, "0:alice>atlas=0 1:genomics>atlas=1 4:->atlas=1 ");
    assert_ok(world,
              gfs_store_grant_list_subject(world->store, GFS_SUBJECT_GROUP, group, add_grant, subject, &world->err));
    assert_string_equal(subject, "1:genomics>atlas=1 1:genomics>birds=2 ");
    assert_ok(world, gfs_store_grant_remove(world->tx, &grant, &world->err));
    assert_fails(world, gfs_store_grant_remove(world->tx, &grant, &world->err), ENOENT, "no such");
}

static void authorizations_that_cannot_be(void **state) {
    struct world *world = *state;
    gfs_id alice = world_user(world, "alice"), atlas = world_share(world, "atlas", GFS_KIND_FILES, 0, alice);

    for (enum gfs_subject_kind kind = GFS_SUBJECT_USER; kind <= GFS_SUBJECT_ORGANIZATION; kind++)
        assert_fails(world, world_grant(world, kind, 999, atlas, GFS_VIEW), ENOENT, "whom");
    assert_fails(world, world_grant(world, GFS_SUBJECT_USER, alice, 999, GFS_VIEW), ENOENT, "share or project");
    assert_fails(world, world_grant(world, GFS_SUBJECT_EVERYONE, alice, atlas, GFS_VIEW), EINVAL, "");
    assert_fails(world, world_grant(world, (enum gfs_subject_kind)5, alice, atlas, GFS_VIEW), EINVAL, "");
    assert_fails(world, world_grant(world, GFS_SUBJECT_USER, alice, atlas, GFS_NOBODY), EINVAL, "");
    struct gfs_grant_record grant = {.subject_kind = GFS_SUBJECT_USER,
                                     .subject = alice,
                                     .object_kind = GFS_OBJECT_PROJECT,
                                     .object = atlas,
                                     .expires_ns = GFS_NEVER};
    assert_fails(world, gfs_store_grant_put(world->tx, &grant, &world->err), ENOENT, "share or project");
    assert_ok(world, world_grant(world, GFS_SUBJECT_USER, alice, atlas, GFS_VIEW));
    assert_fails(world, world_sql(world, "UPDATE grants SET object_id = 5"), EINVAL, "cannot become another");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(users_round_trip),
        TEST(users_that_cannot_be),
        TEST(nothing_in_a_value_is_sql),
        TEST(names_are_checked_everywhere),
        TEST(teams),
        TEST(projects),
        TEST(nodes),
        TEST(authorizations),
        TEST(authorizations_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
