/* Snapshots: what the builder takes and refuses, lookups, places, sources, many threads at once. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/authority/builder.h"
#include "tests/unit/world.h"

enum { ALICE = 1, BOB = 2, PHYSICS = 1, CURATOR = 2, ATLAS = 1, RAW = 2 };

static struct gfs_snapshot *build(const struct world *world) {
    struct gfs_snapshot *snapshot = NULL;
    assert_int_equal(world_build(world, &snapshot), 0);
    return snapshot;
}

static gfs_perms held(const struct gfs_snapshot *snapshot, gfs_id user, gfs_id share) {
    return gfs_rights_on(gfs_snapshot_rights(snapshot, user, 0), share);
}

static void an_empty_policy_holds_nothing(void **unused) {
    (void)unused;
    static const struct world world;
    struct gfs_snapshot *snapshot = build(&world);
    size_t count = 1;
    assert_null(gfs_snapshot_user(snapshot, 1));
    assert_null(gfs_snapshot_user_by_name(snapshot, "alice"));
    assert_null(gfs_snapshot_share(snapshot, 1));
    assert_null(gfs_snapshot_rights(snapshot, 1, 0));
    assert_int_equal(gfs_rights_on(NULL, 1), 0);
    assert_null(gfs_rights_places(NULL, &count));
    assert_int_equal(count, 0);
    count = 1;
    assert_null(gfs_rights_groups(NULL, &count));
    assert_int_equal(count, 0);
    assert_int_equal(gfs_rights_until(NULL), 0);
    assert_int_equal(gfs_snapshot_user_count(snapshot), 0);
    assert_int_equal(gfs_snapshot_generation(snapshot), 1);
    gfs_snapshot_free(snapshot);
}

static void records_are_found(void **unused) {
    (void)unused;
    static struct world world;
    static char names[WORLD_ROWS][8];
    world_organization(&world, 5, "gauss");
    for (unsigned i = 0; i < 20; i++) { /* handed over from the largest id to the smallest */
        snprintf(names[i], sizeof names[i], "user%u", i);
        world_user(&world, 100 - i, names[i]);
        world.users[i].uid = 1000 + i;
    }
    world_group(&world, 9, "physics");
    world_share(&world, ATLAS, "atlas")->organization = 5;
    world_share(&world, RAW, "raw")->parent = ATLAS;
    world_share(&world, 30, "cooked")->parent = ATLAS;
    struct gfs_snapshot *snapshot = build(&world);
    for (unsigned i = 0; i < 20; i++) {
        const struct gfs_user *user = gfs_snapshot_user(snapshot, 100 - i);
        assert_string_equal(user->name, names[i]);
        assert_ptr_equal(user, gfs_snapshot_user_by_name(snapshot, names[i]));
        assert_ptr_equal(user, gfs_snapshot_user_by_uuid(snapshot, names[i]));
        assert_ptr_equal(user, gfs_snapshot_user_by_uid(snapshot, 1000 + i));
        assert_int_equal(gfs_snapshot_user_at(snapshot, i)->id, 81 + i); /* by id */
    }
    assert_null(gfs_snapshot_user_at(snapshot, 20));
    assert_null(gfs_snapshot_user_by_uid(snapshot, GFS_NO_UID));
    assert_null(gfs_snapshot_user_by_name(snapshot, "user"));
    assert_string_equal(gfs_snapshot_group(snapshot, 9)->name, "physics");
    const struct gfs_share *raw = gfs_snapshot_share(snapshot, RAW);
    assert_ptr_equal(raw->parent, gfs_snapshot_share(snapshot, ATLAS));
    assert_string_equal(raw->node_path, "/srv/store/data");
    size_t count;
    const struct gfs_share *const *nested = gfs_snapshot_nested(snapshot, ATLAS, &count);
    assert_int_equal(count, 2);
    assert_int_equal(nested[0]->id + nested[1]->id, RAW + 30);
    gfs_snapshot_nested(snapshot, RAW, &count);
    assert_int_equal(count, 0);
    gfs_snapshot_nested(snapshot, 77, &count);
    assert_int_equal(count, 0);
    assert_true(gfs_snapshot_memory(snapshot) > 4096);
    gfs_snapshot_free(snapshot);
}

