/*
 * Random administration of a store with everything in it: after each step the snapshot made from
 * what changed says what one that is loaded whole says. GUILDFS_SEED=N repeats a run,
 * GUILDFS_STEPS=N sets how many steps (400 unless told).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/authority/delta.h"
#include "guildfs/clock.h"
#include "tests/unit/store_world.h"

static uint64_t state;

static uint32_t below(uint32_t bound) {
    state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

/* ---- what both snapshots must say ---- */

struct pair {
    const struct gfs_snapshot *delta, *whole;
};

static void same_text(const char *a, const char *b, const char *what) {
    if (strcmp(a, b) != 0)
        fail_msg("%s: \"%s\" and \"%s\"", what, a, b);
}

static void same_user(const struct gfs_user *a, const struct gfs_user *b) {
    assert_true((a == NULL) == (b == NULL));
    if (a == NULL || b == NULL)
        return;
    assert_true(a->id == b->id && a->uid == b->uid && a->gid == b->gid && a->suspended == b->suspended);
    same_text(a->name, b->name, "user");
    same_text(a->uuid, b->uuid, "uuid of a user");
}

static void same_users(const struct pair *pair) {
    size_t count = gfs_snapshot_user_count(pair->whole);
    assert_int_equal(gfs_snapshot_user_count(pair->delta), count);
    for (size_t i = 0; i < count; i++) {
        const struct gfs_user *user = gfs_snapshot_user_at(pair->whole, i);
        same_user(gfs_snapshot_user_at(pair->delta, i), user);
        same_user(gfs_snapshot_user(pair->delta, user->id), user);
        same_user(gfs_snapshot_user_by_name(pair->delta, user->name), user);
        same_user(gfs_snapshot_user_by_uuid(pair->delta, user->uuid), user);
    }
    for (uint32_t uid = 1000; uid < 1012; uid++)
        same_user(gfs_snapshot_user_by_uid(pair->delta, uid), gfs_snapshot_user_by_uid(pair->whole, uid));
    for (uint32_t i = 0; i < 12; i++) { /* also names that nobody has any more */
        char name[16];
        snprintf(name, sizeof name, "u%u", i);
        same_user(gfs_snapshot_user_by_name(pair->delta, name), gfs_snapshot_user_by_name(pair->whole, name));
    }
}

static void same_share(const struct gfs_share *a, const struct gfs_share *b) {
    assert_true((a == NULL) == (b == NULL));
    if (a == NULL || b == NULL)
        return;
    assert_true(a->id == b->id && a->organization == b->organization && a->group == b->group &&
                a->project == b->project && a->owner == b->owner);
    assert_true((a->parent == NULL ? 0 : a->parent->id) == (b->parent == NULL ? 0 : b->parent->id));
    assert_true(a->kind == b->kind && a->archived == b->archived && a->overwrite_upload == b->overwrite_upload &&
                a->unarchived_ns == b->unarchived_ns && a->grace_ns == b->grace_ns &&
                a->quota_bytes == b->quota_bytes && a->created_ns == b->created_ns && a->data_mode == b->data_mode &&
                a->audit == b->audit && a->on_revoke == b->on_revoke);
    same_text(a->uuid, b->uuid, "uuid of a share");
    same_text(a->name, b->name, "share");
    same_text(a->title, b->title, "title");
    same_text(a->node_path, b->node_path, "node");
    same_text(a->path, b->path, "path");
    if (a->parent != NULL)
        same_share(a->parent, b->parent);
}

static void same_nested(const struct pair *pair, gfs_id share) {
    size_t count, other;
    const struct gfs_share *const *nested = gfs_snapshot_nested(pair->whole, share, &count);
    const struct gfs_share *const *others = gfs_snapshot_nested(pair->delta, share, &other);
    assert_int_equal(count, other);
    for (size_t i = 0; i < count; i++) {
        same_share(nested[i], others[i]);
        assert_ptr_equal(others[i], gfs_snapshot_share(pair->delta, others[i]->id));
        assert_ptr_equal(others[i]->parent, gfs_snapshot_share(pair->delta, share));
    }
}

