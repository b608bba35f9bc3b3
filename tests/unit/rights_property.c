/*
 * Random small worlds: the fast evaluator against the naive one, at many moments, in any order of
 * asking. GUILDFS_SEED=N repeats a run, GUILDFS_WORLDS=N sets how many worlds.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/authority/snapshot.h"
#include "tests/unit/naive.h"

static uint64_t state;

static uint32_t random_below(uint32_t bound) {
    state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t z = state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) % bound);
}

static bool chance(uint32_t percent) {
    return random_below(100) < percent;
}

static gfs_perms random_perms(void) {
    return (gfs_perms)(random_below(GFS_ALL_PERMS + 1) &
                       (chance(50) ? random_below(GFS_ALL_PERMS + 1) : GFS_ALL_PERMS));
}

#define LAST_MOMENT 12
static int64_t random_end(void) {
    return chance(50) ? GFS_NEVER : (int64_t)random_below(LAST_MOMENT);
}

/* Ids are no indexes and come in no order. */
static gfs_id ids[8][WORLD_ROWS];

static void shuffle_ids(void) {
    for (size_t table = 0; table < 8; table++) {
        for (size_t i = 0; i < WORLD_ROWS; i++)
            ids[table][i] = (gfs_id)(i * 7 + 1 + table);
        for (size_t i = WORLD_ROWS; i-- > 1;) {
            size_t j = random_below((uint32_t)i + 1);
            gfs_id id = ids[table][i];
            ids[table][i] = ids[table][j];
            ids[table][j] = id;
        }
    }
}

enum { ORGANIZATION, USER, GROUP, TEAM, PROJECT, SHARE };

/* The id of one of the first `count` rows; 0 for none now and then. */
static gfs_id pick(int table, size_t count, uint32_t none_percent) {
    if (count == 0 || chance(none_percent))
        return 0;
    return ids[table][random_below((uint32_t)count)];
}

static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
static char uuids[WORLD_ROWS][37];
/* Few, so that they meet; one is what a second "data" would be called by its UUID. */
static const char *const share_names[] = {"data", "data", "atlas", "data~00000003", "data~00000005"};

static void make_people(struct world *w) {
    w->organization_count = random_below(3);
    w->user_count = 1 + random_below(4);
    w->group_count = random_below(4);
    for (size_t i = 0; i < w->organization_count; i++)
        w->organizations[i] = (struct gfs_organization_row){.id = ids[ORGANIZATION][i],
                                                            .uuid = "",
                                                            .name = names[i],
                                                            .ceiling_group = pick(GROUP, w->group_count, 50),
                                                            .ceiling_perms = random_perms(),
                                                            .group_admin_capsule_perms = random_perms(),
                                                            .organization_admin_perms = random_perms()};
    for (size_t i = 0; i < w->user_count; i++)
        w->users[i] = (struct gfs_user_row){
            .id = ids[USER][i], .uuid = names[i], .name = names[i], .uid = 1000 + (uint32_t)i, .suspended = chance(10)};
    for (size_t i = 0; i < w->user_count * w->organization_count; i++) {
        if (chance(60))
            w->organization_members[w->organization_member_count++] =
                (struct gfs_organization_member_row){.organization = ids[ORGANIZATION][i / w->user_count],
                                                     .user = ids[USER][i % w->user_count],
                                                     .admin = chance(30),
                                                     .expires_ns = random_end()};
    }
    for (size_t i = 0; i < w->group_count; i++)
        w->groups[i] = (struct gfs_group_row){.id = ids[GROUP][i],
                                              .organization = pick(ORGANIZATION, w->organization_count, 20),
                                              .uuid = "",
                                              .name = names[i]};
    for (size_t i = 0; i < w->user_count * w->group_count; i++) {
        if (chance(60))
            w->memberships[w->membership_count++] = (struct gfs_membership_row){
                .group = ids[GROUP][i / w->user_count],
                .user = ids[USER][i % w->user_count],
                .role = (enum gfs_role)random_below(3),
                .status = chance(80) ? GFS_ACCEPTED : (enum gfs_membership_status)random_below(4),
                .expires_ns = random_end()};
    }
}

static void make_teams(struct world *w) {
    w->team_count = random_below(4);
    for (size_t i = 0; i < w->team_count; i++)
        w->teams[i] = (struct gfs_team_row){.id = ids[TEAM][i], .uuid = "", .name = names[i]};
    size_t count = w->team_count == 0 ? 0 : random_below(8);
    for (size_t i = 0; i < count; i++) {
        struct gfs_team_member_row row = {.team = pick(TEAM, w->team_count, 0)};
        switch (random_below(3)) {
        case 0:
            row.user = pick(USER, w->user_count, 0);
            break;
        case 1:
            row.group = pick(GROUP, w->group_count, 0);
            break;
        default:
            row.nested = pick(TEAM, w->team_count, 0); /* itself, now and then */
        }
        if (row.user != 0 || row.group != 0 || row.nested != 0)
            w->team_members[w->team_member_count++] = row;
    }
}

