/*
 * Memory runs out: each allocation in turn fails while a snapshot is built and asked. The answer
 * may be an error or "nothing", never a permission too many. The program is linked with --wrap for
 * the functions below.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/authority/snapshot.h"
#include "tests/unit/world.h"

static unsigned long until_failure; /* 0: none fails */

static bool fails(void) {
    return until_failure > 0 && --until_failure == 0;
}

#define WRAP(name, parameters, arguments)                                                                              \
    void *__real_##name parameters;                                                                                    \
    void *__wrap_##name parameters;                                                                                    \
    void *__wrap_##name parameters {                                                                                   \
        return fails() ? NULL : __real_##name arguments;                                                               \
    }
WRAP(malloc, (size_t size), (size))
WRAP(calloc, (size_t count, size_t size), (count, size))
WRAP(reallocarray, (void *pointer, size_t count, size_t size), (pointer, count, size))
WRAP(aligned_alloc, (size_t alignment, size_t size), (alignment, size))

enum { ALICE = 1, BOB = 2, SHARES = 20 };

static void make_world(struct world *world) {
    world_organization(world, 1, "gauss");
    world->organizations[0].ceiling_group = 2;
    world->organizations[0].ceiling_perms = GFS_VIEW;
    world_user(world, ALICE, "alice");
    world_user(world, BOB, "bob");
    world->organization_members[world->organization_member_count++] =
        (struct gfs_organization_member_row){.organization = 1, .user = ALICE, .expires_ns = GFS_NEVER};
    world_group(world, 1, "physics");
    world_group(world, 2, "curator");
    world_member(world, 1, ALICE, GFS_ROLE_OWNER, GFS_NEVER);
    world->teams[world->team_count++] = (struct gfs_team_row){.id = 1, .uuid = "", .name = "team"};
    world->team_members[world->team_member_count++] = (struct gfs_team_member_row){.team = 1, .group = 1};
    world->projects[world->project_count++] = (struct gfs_project_row){.id = 1, .uuid = "", .name = "project"};
    for (gfs_id id = 1; id <= SHARES; id++) {
        struct gfs_share_row *share = world_share(world, id, id % 2 == 0 ? "data" : "atlas");
        share->organization = 1;
        share->parent = id > 15 ? id - 1 : 0;
        share->project = id % 3 == 0 ? 1 : 0;
        world_grant(world, (enum gfs_subject_kind)(id % 5), id % 5 == GFS_SUBJECT_EVERYONE ? 0 : 1, GFS_OBJECT_SHARE,
                    id, GFS_VIEW | GFS_UPLOAD, GFS_NEVER);
    }
    world_grant(world, GFS_SUBJECT_TEAM, 1, GFS_OBJECT_PROJECT, 1, GFS_ALL_PERMS, GFS_NEVER);
}

/* What everybody holds when nothing fails. */
static gfs_perms expected[3][SHARES + 1];
static size_t expected_places[3];

static void ask(const struct gfs_snapshot *snapshot, bool record) {
    for (gfs_id user = ALICE; user <= BOB; user++) {
        size_t count;
        const struct gfs_rights *rights = gfs_snapshot_rights(snapshot, user, 0);
        for (gfs_id share = 1; share <= SHARES; share++) {
            gfs_perms perms = gfs_rights_on(rights, share);
            if (record)
                expected[user][share] = perms;
            else if (rights == NULL)
                assert_int_equal(perms, 0);
            else
                assert_int_equal(perms, expected[user][share]);
        }
        gfs_rights_places(rights, &count);
        if (record)
            expected_places[user] = count;
        else if (count != 0)
            assert_int_equal(count, expected_places[user]);
        struct gfs_source sources[8];
        char text[512];
        gfs_perms ceiling;
        bool suspended;
        count = gfs_snapshot_sources(snapshot, user, 7, 0, sources, 8, text, sizeof text, &ceiling, &suspended);
        assert_true(gfs_perms_include(expected[user][7], gfs_effective(sources, count, ceiling, suspended)));
    }
}

static void a_failed_allocation_gives_nothing_away(void **unused) {
    (void)unused;
    static struct world world;
    struct gfs_snapshot *snapshot;
    unsigned long n = 0, built = 0;
    make_world(&world);
    assert_int_equal(world_build(&world, &snapshot), 0);
    ask(snapshot, true);
    assert_true(expected_places[ALICE] > 5);
    gfs_snapshot_free(snapshot);
    do {
        until_failure = ++n;
        int rc = world_build(&world, &snapshot);
        if (rc == 0) {
            built++;
            ask(snapshot, false);
            ask(snapshot, false); /* what failed is tried again */
            gfs_snapshot_free(snapshot);
        } else {
            assert_int_equal(rc, -ENOMEM);
        }
    } while (until_failure == 0); /* until n is more than all of them */
    assert_true(n > 100);
    assert_true(built > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_failed_allocation_gives_nothing_away)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