static gfs_id last_group, last_share;

static void same_things(const struct pair *pair) {
    size_t count = gfs_snapshot_share_count(pair->whole);
    assert_int_equal(gfs_snapshot_share_count(pair->delta), count);
    for (size_t i = 0; i < count; i++)
        same_share(gfs_snapshot_share_at(pair->delta, i), gfs_snapshot_share_at(pair->whole, i));
    for (gfs_id id = 0; id <= last_share; id++) {
        same_share(gfs_snapshot_share(pair->delta, id), gfs_snapshot_share(pair->whole, id));
        same_nested(pair, id);
    }
    for (gfs_id id = 0; id <= last_group; id++) {
        const struct gfs_group *a = gfs_snapshot_group(pair->delta, id), *b = gfs_snapshot_group(pair->whole, id);
        assert_true((a == NULL) == (b == NULL));
        if (a == NULL || b == NULL)
            continue;
        assert_true(a->id == b->id && a->organization == b->organization);
        same_text(a->name, b->name, "group");
        same_text(a->uuid, b->uuid, "uuid of a group");
    }
}

static void same_places(const struct gfs_rights *a, const struct gfs_rights *b) {
    size_t count, other;
    const struct gfs_place *left = gfs_rights_places(a, &count), *right = gfs_rights_places(b, &other);
    assert_int_equal(count, other);
    for (size_t i = 0; i < count; i++) {
        assert_true(left[i].kind == right[i].kind);
        assert_true((left[i].group == NULL ? 0 : left[i].group->id) ==
                    (right[i].group == NULL ? 0 : right[i].group->id));
        same_share(left[i].share, right[i].share);
        same_text(left[i].name, right[i].name, "place");
    }
    const struct gfs_group_of_user *groups = gfs_rights_groups(a, &count), *others = gfs_rights_groups(b, &other);
    assert_int_equal(count, other);
    for (size_t i = 0; i < count; i++) {
        assert_true(groups[i].role == others[i].role && groups[i].group->id == others[i].group->id);
        same_text(groups[i].group->name, others[i].group->name, "group of a user");
    }
}

static int compare_sources(const void *a, const void *b) {
    const struct gfs_source *left = a, *right = b;
    int order = strcmp(left->via, right->via);
    return order != 0 ? order : (int)left->perms - (int)right->perms;
}

static void same_sources(const struct pair *pair, gfs_id user, gfs_id share, int64_t now_ns) {
    struct gfs_source a[64], b[64];
    char text_a[8192], text_b[8192];
    gfs_perms ceiling_a, ceiling_b;
    bool suspended_a, suspended_b;
    size_t count =
        gfs_snapshot_sources(pair->delta, user, share, now_ns, a, 64, text_a, sizeof text_a, &ceiling_a, &suspended_a);
    size_t other =
        gfs_snapshot_sources(pair->whole, user, share, now_ns, b, 64, text_b, sizeof text_b, &ceiling_b, &suspended_b);
    assert_int_equal(count, other);
    assert_true(ceiling_a == ceiling_b && suspended_a == suspended_b);
    assert_true(count <= 64);
    qsort(a, count, sizeof a[0], compare_sources); /* projects may be numbered in another order */
    qsort(b, count, sizeof b[0], compare_sources);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(a[i].perms, b[i].perms);
        same_text(a[i].via, b[i].via, "source");
    }
}

static void same_rights(const struct pair *pair, gfs_id user, int64_t now_ns, bool sources) {
    const struct gfs_rights *a = gfs_snapshot_rights(pair->delta, user, now_ns);
    const struct gfs_rights *b = gfs_snapshot_rights(pair->whole, user, now_ns);
    for (gfs_id share = 1; share <= last_share; share++) {
        if (gfs_rights_on(a, share) != gfs_rights_on(b, share))
            fail_msg("user %d on share %d: %x by the delta, %x by the whole", (int)user, (int)share,
                     gfs_rights_on(a, share), gfs_rights_on(b, share));
        if (sources)
            same_sources(pair, user, share, now_ns);
    }
    same_places(a, b);
}

