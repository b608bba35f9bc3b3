/* The authority on a store that does what it is told: swaps, readers, staleness, replacement. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "guildfs/authority.h"
#include "guildfs/log.h"
#include "tests/unit/fake_store.h"

#define SHARE 7
#define ALICE 3

static struct world with, without; /* alice may view the share; she may not */

struct heard {
    atomic_uint times;
    _Atomic uint64_t before, after;
    _Atomic uint8_t before_perms, after_perms;
    atomic_uint stale_times;
};
static struct heard heard;

static gfs_perms perms_at(const struct gfs_snapshot *snapshot, int64_t now_ns) {
    return gfs_rights_on(gfs_snapshot_rights(snapshot, ALICE, now_ns), SHARE);
}

static void hear(void *context, const struct gfs_snapshot *before, const struct gfs_snapshot *after) {
    struct heard *to = context;
    to->before = gfs_snapshot_generation(before);
    to->after = gfs_snapshot_generation(after);
    to->before_perms = perms_at(before, gfs_snapshot_loaded_ns(before));
    to->after_perms = perms_at(after, gfs_snapshot_loaded_ns(after));
    atomic_fetch_add(&to->times, 1);
}

static void make_world(struct world *world, bool granted, int64_t expires_ns) {
    *world = (struct world){0};
    world_user(world, ALICE, "alice");
    world_share(world, SHARE, "atlas");
    if (granted)
        world_grant(world, GFS_SUBJECT_USER, ALICE, GFS_OBJECT_SHARE, SHARE, GFS_VIEW, expires_ns);
}

static void hear_stale(void *context) {
    struct heard *said = context;
    atomic_fetch_add(&said->stale_times, 1);
}

static struct gfs_authority *start(int64_t stale_limit_ms) {
    const struct gfs_authority_options options = {
        .stale_limit_ns = stale_limit_ms * 1000000, .changed = hear, .stale = hear_stale, .context = &heard};
    struct gfs_authority *authority = NULL;
    struct gfs_error err = {0};
    assert_int_equal(gfs_authority_new(fake_store.directory, &options, &authority, &err), 0);
    return authority;
}

static int set_up(void **unused) {
    (void)unused;
    gfs_log_set_level(GFS_LOG_ERROR);
    memset(&heard, 0, sizeof heard);
    make_world(&with, true, GFS_NEVER);
    make_world(&without, false, 0);
    fake_store_begin(&with);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    fake_store_end();
    return 0;
}

/* Waits for a condition that must become true; a slow machine gets its time. */
#define EVENTUALLY(condition)                                                                                          \
    do {                                                                                                               \
        for (unsigned tries = 0; tries < 5000 && !(condition); tries++)                                                \
            fake_store_pause(1);                                                                                       \
        assert_true(condition);                                                                                        \
    } while (0)

/* What a request would be told: -1 when the authority refuses. */
static int asked(struct gfs_authority *authority) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    int perms = snapshot == NULL ? -1 : perms_at(snapshot, gfs_now_ns());
    gfs_authority_leave(authority, snapshot);
    return perms;
}

static void serves_what_was_loaded(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    struct gfs_authority_status status;
    assert_int_equal(asked(authority), GFS_VIEW);
    gfs_authority_status(authority, &status);
    assert_int_equal(status.generation, 1);
    assert_false(status.stale);
    assert_string_equal(status.problem, "");
    assert_true(status.last_read_ns > 0 && status.loaded_ns > 0);
    gfs_authority_free(authority);
}

static void enters_nest_eight_deep_and_no_deeper(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    const struct gfs_snapshot *held[8];
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < 8; i++) {
            held[i] = gfs_authority_enter(authority);
            assert_non_null(held[i]);
        }
        assert_null(gfs_authority_enter(authority));
        gfs_authority_leave(authority, held[3]); /* in any order */
        held[3] = gfs_authority_enter(authority);
        assert_non_null(held[3]);
        for (size_t i = 0; i < 8; i++)
            gfs_authority_leave(authority, held[i]);
    }
    gfs_authority_free(authority);
}

static void a_commit_wakes_and_tells(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    fake_store_pause(1200); /* the looks after the start are over */
    int64_t began = gfs_monotonic_ns();
    fake_store_commit(&without, 20);
    EVENTUALLY(atomic_load(&heard.times) == 1);
    /* Well before the slow look: the report did it. The commit came 20 ms after the write. */
    assert_true(gfs_monotonic_ns() - began < 500 * 1000000LL);
    assert_int_equal(heard.before, 1);
    assert_int_equal(heard.after, 2);
    assert_int_equal(heard.before_perms, GFS_VIEW);
    assert_int_equal(heard.after_perms, 0);
    assert_int_equal(asked(authority), 0);
    gfs_authority_free(authority);
}

static void a_commit_without_a_report_is_seen_by_the_slow_look(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    fake_store_show(&without, 2);
    EVENTUALLY(asked(authority) == 0);
    gfs_authority_free(authority);
}