static void a_uid_of_two_users_is_nobodys(void **unused) {
    (void)unused;
    static struct world world;
    world_user(&world, ALICE, "alice");
    world_user(&world, BOB, "bob");
    world.users[0].uid = world.users[1].uid = 1000;
    struct gfs_snapshot *snapshot = build(&world);
    assert_null(gfs_snapshot_user_by_uid(snapshot, 1000));
    gfs_snapshot_free(snapshot);
}

/* ---- rows that do not fit together ---- */

static int refusal(const struct world *world, const char *word) {
    struct gfs_builder *builder;
    assert_int_equal(gfs_builder_new(&builder), 0);
    int rc = world_load(world, &gfs_builder_sink, builder);
    if (rc < 0)
        assert_non_null(strstr(gfs_builder_problem(builder), word));
    gfs_builder_free(builder);
    return rc;
}

static void rows_that_would_limit_less_are_refused(void **unused) {
    (void)unused;
    static struct world world;
    world_share(&world, ATLAS, "atlas");
    struct world good = world;

    world.shares[0].node = 7;
    assert_int_equal(refusal(&world, "node"), -EBADMSG);
    world = good;
    world.shares[0].organization = 7; /* perhaps one with a ceiling */
    assert_int_equal(refusal(&world, "organization"), -EBADMSG);
    world = good;
    world.shares[0].parent = 7;
    assert_int_equal(refusal(&world, "share around it"), -EBADMSG);
    world = good;
    world.shares[0].parent = ATLAS; /* in itself */
    assert_int_equal(refusal(&world, "share around it"), -EBADMSG);
    world = good;
    world.shares[0].kind = GFS_KIND_COUNT;
    assert_int_equal(refusal(&world, "kind"), -EBADMSG);
    world = good;
    world_share(&world, ATLAS, "again");
    assert_int_equal(refusal(&world, "twice"), -EBADMSG);
    world = good;
    world.shares[0].id = 0;
    assert_int_equal(refusal(&world, "no id"), -EBADMSG);
    assert_int_equal(refusal(&good, ""), 0);
}

static void rows_out_of_order_are_refused(void **unused) {
    (void)unused;
    struct gfs_builder *builder;
    const struct gfs_group_row group = {.id = 1, .uuid = "", .name = "physics"};
    const struct gfs_user_row user = {.id = 1, .uuid = "", .name = "alice"};
    assert_int_equal(gfs_builder_new(&builder), 0);
    assert_int_equal(gfs_builder_sink.group(builder, &group), 0);
    assert_int_equal(gfs_builder_sink.user(builder, &user), -EBADMSG);
    gfs_builder_free(builder);
}

/* What refers to somebody who is gone gives nothing, and keeps nobody else from working. */
static void rows_that_would_only_give_are_left_out(void **unused) {
    (void)unused;
    static struct world world;
    world_user(&world, ALICE, "alice");
    world_group(&world, PHYSICS, "physics");
    world_member(&world, 99, ALICE, GFS_ROLE_OWNER, GFS_NEVER);
    world_member(&world, PHYSICS, 99, GFS_ROLE_OWNER, GFS_NEVER);
    struct gfs_share_row *share = world_share(&world, ATLAS, "atlas");
    share->owner = share->group = share->project = 99;
    world_grant(&world, GFS_SUBJECT_USER, 99, GFS_OBJECT_SHARE, ATLAS, GFS_ALL_PERMS, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_GROUP, 99, GFS_OBJECT_SHARE, ATLAS, GFS_ALL_PERMS, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_TEAM, 99, GFS_OBJECT_SHARE, ATLAS, GFS_ALL_PERMS, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_ORGANIZATION, 99, GFS_OBJECT_SHARE, ATLAS, GFS_ALL_PERMS, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_USER, ALICE, GFS_OBJECT_PROJECT, 99, GFS_ALL_PERMS, GFS_NEVER);
    world_grant(&world, (enum gfs_subject_kind)9, 0, GFS_OBJECT_SHARE, ATLAS, GFS_ALL_PERMS, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_USER, ALICE, (enum gfs_object_kind)9, ATLAS, GFS_ALL_PERMS, GFS_NEVER);
    struct gfs_snapshot *snapshot = build(&world);
    assert_int_equal(held(snapshot, ALICE, ATLAS), 0);
    gfs_snapshot_free(snapshot);
}