static void same(const struct pair *pair, int64_t now_ns, bool sources) {
    same_users(pair);
    same_things(pair);
    for (size_t i = 0; i < gfs_snapshot_user_count(pair->whole); i++)
        same_rights(pair, gfs_snapshot_user_at(pair->whole, i)->id, now_ns, sources);
}

/* ---- administration, past the program: the schema is what must keep the feed ---- */

static int64_t moment; /* in the future of the whole test; after it, some things have ended */

static const char *end_text(void) {
    static char text[32];
    const int64_t ends[] = {1, moment, moment + 1000};
    uint32_t i = below(6);
    if (i >= 3)
        return "NULL";
    snprintf(text, sizeof text, "%" PRId64, ends[i]);
    return text;
}

#define UUID "printf('%%08x-0000-7000-8000-%%012x', %u, %u)"

static const char *const roles[] = {"member", "admin"};
static const char *const statuses[] = {"invited", "accepted", "accepted", "declined"};

static int change_people(struct world *w, uint32_t which) {
    unsigned n = below(12), m = below(12);
    switch (which) {
    case 0:
        return world_sql(
            w, "INSERT INTO users (uuid, name, uid, created_ns, updated_ns) VALUES (" UUID ", 'u%u', 1000 + %u, 1, 1)",
            below(1U << 30), below(1U << 30), n, m);
    case 1:
        return world_sql(w, "UPDATE users SET name = 'u%u' WHERE id = %u", m, n);
    case 2:
        return world_sql(w, "UPDATE users SET uid = %u, status = iif(%u = 0, 'suspended', 'active') WHERE id = %u",
                         1000 + m, below(3), n);
    case 3:
        return world_sql(w, "INSERT INTO organizations (uuid, name, created_ns) VALUES (" UUID ", 'o%u', 1)",
                         below(1U << 30), below(1U << 30), n);
    case 4:
        return below(2) == 0 ? world_sql(w, "DELETE FROM organizations WHERE id = %u", below(5))
                             : world_sql(w, "UPDATE organizations SET name = 'o%u' WHERE id = %u", n, below(5));
    case 5:
        return world_sql(w,
                         "UPDATE policies SET ceiling_group_id = iif(%u, NULL, (SELECT id FROM groups WHERE "
                         "organization_id = %u LIMIT 1 OFFSET %u)), ceiling_perms = %u, group_admin_capsule_perms "
                         "= %u, organization_admin_perms = %u WHERE organization_id = %u",
                         below(2), below(4), below(2), below(64), below(64), below(3) == 0 ? below(64) : 0, below(4));
    case 6:
    case 7:
        return world_sql(
            w,
            "INSERT INTO organization_members (organization_id, user_id, admin, status, expires_ns, "
            "created_ns) SELECT o.id, u.id, %u, iif(%u, 'active', 'inactive'), %s, 1 FROM organizations o, "
            "users u WHERE 1 LIMIT 1 OFFSET %u ON CONFLICT DO UPDATE SET admin = excluded.admin, "
            "status = excluded.status, expires_ns = excluded.expires_ns",
            below(2), below(4), end_text(), below(36));
    case 8:
        return world_sql(
            w,
            "DELETE FROM organization_members WHERE (organization_id, user_id) IN (SELECT organization_id, "
            "user_id FROM organization_members LIMIT 1 OFFSET %u)",
            n);
    case 9:
        return world_sql(w,
                         "INSERT INTO groups (uuid, organization_id, name, owner_id, created_ns, updated_ns) VALUES "
                         "(" UUID ", %u, 'g%u', iif(%u, NULL, %u), 1, 1)",
                         below(1U << 30), below(1U << 30), 1 + below(2), n, below(2), m);
    case 10:
        return world_sql(w, "DELETE FROM groups WHERE id = (SELECT id FROM groups LIMIT 1 OFFSET %u)", n);
    case 11:
        return world_sql(w,
                         "UPDATE groups SET name = 'g%u', owner_id = iif(%u, owner_id, %u) WHERE id = (SELECT id "
                         "FROM groups LIMIT 1 OFFSET %u)",
                         n, below(2), m, below(8));
    case 12:
    case 13:
    case 14:
        return world_sql(w,
                         "INSERT INTO memberships (group_id, user_id, role, status, expires_ns, created_ns, "
                         "updated_ns) SELECT id, %u, '%s', '%s', %s, 1, 1 FROM groups WHERE 1 LIMIT 1 OFFSET %u ON "
                         "CONFLICT DO UPDATE SET role = excluded.role, status = excluded.status, expires_ns = "
                         "excluded.expires_ns",
                         n, roles[below(2)], statuses[below(4)], end_text(), below(8));
    case 15:
        return world_sql(w,
                         "DELETE FROM memberships WHERE user_id = %u AND group_id = (SELECT id FROM groups LIMIT 1 "
                         "OFFSET %u)",
                         n, below(8));
    case 16:
        return world_sql(w,
                         "INSERT INTO teams (uuid, organization_id, name, created_ns) VALUES (" UUID ", 1, 't%u', 1)",
                         below(1U << 30), below(1U << 30), below(6));
    case 17:
        return below(3) == 0 ? world_sql(w, "DELETE FROM teams WHERE name = 't%u'", below(6))
                             : world_sql(w, "UPDATE teams SET name = 't%u' WHERE name = 't%u'", below(6), below(6));
    case 18:
    case 19: {
        const char *const columns[] = {"user_id", "group_id", "nested_id"};
        const char *const tables[] = {"users", "groups", "teams"};
        uint32_t kind = below(3);
        return world_sql(
            w,
            "INSERT INTO team_members (team_id, %s, created_ns) SELECT t.id, x.id, 1 FROM teams t, %s x WHERE 1 "
            "LIMIT 1 OFFSET %u",
            columns[kind], tables[kind], below(24));
    }
    default:
        return world_sql(w, "DELETE FROM team_members WHERE rowid = (SELECT rowid FROM team_members LIMIT 1 OFFSET %u)",
                         below(6));
    }
}