static void make_shares(struct world *w) {
    w->project_count = random_below(4);
    for (size_t i = 0; i < w->project_count; i++)
        w->projects[i] = (struct gfs_project_row){
            .id = ids[PROJECT][i], .parent = pick(PROJECT, i, 50), .uuid = "", .name = names[i]};
    w->nodes[w->node_count++] = (struct gfs_node_row){.id = 1, .uuid = "", .name = "n", .path = "/srv"};
    w->share_count = 1 + random_below(7);
    for (size_t i = 0; i < w->share_count; i++) {
        /* Different, but not in their ends. */
        snprintf(uuids[i], sizeof uuids[i], "%08x-0000-7000-8000-0000%08x", (unsigned)ids[SHARE][i],
                 (unsigned)ids[SHARE][i] % 6);
        w->shares[i] = (struct gfs_share_row){.id = ids[SHARE][i],
                                              .organization = pick(ORGANIZATION, w->organization_count, 20),
                                              .group = pick(GROUP, w->group_count, 50),
                                              .project = pick(PROJECT, w->project_count, 40),
                                              .parent = pick(SHARE, i, 50),
                                              .owner = pick(USER, w->user_count, 60),
                                              .node = 1,
                                              .uuid = uuids[i],
                                              .name = share_names[random_below(5)],
                                              .title = "",
                                              .path = names[i],
                                              .kind = chance(50) ? GFS_KIND_CAPSULE : GFS_KIND_FILES,
                                              .state = chance(20) ? GFS_SHARE_ARCHIVED : GFS_SHARE_ACTIVE};
    }
}

static void make_grants(struct world *w) {
    size_t count = random_below(12);
    for (size_t i = 0; i < count; i++) {
        enum gfs_subject_kind kind = (enum gfs_subject_kind)random_below(5);
        const size_t counts[] = {w->user_count, w->group_count, w->team_count, w->organization_count};
        static const int tables[] = {USER, GROUP, TEAM, ORGANIZATION};
        gfs_id subject = kind == GFS_SUBJECT_EVERYONE ? 0 : pick(tables[kind], counts[kind], 0);
        bool project = chance(40);
        gfs_id object = project ? pick(PROJECT, w->project_count, 0) : pick(SHARE, w->share_count, 0);
        if (object != 0 && (subject != 0 || kind == GFS_SUBJECT_EVERYONE))
            world_grant(w, kind, subject, project ? GFS_OBJECT_PROJECT : GFS_OBJECT_SHARE, object, random_perms(),
                        random_end());
    }
}

static void make_world(struct world *w) {
    *w = (struct world){0};
    shuffle_ids();
    make_people(w);
    make_teams(w);
    make_shares(w);
    make_grants(w);
}

/* ---- comparing ---- */

static void compare_sources(const struct world *w, const struct gfs_snapshot *snapshot, const struct gfs_user_row *user,
                            const struct gfs_share_row *share, int64_t now) {
    struct gfs_source sources[64];
    char text[4096];
    gfs_perms ceiling;
    bool suspended;
    size_t count =
        gfs_snapshot_sources(snapshot, user->id, share->id, now, sources, 64, text, sizeof text, &ceiling, &suspended);
    assert_in_range(count, 0, 64);
    assert_int_equal(gfs_effective(sources, count, ceiling, suspended), naive_effective(w, user, share, now));
}

static void compare_perms(const struct world *w, const struct gfs_snapshot *snapshot, const struct gfs_user_row *user,
                          int64_t now) {
    const struct gfs_rights *rights = gfs_snapshot_rights(snapshot, user->id, now);
    assert_non_null(rights);
    int64_t until = gfs_rights_until(rights);
    assert_true(until > now);
    for (size_t i = 0; i < w->share_count; i++) {
        const struct gfs_share_row *share = &w->shares[i];
        gfs_perms perms = gfs_rights_on(rights, share->id);
        assert_int_equal(perms, naive_effective(w, user, share, now));
        if (until != GFS_NEVER) /* nothing changes before that */
            assert_int_equal(perms, naive_effective(w, user, share, until - 1));
        else
            assert_int_equal(perms, naive_effective(w, user, share, LAST_MOMENT + 1));
        compare_sources(w, snapshot, user, share, now);
    }
    assert_int_equal(gfs_rights_on(rights, 100000), 0);
    assert_int_equal(gfs_rights_on(rights, 0), 0);
}