static void what_is_held_lives_until_it_is_left(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    const struct gfs_snapshot *old = gfs_authority_enter(authority);
    const struct gfs_rights *rights = gfs_snapshot_rights(old, ALICE, gfs_now_ns());
    for (unsigned i = 0; i < 5; i++) {
        fake_store_show(i % 2 == 0 ? &without : &with, i + 2);
        assert_int_equal(gfs_authority_refresh(authority, NULL), 0);
    }
    assert_int_equal(gfs_snapshot_generation(old), 1);
    assert_int_equal(gfs_rights_on(rights, SHARE), GFS_VIEW);
    assert_string_equal(gfs_snapshot_user(old, ALICE)->name, "alice");
    const struct gfs_snapshot *now = gfs_authority_enter(authority); /* nested, and another one */
    assert_int_equal(gfs_snapshot_generation(now), 6);
    gfs_authority_leave(authority, old);
    gfs_authority_leave(authority, now);
    gfs_authority_free(authority);
}

struct reading {
    struct gfs_authority *authority;
    atomic_bool *stop;
    unsigned long reads, wrong;
};

static void *read_on_and_on(void *argument) {
    struct reading *reading = argument;
    while (!atomic_load(reading->stop)) {
        const struct gfs_snapshot *outer = gfs_authority_enter(reading->authority);
        const struct gfs_snapshot *inner = gfs_authority_enter(reading->authority);
        /* Odd generations grant, even ones do not: what is read belongs to one generation. */
        reading->wrong += outer == NULL || inner == NULL ||
                          perms_at(outer, 1) != (gfs_snapshot_generation(outer) % 2 == 1 ? GFS_VIEW : 0) ||
                          perms_at(inner, 1) != (gfs_snapshot_generation(inner) % 2 == 1 ? GFS_VIEW : 0) ||
                          gfs_snapshot_generation(inner) < gfs_snapshot_generation(outer);
        gfs_authority_leave(reading->authority, outer);
        gfs_authority_leave(reading->authority, inner);
        reading->reads++;
    }
    return NULL;
}

static void readers_never_see_a_freed_or_mixed_snapshot(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    atomic_bool stop = false;
    pthread_t threads[4];
    struct reading readings[4];
    for (size_t i = 0; i < 4; i++) {
        readings[i] = (struct reading){.authority = authority, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, read_on_and_on, &readings[i]), 0);
    }
    int64_t end = gfs_monotonic_ns() + GFS_NS_PER_S;
    uint64_t generation = 1;
    while (gfs_monotonic_ns() < end) {
        generation++;
        fake_store_show(generation % 2 == 1 ? &with : &without, generation);
        assert_int_equal(gfs_authority_refresh(authority, NULL), 0);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readings[i].wrong, 0);
        assert_true(readings[i].reads > 0);
    }
    assert_true(atomic_load(&heard.times) > 10);
    gfs_authority_free(authority);
}

static void *enter_once(void *argument) {
    return (void *)(intptr_t)(asked(argument) + 1);
}

static void threads_come_and_go(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    for (unsigned i = 0; i < 200; i++) {
        pthread_t thread;
        void *result;
        assert_int_equal(pthread_create(&thread, NULL, enter_once, authority), 0);
        pthread_join(thread, &result);
        assert_int_equal((intptr_t)result, GFS_VIEW + 1);
    }
    gfs_authority_free(authority);
}

static void fails_closed_when_stale_and_recovers(void **unused) {
    (void)unused;
    const int errors[] = {EBUSY, EIO};
    struct gfs_authority *authority = start(400);
    for (size_t i = 0; i < 2; i++) {
        struct gfs_authority_status status;
        atomic_store(&fake_store.generation_error, errors[i]);
        assert_int_equal(asked(authority), GFS_VIEW); /* keeps serving at first */
        EVENTUALLY(asked(authority) == -1);
        gfs_authority_status(authority, &status);
        assert_true(status.stale);
        assert_string_equal(status.problem, "told not to read");
        EVENTUALLY(heard.stale_times == i + 1); /* each time once */
        atomic_store(&fake_store.generation_error, 0);
        EVENTUALLY(asked(authority) == GFS_VIEW);
        gfs_authority_status(authority, &status);
        assert_false(status.stale);
        assert_string_equal(status.problem, "");
    }
    gfs_authority_free(authority);
}

static void fails_closed_when_the_store_hangs(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(1500);
    atomic_store(&fake_store.hangs, true);
    EVENTUALLY(heard.stale_times == 1);
    assert_int_equal(asked(authority), -1); /* not before it is so */
    atomic_store(&fake_store.hangs, false);
    EVENTUALLY(asked(authority) == GFS_VIEW);
    gfs_authority_free(authority);
}