static int change_things(struct world *w, uint32_t which) {
    static const char *const options[] = {"title = 'T%u'",
                                          "name = 's%u'",
                                          "grace_ns = %u",
                                          "quota_bytes = %u + 1",
                                          "state = iif(%u %% 2, 'active', 'archived')",
                                          "unarchived_ns = %u + 1",
                                          "data_mode = iif(%u %% 2, 'fast', 'revocable')",
                                          "overwrite = iif(%u %% 2, 'delete', 'upload')",
                                          "audit = iif(%u %% 2, 'all', 'none')",
                                          "on_revoke = iif(%u %% 2, 'kill', 'poison')",
                                          "owner_id = %u",
                                          "group_id = (SELECT id FROM groups LIMIT 1 OFFSET %u)",
                                          "group_id = NULL, grace_ns = %u",
                                          "project_id = (SELECT id FROM projects LIMIT 1 OFFSET %u)",
                                          "project_id = NULL, grace_ns = %u",
                                          "organization_id = 1 + %u %% 3"};
    unsigned n = below(12), m = below(12);
    switch (which) {
    case 0:
        return world_sql(w,
                         "INSERT INTO projects (uuid, organization_id, name, parent_id, created_ns) VALUES (" UUID
                         ", 1, 'p%u', (SELECT id FROM projects LIMIT 1 OFFSET %u), 1)",
                         below(1U << 30), below(1U << 30), below(6), below(8));
    case 1:
        return below(4) == 0 ? world_sql(w,
                                         "UPDATE projects SET parent_id = (SELECT id FROM projects LIMIT 1 OFFSET %u) "
                                         "WHERE name = 'p%u'",
                                         below(6), below(6))
               : below(2) == 0
                   ? world_sql(w, "DELETE FROM projects WHERE name = 'p%u'", below(6))
                   : world_sql(w, "UPDATE projects SET name = 'p%u' WHERE name = 'p%u'", below(6), below(6));
    case 2:
        return below(2) == 0
                   ? world_sql(w,
                               "INSERT INTO nodes (uuid, name, path, created_ns) VALUES (" UUID ", 'n%u', "
                               "'/n/%u', 1)",
                               below(1U << 30), below(1U << 30), below(4), m)
                   : world_sql(w, "UPDATE nodes SET path = '/n/%u' WHERE id > 1 AND name = 'n%u'", m, below(4));
    case 3:
    case 4:
        return world_sql(w,
                         "INSERT INTO shares (uuid, organization_id, group_id, owner_id, project_id, node_id, path, "
                         "name, kind, created_ns, updated_ns) VALUES (" UUID ", 1, iif(%u, NULL, (SELECT id FROM "
                         "groups LIMIT 1 OFFSET %u)), %u, iif(%u, NULL, (SELECT id FROM projects LIMIT 1 OFFSET "
                         "%u)), (SELECT id FROM nodes LIMIT 1 OFFSET %u), 'd%u', 's%u', iif(%u, 'files', "
                         "'capsule'), 1, 1)",
                         below(1U << 30), below(1U << 30), below(2), below(6), m, below(2), below(5), below(2),
                         below(1U << 30), n, below(3));
    case 5:
        return world_sql(w,
                         "INSERT INTO shares (uuid, organization_id, owner_id, node_id, parent_id, path, name, kind, "
                         "created_ns, updated_ns) SELECT " UUID ", organization_id, %u, node_id, id, path || "
                         "'/i%u', 's%u', 'files', 1, 1 FROM shares LIMIT 1 OFFSET %u",
                         below(1U << 30), below(1U << 30), m, below(1U << 30), n, below(12));
    case 6:
    case 7: {
        char set[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(set, sizeof set, options[below(sizeof options / sizeof options[0])], n);
#pragma GCC diagnostic pop
        return world_sql(w, "UPDATE shares SET %s WHERE id = (SELECT id FROM shares LIMIT 1 OFFSET %u)", set,
                         below(12));
    }
    case 8:
        return world_sql(w, "DELETE FROM shares WHERE id = (SELECT id FROM shares LIMIT 1 OFFSET %u)", below(12));
    case 9:
        return world_sql(w, "DELETE FROM grants WHERE id = (SELECT id FROM grants LIMIT 1 OFFSET %u)", below(20));
    default: {
        static const char *const subjects[] = {"users", "groups", "teams", "organizations"};
        uint32_t kind = below(12) == 0 ? 4 : below(4), project = below(3) == 0;
        const char *object = project ? "projects" : "shares";
        const char *subject = kind == 4 ? "(SELECT 0 AS id)" : subjects[kind];
        return world_sql(w,
                         "INSERT INTO grants (subject_kind, subject_id, object_kind, object_id, perms, expires_ns, "
                         "created_ns, updated_ns) VALUES (%u, (SELECT id FROM %s LIMIT 1 OFFSET %u), %u, (SELECT id "
                         "FROM %s LIMIT 1 OFFSET %u), %u, %s, 1, 1) ON CONFLICT DO UPDATE SET perms = "
                         "excluded.perms, expires_ns = excluded.expires_ns",
                         kind, subject, kind == 4 ? 0 : below(8), project, object, below(8), below(64), end_text());
    }
    }
}

static unsigned done; /* statements that changed something */

static void change(struct world *world) {
    uint32_t statements = 1 + below(3);
    for (uint32_t i = 0; i < statements; i++) {
        uint32_t which = below(36);
        done += (which < 21 ? change_people(world, which) : change_things(world, which - 21)) == 0;
    }
    world_commit(world);
}

/* ---- running ---- */

#define KEPT 4 /* older snapshots that are still in use */

struct run {
    struct gfs_store *reader;
    struct gfs_snapshot *current, *kept[KEPT];
    unsigned deltas, wholes, untouched;
};

/* Rights of some users, so that there is something to carry over; and some of later. */
static void ask_some(const struct gfs_snapshot *snapshot) {
    for (gfs_id user = 1; user <= (gfs_id)gfs_snapshot_user_count(snapshot); user++) {
        size_t count;
        if (below(3) > 0)
            gfs_rights_places(gfs_snapshot_rights(snapshot, user, gfs_snapshot_loaded_ns(snapshot)), &count);
        if (below(8) == 0)
            gfs_snapshot_rights(snapshot, user, moment);
    }
}

static void check_untouched(struct run *run, const struct gfs_snapshot *before, const struct gfs_snapshot *after) {
    const struct pair pair = {.delta = before, .whole = after};
    for (size_t i = 0; i < gfs_snapshot_user_count(after); i++) {
        gfs_id user = gfs_snapshot_user_at(after, i)->id;
        if (gfs_snapshot_may_differ(before, after, user))
            continue;
        run->untouched++;
        same_rights(&pair, user, gfs_snapshot_loaded_ns(after), false);
    }
}

static void step(struct world *world, struct run *run) {
    struct gfs_snapshot *whole = NULL, *next = NULL;
    ask_some(run->current);
    for (uint32_t transactions = 1 + below(2); transactions > 0; transactions--)
        change(world);
    last_group = world_number(world, "SELECT max(id) FROM groups");
    last_share = world_number(world, "SELECT ifnull(max(id), 0) FROM shares") + 1;
    assert_ok(world, gfs_snapshot_load(run->reader, &whole, &world->err));
    int rc = gfs_snapshot_load_changes(run->reader, run->current, gfs_now_ns(), &next, &world->err);
    if (rc < 0)
        assert_int_equal(rc, -ESTALE);
    run->deltas += rc == 0;
    run->wholes += rc < 0;
    if (rc < 0)
        assert_ok(world, gfs_snapshot_load(run->reader, &next, &world->err));
    const struct pair pair = {.delta = next, .whole = whole};
    assert_int_equal(gfs_snapshot_generation(next), gfs_snapshot_generation(whole));
    if (rc == 0)
        check_untouched(run, run->current, next);
    bool more = below(4) == 0;
    same(&pair, gfs_snapshot_loaded_ns(next), more);
    if (more)
        same(&pair, moment, false);
    gfs_snapshot_free(whole);
    uint32_t out = below(KEPT); /* in any order */
    gfs_snapshot_free(run->kept[out]);
    run->kept[out] = run->current;
    run->current = next;
}

static void make_beginning(struct world *world) {
    for (unsigned i = 0; i < 150 || (i < 2000 && world_number(world, "SELECT count(*) FROM grants") < 8); i++)
        change(world);
}

static void delta_and_whole_agree(void **context) {
    struct world *world = *context;
    const char *seed = getenv("GUILDFS_SEED"), *steps_text = getenv("GUILDFS_STEPS");
    unsigned long steps = steps_text != NULL ? strtoul(steps_text, NULL, 10) : 400;
    struct run run = {0};
    state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)gfs_now_ns();
    print_message("GUILDFS_SEED=%" PRIu64 "\n", state);
    moment = gfs_now_ns() + 3600 * GFS_NS_PER_S;
    assert_ok(world, world_sql(world, "COMMIT; PRAGMA synchronous = OFF; BEGIN IMMEDIATE"));
    make_beginning(world);
    assert_ok(world, gfs_store_open(world->directory, GFS_STORE_READ, 1000, &run.reader, &world->err));
    assert_ok(world, gfs_snapshot_load(run.reader, &run.current, &world->err));
    for (unsigned long i = 0; i < steps; i++)
        step(world, &run);
    print_message("deltas %u, whole loads %u, users untouched %u, statements %u\n", run.deltas, run.wholes,
                  run.untouched, done);
    /* The test is worth something only when most steps were deltas that left somebody alone. */
    assert_true(run.deltas > steps * 8 / 10);
    assert_true(run.untouched > steps);
    gfs_snapshot_free(run.current);
    for (size_t i = 0; i < KEPT; i++)
        gfs_snapshot_free(run.kept[i]);
    gfs_store_close(run.reader);
}

