/* Loading the whole policy: every row once, in the order that a snapshot needs, of one generation. */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store/bulk.h"
#include "core/store/node.h"
#include "core/store/project.h"
#include "core/store/team.h"

enum table {
    ORGANIZATION,
    USER,
    ORGANIZATION_MEMBER,
    GROUP,
    MEMBERSHIP,
    TEAM,
    TEAM_MEMBER,
    PROJECT,
    NODE,
    SHARE,
    GRANT,
    TABLES
};

struct taken {
    int last; /* table */
    size_t count[TABLES];
    int fail_at;     /* table; -1: none */
    char text[8192]; /* every row, one a line */
    size_t used;
    struct gfs_store *add_meanwhile; /* another connection, written to at the first row */
};

static int take(struct taken *taken, enum table table, const char *format, ...) GFS_PRINTF(3, 4);

static int take(struct taken *taken, enum table table, const char *format, ...) {
    va_list arguments;

    assert_true((int)table >= taken->last);
    taken->last = (int)table;
    taken->count[table]++;
    va_start(arguments, format);
    if (taken->used < sizeof taken->text) {
        int length = vsnprintf(taken->text + taken->used, sizeof taken->text - taken->used, format, arguments);
        taken->used += length > 0 ? (size_t)length : 0;
    }
    va_end(arguments);
    return taken->fail_at == (int)table ? -EXDEV : 0;
}

static void write_meanwhile(struct gfs_store *store) {
    GFS_CLEANUP(gfs_tx_endp) struct gfs_tx *tx = NULL;
    const struct gfs_user_record user = gfs_user_record_default("meanwhile");
    const struct gfs_audit_entry entry = {.actor_name = "test", .action = "test"};
    gfs_id id;

    assert_int_equal(gfs_tx_begin(store, &tx, NULL), 0);
    assert_int_equal(gfs_store_user_add(tx, &user, &id, NULL), 0);
    assert_int_equal(gfs_tx_audit(tx, &entry, NULL), 0);
    assert_int_equal(gfs_tx_commit(tx, NULL), 0);
}

static int organization(void *context, const struct gfs_organization_row *row) {
    struct taken *taken = context;

    if (taken->add_meanwhile) {
        write_meanwhile(taken->add_meanwhile);
        taken->add_meanwhile = NULL;
    }
    return take(taken, ORGANIZATION, "organization %lld %s %lld %d %d %d\n", (long long)row->id, row->name,
                (long long)row->ceiling_group, row->ceiling_perms, row->group_admin_capsule_perms,
                row->organization_admin_perms);
}

static int user(void *context, const struct gfs_user_row *row) {
    assert_int_equal(strlen(row->uuid), 36);
    return take(context, USER, "user %lld %s %u %u %d\n", (long long)row->id, row->name, row->uid, row->gid,
                row->suspended);
}

static int organization_member(void *context, const struct gfs_organization_member_row *row) {
    return take(context, ORGANIZATION_MEMBER, "organization-member %lld %lld %d %lld\n", (long long)row->organization,
                (long long)row->user, row->admin, row->expires_ns == GFS_NEVER ? -1LL : (long long)row->expires_ns);
}

static int group(void *context, const struct gfs_group_row *row) {
    assert_int_equal(strlen(row->uuid), 36);
    return take(context, GROUP, "group %lld %lld %s\n", (long long)row->id, (long long)row->organization, row->name);
}

static int membership(void *context, const struct gfs_membership_row *row) {
    return take(context, MEMBERSHIP, "membership %lld %lld %d %d %lld\n", (long long)row->group, (long long)row->user,
                (int)row->role, (int)row->status, row->expires_ns == GFS_NEVER ? -1LL : (long long)row->expires_ns);
}

static int team(void *context, const struct gfs_team_row *row) {
    assert_int_equal(strlen(row->uuid), 36);
    return take(context, TEAM, "team %lld %lld %s\n", (long long)row->id, (long long)row->organization, row->name);
}

static int team_member(void *context, const struct gfs_team_member_row *row) {
    return take(context, TEAM_MEMBER, "team-member %lld %lld %lld %lld\n", (long long)row->team, (long long)row->group,
                (long long)row->user, (long long)row->nested);
}

static int project(void *context, const struct gfs_project_row *row) {
    assert_int_equal(strlen(row->uuid), 36);
    return take(context, PROJECT, "project %lld %lld %lld %s\n", (long long)row->id, (long long)row->organization,
                (long long)row->parent, row->name);
}

static int node(void *context, const struct gfs_node_row *row) {
    assert_int_equal(row->path[0], '/');
    return take(context, NODE, "node %lld %s %s\n", (long long)row->id, row->name, strrchr(row->path, '/'));
}