static void no_grant_holds_what_nobody_may(void **unused) {
    (void)unused;
    static struct world world;
    world_user(&world, ALICE, "alice");
    world_share(&world, ATLAS, "atlas");
    world_grant(&world, GFS_SUBJECT_EVERYONE, 0, GFS_OBJECT_SHARE, ATLAS, 0xff, GFS_NEVER);
    struct gfs_snapshot *snapshot = build(&world);
    assert_int_equal(held(snapshot, ALICE, ATLAS), GFS_ALL_PERMS);
    gfs_snapshot_free(snapshot);
}

static void a_ceiling_without_its_group_cuts_all(void **unused) {
    (void)unused;
    static struct world world;
    world_organization(&world, 1, "gauss");
    world.organizations[0].ceiling_group = 99;
    world.organizations[0].ceiling_perms = GFS_VIEW;
    world_user(&world, ALICE, "alice");
    struct gfs_share_row *share = world_share(&world, ATLAS, "atlas");
    share->organization = 1;
    share->owner = ALICE;
    struct gfs_snapshot *snapshot = build(&world);
    assert_int_equal(held(snapshot, ALICE, ATLAS), GFS_VIEW);
    gfs_snapshot_free(snapshot);
}

/* ---- places ---- */

static const struct gfs_place *places_of(const struct gfs_snapshot *snapshot, gfs_id user, size_t *count) {
    return gfs_rights_places(gfs_snapshot_rights(snapshot, user, 0), count);
}

static void shares_show_where_they_belong(void **unused) {
    (void)unused;
    static struct world world;
    size_t count;
    world_user(&world, ALICE, "alice");
    world_user(&world, BOB, "bob");
    world_group(&world, PHYSICS, "physics");
    world_group(&world, CURATOR, "curator");
    world_member(&world, PHYSICS, ALICE, GFS_ROLE_MEMBER, GFS_NEVER);
    world_member(&world, CURATOR, ALICE, GFS_ROLE_ADMIN, GFS_NEVER);
    world_share(&world, 10, "of-physics")->group = PHYSICS;
    world_share(&world, 11, "of-both")->group = PHYSICS;
    world_share(&world, 12, "mine")->owner = ALICE;
    world_share(&world, 13, "open");
    world_share(&world, 14, "inside")->parent = 10;
    world_share(&world, 15, "old")->state = GFS_SHARE_ARCHIVED;
    world_grant(&world, GFS_SUBJECT_EVERYONE, 0, GFS_OBJECT_SHARE, 10, GFS_VIEW, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_GROUP, CURATOR, GFS_OBJECT_SHARE, 11, GFS_VIEW, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_EVERYONE, 0, GFS_OBJECT_SHARE, 13, GFS_VIEW, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_USER, ALICE, GFS_OBJECT_SHARE, 15, GFS_UPLOAD, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_USER, BOB, GFS_OBJECT_SHARE, 14, GFS_UPLOAD, GFS_NEVER);
    struct gfs_snapshot *snapshot = build(&world);
    const struct gfs_place *places = places_of(snapshot, ALICE, &count);
    assert_int_equal(count, 5);
    assert_string_equal(places[0].group->name, "curator");
    assert_string_equal(places[0].name, "of-both");
    assert_string_equal(places[1].group->name, "physics");
    assert_string_equal(places[1].name, "of-both");
    assert_string_equal(places[2].name, "of-physics");
    assert_int_equal(places[3].kind, GFS_PLACE_MY);
    assert_string_equal(places[3].name, "mine");
    assert_int_equal(places[4].kind, GFS_PLACE_PUBLIC);
    assert_string_equal(places[4].name, "open");
    assert_null(places[4].group);
    /* bob is in no group: what everyone sees is public, and the nested share is inside it. */
    places = places_of(snapshot, BOB, &count);
    assert_int_equal(count, 2);
    assert_string_equal(places[0].name, "of-physics");
    assert_string_equal(places[1].name, "open");
    assert_int_equal(places[0].kind, GFS_PLACE_PUBLIC);
    gfs_snapshot_free(snapshot);
}