/* ---- what only a whole load can tell ---- */

static void needs_whole(struct world *world, const char *sql) {
    struct gfs_store *reader = NULL;
    struct gfs_snapshot *before = NULL, *after = NULL;
    world_commit(world);
    assert_ok(world, gfs_store_open(world->directory, GFS_STORE_READ, 1000, &reader, &world->err));
    assert_ok(world, gfs_snapshot_load(reader, &before, &world->err));
    for (unsigned i = 0; i < 3; i++) {
        assert_ok(world, world_sql(world, "UPDATE users SET gid = %u WHERE name = 'alice'", i));
        world_commit(world);
    }
    assert_ok(world, world_sql(world, "%s", sql));
    world_commit(world);
    assert_int_equal(gfs_snapshot_load_changes(reader, before, gfs_now_ns(), &after, &world->err), -ESTALE);
    assert_null(after);
    assert_int_equal(gfs_snapshot_user_by_name(before, "alice")->gid == 2, false);
    /* And after such a failure, nothing else. */
    assert_int_equal(gfs_snapshot_load_changes(reader, before, gfs_now_ns(), &after, &world->err), -ESTALE);
    gfs_snapshot_free(before);
    gfs_store_close(reader);
}

static void a_gap_needs_a_whole_load(void **context) {
    struct world *world = *context;
    world_user(world, "alice");
    needs_whole(world, "DELETE FROM changes WHERE generation = (SELECT value - 1 FROM generation)");
}