static int share(void *context, const struct gfs_share_row *row) {
    assert_int_equal(strlen(row->uuid), 36);
    return take(context, SHARE,
                "share %lld %lld g%lld p%lld in%lld o%lld n%lld %s '%s' %s %d %d %lld %lld %d %lld %d %d\n",
                (long long)row->id, (long long)row->organization, (long long)row->group, (long long)row->project,
                (long long)row->parent, (long long)row->owner, (long long)row->node, row->name, row->title, row->path,
                (int)row->kind, (int)row->state, (long long)row->unarchived_ns, (long long)row->grace_ns,
                row->overwrite_upload, (long long)row->quota_bytes, (int)row->data_mode, (int)row->audit);
}

static int grant(void *context, const struct gfs_grant_row *row) {
    return take(context, GRANT, "grant %d %lld %d %lld %d %lld\n", (int)row->subject_kind, (long long)row->subject,
                (int)row->object_kind, (long long)row->object, row->perms,
                row->expires_ns == GFS_NEVER ? -1LL : (long long)row->expires_ns);
}

static const struct gfs_model_sink sink = {
    organization, user, organization_member, group, membership, team, team_member, project, node, share, grant};

static void fill(struct world *world) {
    gfs_id alice = world_user(world, "alice"), bob = world_user(world, "bob"), carol = world_user(world, "carol");
    gfs_id lab = world_group(world, "lab", alice), curators = world_group(world, "curators", 0), a, b, id, outer;
    const struct gfs_team_record team_record = {.organization = 1, .name = "team"};
    const struct gfs_node_record node_record = {.name = "big", .path = "/srv/big"};
    const struct gfs_organization_member_record resting = {.organization = 1, .user = carol, .expires_ns = GFS_NEVER};

    assert_ok(world, world_sql(world, "UPDATE users SET uid = 1000, gid = 1001 WHERE name = 'alice'"));
    assert_ok(world, world_sql(world, "UPDATE users SET status = 'suspended' WHERE name = 'bob'"));
    assert_ok(world, world_sql(world, "UPDATE policies SET ceiling_group_id = %d, organization_admin_perms = 5",
                               (int)curators));
    assert_ok(world, world_organization_member(world, alice, true));
    assert_ok(world, gfs_store_organization_member_put(world->tx, &resting, &world->err));
    assert_ok(world, world_member(world, lab, bob, GFS_ROLE_ADMIN, GFS_INVITED));
    const struct gfs_membership_record ending = {.group = lab, .user = carol, .status = GFS_ACCEPTED, .expires_ns = 55};
    assert_ok(world, gfs_store_membership_put(world->tx, &ending, &world->err));
    assert_ok(world, gfs_store_team_add(world->tx, &team_record, &id, &world->err));
    const struct gfs_team_member_row in_team = {.team = id, .group = lab};
    assert_ok(world, gfs_store_team_member_add(world->tx, &in_team, &world->err));
    /* The older project stands in the younger one. */
    struct gfs_project_record first = {.organization = 1, .name = "first"},
                              second = {.organization = 1, .name = "second"};
    assert_ok(world, gfs_store_project_add(world->tx, &first, &a, &world->err));
    assert_ok(world, gfs_store_project_add(world->tx, &second, &b, &world->err));
    first.id = a;
    first.parent = b;
    assert_ok(world, gfs_store_project_update(world->tx, &first, &world->err));
    assert_ok(world, gfs_store_node_add(world->tx, &node_record, &id, &world->err));
    struct gfs_share_record atlas = gfs_share_record_default("atlas", GFS_KIND_CAPSULE);
    atlas.path = "atlas";
    atlas.group = lab;
    atlas.project = a;
    atlas.owner = alice;
    atlas.node = id;
    atlas.title = "The atlas";
    atlas.state = GFS_SHARE_ARCHIVED;
    atlas.grace_ns = 7;
    atlas.overwrite_upload = true;
    atlas.quota_bytes = 8;
    atlas.data_mode = GFS_DATA_FAST;
    atlas.audit = GFS_AUDIT_ALL;
    assert_ok(world, gfs_store_share_add(world->tx, &atlas, &outer, &world->err));
    assert_ok(world, world_sql(world, "UPDATE shares SET unarchived_ns = 9"));
    struct gfs_share_record inner = gfs_share_record_default("inner", GFS_KIND_FILES);
    inner.path = "atlas/inner";
    inner.node = id;
    inner.parent = outer;
    assert_ok(world, gfs_store_share_add(world->tx, &inner, &id, &world->err));
    assert_ok(world, world_grant(world, GFS_SUBJECT_GROUP, lab, outer, GFS_VIEW | GFS_UPLOAD));
    const struct gfs_grant_record to_all = {.subject_kind = GFS_SUBJECT_EVERYONE,
                                            .object_kind = GFS_OBJECT_PROJECT,
                                            .object = b,
                                            .perms = GFS_VIEW,
                                            .expires_ns = 66};
    assert_ok(world, gfs_store_grant_put(world->tx, &to_all, &world->err));
}