/* The name that the rule asks for: its own when no older share of the folder has it. */
static bool name_fits(const struct gfs_place *places, size_t count, const struct gfs_place *place) {
    bool collides = false;
    for (size_t i = 0; i < count; i++) {
        const struct gfs_place *other = &places[i];
        if (other == place || other->kind != place->kind || other->group != place->group ||
            other->share->kind != place->share->kind)
            continue;
        if (strcmp(other->name, place->name) == 0)
            return false;
        collides = collides || (other->share->id < place->share->id && strcmp(other->name, place->share->name) == 0);
    }
    return (strcmp(place->name, place->share->name) != 0) == collides;
}

static bool in_order(const struct gfs_place *a, const struct gfs_place *b) {
    if (a->kind != b->kind)
        return a->kind < b->kind;
    if (a->group != b->group)
        return strcmp(a->group->name, b->group->name) < 0;
    if (a->share->kind != b->share->kind)
        return a->share->kind < b->share->kind;
    return strcmp(a->name, b->name) < 0;
}

static size_t times_placed(const struct gfs_place *places, size_t count, enum gfs_place_kind kind, gfs_id group,
                           gfs_id share) {
    size_t times = 0;
    for (size_t i = 0; i < count; i++)
        times += places[i].kind == kind && places[i].share->id == share &&
                 (kind == GFS_PLACE_GROUP ? places[i].group->id == group : places[i].group == NULL);
    return times;
}

static void compare_places(const struct world *w, const struct gfs_snapshot *snapshot, const struct gfs_user_row *user,
                           int64_t now) {
    size_t count, expected = 0;
    const struct gfs_place *places = gfs_rights_places(gfs_snapshot_rights(snapshot, user->id, now), &count);
    for (size_t i = 0; i < w->share_count; i++) {
        const struct gfs_share_row *share = &w->shares[i];
        for (size_t g = 0; g < w->group_count + 2; g++) {
            enum gfs_place_kind kind = g < w->group_count    ? GFS_PLACE_GROUP
                                       : g == w->group_count ? GFS_PLACE_MY
                                                             : GFS_PLACE_PUBLIC;
            gfs_id group = kind == GFS_PLACE_GROUP ? w->groups[g].id : 0;
            bool placed = naive_placed(w, user, share, kind, group, now);
            assert_int_equal(times_placed(places, count, kind, group, share->id), placed);
            expected += placed;
        }
    }
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        assert_true(name_fits(places, count, &places[i]));
        if (i > 0)
            assert_true(in_order(&places[i - 1], &places[i]));
    }
}

static void compare_groups(const struct world *w, const struct gfs_snapshot *snapshot, const struct gfs_user_row *user,
                           int64_t now) {
    size_t count, expected = 0;
    const struct gfs_group_of_user *groups = gfs_rights_groups(gfs_snapshot_rights(snapshot, user->id, now), &count);
    for (size_t i = 0; i < w->group_count; i++)
        expected += !user->suspended && naive_in_group(w, user->id, w->groups[i].id, now);
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
        assert_true(naive_in_group(w, user->id, groups[i].group->id, now));
        if (i > 0)
            assert_true(strcmp(groups[i - 1].group->name, groups[i].group->name) < 0);
    }
}

static uint64_t seed; /* of the world at hand */

/* cmocka leaves the test by longjmp: the seed has to be printed by the teardown. */
static int print_seed(void **unused) {
    (void)unused;
    print_message("last world: GUILDFS_SEED=%" PRIu64 " GUILDFS_WORLDS=1\n", seed);
    return 0;
}

static void compare(const struct world *w, const struct gfs_snapshot *snapshot) {
    for (unsigned i = 0; i < 12; i++) {
        const struct gfs_user_row *user = &w->users[random_below((uint32_t)w->user_count)];
        int64_t now = random_below(LAST_MOMENT + 1);
        compare_perms(w, snapshot, user, now);
        compare_groups(w, snapshot, user, now);
        compare_places(w, snapshot, user, now);
    }
}

static uint64_t number(const char *variable, uint64_t otherwise) {
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void random_worlds_agree(void **unused) {
    (void)unused;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t first = number("GUILDFS_SEED", (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec);
    uint64_t worlds = number("GUILDFS_WORLDS", 5000);
    print_message("seed of the first world: %" PRIu64 "\n", first);
    for (uint64_t i = 0; i < worlds; i++) {
        static struct world world;
        struct gfs_snapshot *snapshot, *later;
        state = seed = first + i;
        make_world(&world);
        assert_int_equal(world_build(&world, &snapshot), 0);
        compare(&world, snapshot);
        assert_int_equal(gfs_snapshot_dup(snapshot, 5, &later), 0);
        gfs_snapshot_free(snapshot);
        compare(&world, later); /* the policy outlives the snapshot it came with */
        gfs_snapshot_free(later);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(random_worlds_agree, print_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