static void a_pruned_feed_needs_a_whole_load(void **context) {
    struct world *world = *context;
    world_user(world, "alice");
    needs_whole(world, "DELETE FROM changes");
}

static void an_unknown_entity_needs_a_whole_load(void **context) {
    struct world *world = *context;
    world_user(world, "alice");
    needs_whole(world, "INSERT INTO feed VALUES ('moon', 1, 'added', 0, 0)");
}

static void too_many_changes_need_a_whole_load(void **context) {
    struct world *world = *context;
    world_user(world, "alice");
    needs_whole(world, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20001) "
                       "INSERT INTO feed SELECT 'user', 1, 'updated', 0, 0 FROM n");
}

static void a_store_that_went_back_needs_a_whole_load(void **context) {
    struct world *world = *context;
    struct gfs_store *reader = NULL;
    struct gfs_snapshot *before = NULL, *after = NULL;
    world_user(world, "alice");
    world_commit(world);
    assert_ok(world, gfs_store_open(world->directory, GFS_STORE_READ, 1000, &reader, &world->err));
    assert_ok(world, gfs_snapshot_load(reader, &before, &world->err));
    assert_ok(world, world_sql(world, "DROP TRIGGER generation_grows; UPDATE generation SET value = 1; COMMIT; BEGIN"));
    assert_int_equal(gfs_snapshot_load_changes(reader, before, gfs_now_ns(), &after, &world->err), -ESTALE);
    gfs_snapshot_free(before);
    gfs_store_close(reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(delta_and_whole_agree, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_gap_needs_a_whole_load, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_pruned_feed_needs_a_whole_load, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(an_unknown_entity_needs_a_whole_load, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(too_many_changes_need_a_whole_load, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_store_that_went_back_needs_a_whole_load, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