static const char everything[] = "organization 1 default 2 3 3 5\n"
                                 "user 1 alice 1000 1001 0\n"
                                 "user 2 bob 4294967295 4294967295 1\n"
                                 "user 3 carol 4294967295 4294967295 0\n"
                                 "organization-member 1 1 1 -1\n"
                                 "group 1 1 lab\n"
                                 "group 2 1 curators\n"
                                 "membership 1 1 2 1 -1\n"
                                 "membership 1 2 1 0 -1\n"
                                 "membership 1 3 0 1 55\n"
                                 "team 1 1 team\n"
                                 "team-member 1 1 0 0\n"
                                 "project 2 1 0 second\n"
                                 "project 1 1 2 first\n"
                                 "node 1 default /data\n"
                                 "node 2 big /big\n"
                                 "share 1 1 g1 p1 in0 o1 n2 atlas 'The atlas' atlas 4 1 9 7 1 8 1 2\n"
                                 "share 2 1 g0 p0 in1 o0 n2 inner '' atlas/inner 0 0 0 3600000000000 0 0 0 0\n"
                                 "grant 1 1 0 1 5 -1\n"
                                 "grant 4 0 1 2 1 66\n";

static void hands_over_every_row(void **state) {
    struct world *world = *state;
    struct taken taken = {.fail_at = -1};
    uint64_t generation = 0;

    fill(world);
    world_commit(world);
    assert_ok(world, gfs_store_load(world->store, &sink, &taken, &generation, &world->err));
    assert_string_equal(taken.text, everything);
    assert_int_equal(generation, 2);
}

static void loads_one_state(void **state) {
    struct world *world = *state;
    struct taken taken = {.fail_at = -1};
    struct gfs_store *reader = NULL;
    uint64_t generation = 0;

    fill(world);
    world_commit(world);
    gfs_tx_end(world->tx);
    world->tx = NULL;
    assert_ok(world, gfs_store_open(world->directory, GFS_STORE_READ, 1000, &reader, &world->err));
    taken.add_meanwhile = world->store;
    int rc = gfs_store_load(reader, &sink, &taken, &generation, &world->err);
    assert_int_equal(rc, 0);
    assert_string_equal(taken.text, everything); /* without "meanwhile" */
    assert_int_equal(generation, 2);
    /* The reader does not stay behind: the next look sees what was written. */
    assert_ok(world, gfs_store_generation(reader, &generation, &world->err));
    assert_int_equal(generation, 3);
    gfs_store_close(reader);
}

static void stops_where_the_sink_fails(void **state) {
    struct world *world = *state;

    fill(world);
    world_commit(world);
    gfs_tx_end(world->tx);
    world->tx = NULL;
    for (int table = 0; table < TABLES; table++) {
        struct taken taken = {.fail_at = table};
        uint64_t generation = 99;
        assert_fails(world, gfs_store_load(world->store, &sink, &taken, &generation, &world->err), EXDEV, "taken in");
        assert_int_equal(taken.last, table);
        assert_int_equal(taken.count[table], 1);
        assert_int_equal(generation, 99);
    }
    assert_ok(world, gfs_tx_begin(world->store, &world->tx, &world->err)); /* and leaves no transaction open */
}

static void a_circle_of_projects_is_left_out(void **state) {
    struct world *world = *state;
    struct taken taken = {.fail_at = -1};
    uint64_t generation = 0;

    fill(world);
    assert_ok(world, world_sql(world, "UPDATE projects SET parent_id = 1 WHERE id = 2"));
    assert_ok(world, gfs_store_load(world->store, &sink, &taken, &generation, &world->err));
    assert_int_equal(taken.count[PROJECT], 0);
    assert_int_equal(taken.count[SHARE], 2);
}

static void fills_in_bulk(void **state) {
    struct world *world = *state;
    struct taken taken = {.fail_at = -1};
    uint64_t generation = 0;

    gfs_tx_end(world->tx);
    world->tx = NULL;
    assert_fails(world, gfs_store_bulk_fill(world->store, 1, 1, 3, &world->err), EINVAL, "at most");
    assert_ok(world, gfs_store_bulk_fill(world->store, 500, 20, 20 * 501, &world->err));
    assert_ok(world, gfs_store_load(world->store, &sink, &taken, &generation, &world->err));
    assert_int_equal(taken.count[USER], 500);
    assert_int_equal(taken.count[ORGANIZATION_MEMBER], 500);
    assert_int_equal(taken.count[GROUP], 20);
    assert_in_range(taken.count[MEMBERSHIP], 1000, 1500);
    assert_int_equal(taken.count[SHARE], 20);
    assert_int_equal(taken.count[GRANT], 20 * 501);
    assert_int_equal(generation, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(hands_over_every_row),
        TEST(loads_one_state),
        TEST(stops_where_the_sink_fails),
        TEST(a_circle_of_projects_is_left_out),
        TEST(fills_in_bulk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