static void names_that_meet_are_told_apart(void **unused) {
    (void)unused;
    static struct world world;
    static char longest[256];
    size_t count;
    memset(longest, 'x', 253); /* with a letter of two bytes where the cut would go */
    memcpy(longest + 245, "\xc3\xa9", 2);
    world_user(&world, ALICE, "alice");
    for (gfs_id id = 10; id < 16; id++)
        world_share(&world, id, id < 14 ? "data" : longest)->owner = ALICE;
    static const char *const uuids[] = {"019abcde-0000-7000-8000-0000000000aa", "019abcde-0000-7000-8000-0000000000bb",
                                        "019abcde-0000-7000-8000-0001000000bb", "019abcde-0000-7000-8000-0000000000dd",
                                        "019abcde-0000-7000-8000-0000000000ee", "019abcde-0000-7000-8000-0000000000ff"};
    for (size_t i = 0; i < 6; i++)
        world.shares[i].uuid = uuids[i];
    world.shares[3].kind = GFS_KIND_CAPSULE; /* another folder: keeps its name */
    struct gfs_snapshot *snapshot = build(&world);
    const struct gfs_place *places = places_of(snapshot, ALICE, &count);
    assert_int_equal(count, 6);
    assert_string_equal(places[0].name, "data");
    assert_int_equal(places[0].share->id, 10);
    assert_string_equal(places[1].name, "data~000000bb");
    assert_string_equal(places[2].name, "data~019abcde-0000-7000-8000-0001000000bb");
    assert_int_equal(strlen(places[3].name), 245 + 9);
    assert_string_equal(places[3].name + 245, "~000000ff");
    assert_string_equal(places[4].name, longest);
    assert_string_equal(places[5].name, "data");
    gfs_snapshot_free(snapshot);
}

/* ---- sources ---- */

static void sources_say_who_gave_what(void **unused) {
    (void)unused;
    static struct world world;
    struct gfs_source sources[8];
    char text[512];
    gfs_perms ceiling;
    bool suspended;
    world_organization(&world, 1, "gauss");
    world.organizations[0].ceiling_group = CURATOR;
    world.organizations[0].ceiling_perms = GFS_VIEW | GFS_DOWNLOAD;
    world_user(&world, ALICE, "alice");
    world_user(&world, BOB, "bob");
    world.users[1].suspended = true;
    world_group(&world, PHYSICS, "physics");
    world_group(&world, CURATOR, "curator");
    world_member(&world, PHYSICS, ALICE, GFS_ROLE_MEMBER, GFS_NEVER);
    world_share(&world, ATLAS, "atlas")->organization = 1;
    struct gfs_share_row *raw = world_share(&world, RAW, "raw");
    raw->parent = ATLAS;
    raw->organization = 1;
    raw->owner = ALICE;
    world_grant(&world, GFS_SUBJECT_GROUP, PHYSICS, GFS_OBJECT_SHARE, ATLAS, GFS_VIEW, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_EVERYONE, 0, GFS_OBJECT_SHARE, RAW, GFS_UPLOAD, GFS_NEVER);
    world_grant(&world, GFS_SUBJECT_USER, ALICE, GFS_OBJECT_SHARE, RAW, GFS_DELETE, 10); /* over */
    struct gfs_snapshot *snapshot = build(&world);
    size_t count = gfs_snapshot_sources(snapshot, ALICE, RAW, 10, sources, 8, text, sizeof text, &ceiling, &suspended);
    assert_int_equal(count, 4);
    assert_string_equal(sources[0].via, "owner");
    assert_int_equal(sources[0].perms, GFS_ALL_PERMS);
    assert_string_equal(sources[1].via, "group physics on share atlas");
    assert_int_equal(sources[1].perms, GFS_VIEW);
    assert_string_equal(sources[2].via, "everyone");
    assert_string_equal(sources[3].via, "ceiling curator (others: view,download at most)");
    assert_int_equal(sources[3].perms, 0);
    assert_int_equal(ceiling, GFS_VIEW | GFS_DOWNLOAD);
    assert_false(suspended);
    count = gfs_snapshot_sources(snapshot, BOB, RAW, 0, sources, 8, text, sizeof text, &ceiling, &suspended);
    assert_true(suspended);
    assert_string_equal(sources[count - 1].via, "account suspended");
    /* Too little room cuts, and still counts. */
    char little[12] = "###########";
    count = gfs_snapshot_sources(snapshot, ALICE, RAW, 0, sources, 2, little, 8, &ceiling, &suspended);
    assert_int_equal(count, 5);
    assert_string_equal(sources[0].via, "owner");
    assert_string_equal(sources[1].via, "u");
    assert_string_equal(little + 8, "###");
    assert_int_equal(gfs_snapshot_sources(snapshot, 99, RAW, 0, NULL, 0, NULL, 0, &ceiling, &suspended), 0);
    assert_int_equal(ceiling, 0);
    gfs_snapshot_free(snapshot);
}