static void a_change_that_cannot_be_loaded_makes_stale(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(400);
    atomic_store(&fake_store.load_error, EBADMSG);
    fake_store_commit(&without, 0);
    EVENTUALLY(asked(authority) == -1);
    struct gfs_error err = {0};
    assert_int_equal(gfs_authority_refresh(authority, &err), -EBADMSG);
    assert_string_equal(err.message, "told not to load");
    atomic_store(&fake_store.load_error, 0);
    EVENTUALLY(asked(authority) == 0);
    gfs_authority_free(authority);
}

static void rows_that_do_not_fit_together_are_refused(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    struct gfs_error err = {0};
    struct world broken = without;
    world_share(&broken, SHARE + 1, "nowhere")->node = 99;
    fake_store_commit(&broken, 0);
    assert_int_equal(gfs_authority_refresh(authority, &err), -EBADMSG);
    assert_non_null(strstr(err.message, "node"));
    assert_int_equal(asked(authority), GFS_VIEW);
    gfs_authority_free(authority);
}

static void a_replaced_database_is_opened_and_loaded_anew(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    fake_store_show(&without, 1); /* the same generation: a copy from elsewhere */
    fake_store_replace();
    EVENTUALLY(asked(authority) == 0);
    assert_int_equal(atomic_load(&fake_store.opens), 2);
    gfs_authority_free(authority);
}

static void a_deleted_database_is_no_longer_trusted(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(400);
    struct gfs_authority_status status;
    char path[128];
    snprintf(path, sizeof path, "%s/guildfs.db", fake_store.directory);
    assert_int_equal(unlink(path), 0);
    EVENTUALLY(asked(authority) == -1);
    gfs_authority_status(authority, &status);
    assert_non_null(strstr(status.problem, "guildfs.db"));
    fake_store_replace(); /* and comes back */
    EVENTUALLY(asked(authority) == GFS_VIEW);
    gfs_authority_free(authority);
}

static void a_moved_directory_is_no_longer_trusted(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(400);
    char elsewhere[128];
    snprintf(elsewhere, sizeof elsewhere, "%s.moved", fake_store.directory);
    assert_int_equal(rename(fake_store.directory, elsewhere), 0);
    EVENTUALLY(asked(authority) == -1);
    assert_int_equal(rename(elsewhere, fake_store.directory), 0);
    EVENTUALLY(asked(authority) == GFS_VIEW);
    fake_store_pause(1200);
    int64_t began = gfs_monotonic_ns();
    fake_store_commit(&without, 5);
    EVENTUALLY(asked(authority) == 0);
    assert_true(gfs_monotonic_ns() - began < 500 * 1000000LL); /* is watched again */
    gfs_authority_free(authority);
}

static void an_end_is_told_when_it_comes(void **unused) {
    (void)unused;
    struct world ending;
    make_world(&ending, true, gfs_now_ns() + 300 * 1000000LL);
    fake_store_show(&ending, 1);
    struct gfs_authority *authority = start(30000);
    assert_int_equal(asked(authority), GFS_VIEW);
    EVENTUALLY(atomic_load(&heard.times) == 1);
    assert_int_equal(heard.before_perms, GFS_VIEW);
    assert_int_equal(heard.after_perms, 0);
    assert_int_equal(heard.after, 1);
    assert_int_equal(asked(authority), 0);
    assert_int_equal(atomic_load(&fake_store.loads), 1); /* the policy is the same */
    fake_store_pause(50);
    assert_int_equal(atomic_load(&heard.times), 1);
    gfs_authority_free(authority);
}

static void the_first_load_must_succeed(void **unused) {
    (void)unused;
    struct gfs_authority *authority = NULL;
    struct gfs_error err = {0};
    atomic_store(&fake_store.open_error, EACCES);
    assert_int_equal(gfs_authority_new(fake_store.directory, NULL, &authority, &err), -EACCES);
    assert_string_equal(err.message, "told not to open");
    assert_int_equal(gfs_authority_new("/nonexistent/store", NULL, &authority, &err), -ENOENT);
    assert_non_null(strstr(err.message, "/nonexistent/store"));
    assert_null(authority);
}

static void a_failing_store_is_not_asked_in_a_loop(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    atomic_store(&fake_store.generation_error, EIO);
    unsigned before = atomic_load(&fake_store.opens);
    for (unsigned i = 0; i < 500; i++) /* reports without end */
        fake_store_commit(&with, 1);
    assert_in_range(atomic_load(&fake_store.opens) - before, 1, 20);
    gfs_authority_free(authority);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(serves_what_was_loaded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(enters_nest_eight_deep_and_no_deeper, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_commit_wakes_and_tells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_commit_without_a_report_is_seen_by_the_slow_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_held_lives_until_it_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_never_see_a_freed_or_mixed_snapshot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fails_closed_when_stale_and_recovers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fails_closed_when_the_store_hangs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_change_that_cannot_be_loaded_makes_stale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_that_do_not_fit_together_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replaced_database_is_opened_and_loaded_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_deleted_database_is_no_longer_trusted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_moved_directory_is_no_longer_trusted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_is_told_when_it_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_first_load_must_succeed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failing_store_is_not_asked_in_a_loop, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