/* ---- memory and threads ---- */

static void what_everyone_holds_is_kept_once(void **unused) {
    (void)unused;
    static struct world world;
    world_organization(&world, 1, "gauss");
    for (gfs_id user = 1; user <= 20; user++) {
        world_user(&world, user, "u");
        world.organization_members[world.organization_member_count++] =
            (struct gfs_organization_member_row){.organization = 1, .user = user, .expires_ns = GFS_NEVER};
    }
    for (gfs_id share = 1; share <= 30; share++) {
        world_share(&world, share, "s");
        world_grant(&world, share % 2 == 0 ? GFS_SUBJECT_EVERYONE : GFS_SUBJECT_ORGANIZATION, share % 2 == 0 ? 0 : 1,
                    GFS_OBJECT_SHARE, share, GFS_VIEW, GFS_NEVER);
    }
    struct gfs_snapshot *snapshot = build(&world);
    for (gfs_id share = 1; share <= 30; share++)
        assert_int_equal(held(snapshot, 1, share), GFS_VIEW);
    size_t one = gfs_snapshot_memory(snapshot);
    for (gfs_id user = 2; user <= 20; user++)
        assert_int_equal(held(snapshot, user, 7), GFS_VIEW);
    assert_in_range((gfs_snapshot_memory(snapshot) - one) / 19, 0, 200);
    gfs_snapshot_free(snapshot);
}

static void *ask_all(void *argument) {
    const struct gfs_snapshot *snapshot = argument;
    size_t wrong = 0;
    for (int64_t now = 0; now < 30; now++) {
        for (gfs_id user = 1; user <= 20; user++) {
            size_t count;
            int64_t moment = (now * 7 + user) % 30;
            const struct gfs_rights *rights = gfs_snapshot_rights(snapshot, user, moment);
            gfs_perms perms = gfs_rights_on(rights, ATLAS);
            gfs_rights_places(rights, &count);
            wrong += perms != (moment < user ? GFS_VIEW : 0) || count != (moment < user ? 1 : 0);
        }
    }
    return (void *)(uintptr_t)wrong;
}

static void many_threads_may_ask_first(void **unused) {
    (void)unused;
    static struct world world;
    world_share(&world, ATLAS, "atlas");
    for (gfs_id user = 1; user <= 20; user++) {
        world_user(&world, user, "u");
        world_grant(&world, GFS_SUBJECT_USER, user, GFS_OBJECT_SHARE, ATLAS, GFS_VIEW, user);
    }
    for (unsigned round = 0; round < 20; round++) {
        struct gfs_snapshot *snapshot = build(&world);
        pthread_t threads[4];
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, ask_all, snapshot), 0);
        for (size_t i = 0; i < 4; i++) {
            void *wrong;
            pthread_join(threads[i], &wrong);
            assert_null(wrong);
        }
        gfs_snapshot_free(snapshot);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_policy_holds_nothing),  cmocka_unit_test(records_are_found),
        cmocka_unit_test(a_uid_of_two_users_is_nobodys),  cmocka_unit_test(rows_that_would_limit_less_are_refused),
        cmocka_unit_test(rows_out_of_order_are_refused),  cmocka_unit_test(rows_that_would_only_give_are_left_out),
        cmocka_unit_test(no_grant_holds_what_nobody_may), cmocka_unit_test(a_ceiling_without_its_group_cuts_all),
        cmocka_unit_test(shares_show_where_they_belong),  cmocka_unit_test(names_that_meet_are_told_apart),
        cmocka_unit_test(sources_say_who_gave_what),      cmocka_unit_test(what_everyone_holds_is_kept_once),
        cmocka_unit_test(many_threads_may_ask_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
