/* Transactions: all or nothing, one generation each, never without audit. */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/store/audit.h"

static uint64_t generation_of(struct world *world) {
    uint64_t generation = 0;

    assert_ok(world, gfs_store_generation(world->store, &generation, &world->err));
    return generation;
}

static void raises_the_generation_once(void **state) {
    struct world *world = *state;

    assert_int_equal(gfs_tx_generation(world->tx), 2);
    assert_int_equal(generation_of(world), 1);
    world_user(world, "alice");
    world_user(world, "bob");
    world_commit(world);
    assert_int_equal(generation_of(world), 2);
    assert_int_equal(gfs_tx_generation(world->tx), 3);
    world_commit(world);
    assert_int_equal(generation_of(world), 3);
    world_user(world, "carol");
    world_roll_back(world);
    assert_int_equal(generation_of(world), 3);
}

static void needs_an_audit_row(void **state) {
    struct world *world = *state;

    world_user(world, "alice");
    assert_fails(world, gfs_tx_commit(world->tx, &world->err), EINVAL, "audit");
    assert_int_equal(generation_of(world), 1);
    assert_int_equal(world_number(world, "SELECT count(*) FROM users"), 0);
    assert_fails(world, gfs_tx_commit(world->tx, &world->err), EINVAL, "over");
}

static void ends_by_taking_back(void **state) {
    struct world *world = *state;
    const struct gfs_audit_entry entry = {.actor_name = "test", .action = "test"};

    world_user(world, "alice");
    assert_ok(world, gfs_tx_audit(world->tx, &entry, &world->err));
    gfs_tx_end(world->tx);
    world->tx = NULL;
    assert_int_equal(world_number(world, "SELECT count(*) FROM users"), 0);
    assert_int_equal(world_number(world, "SELECT count(*) FROM audit WHERE action = 'test'"), 0);
    assert_int_equal(world_number(world, "SELECT count(*) FROM changes"), 0);
}

static void a_failed_part_takes_all_back(void **state) {
    struct world *world = *state;
    const struct gfs_audit_entry entry = {.actor_name = "test", .action = "test"};
    const struct gfs_user_record again = gfs_user_record_default("alice");
    gfs_id id = 77;

    world_user(world, "alice");
    assert_fails(world, gfs_store_user_add(world->tx, &again, &id, &world->err), EEXIST, "exists already");
    assert_int_equal(id, 77);
    assert_ok(world, gfs_tx_audit(world->tx, &entry, &world->err));
    assert_fails(world, gfs_tx_commit(world->tx, &world->err), EINVAL, "nothing was changed");
    assert_int_equal(world_number(world, "SELECT count(*) FROM users"), 0);
    assert_int_equal(generation_of(world), 1);
}

static void one_at_a_time(void **state) {
    struct world *world = *state;
    struct gfs_tx *second = NULL;

    assert_fails(world, gfs_tx_begin(world->store, &second, &world->err), EINVAL, "already");
    assert_null(second);
    assert_ptr_equal(gfs_tx_store(world->tx), world->store);
}

struct seen {
    size_t count;
    char text[512];
    int64_t last;
};

static int see_audit(void *context, const struct gfs_audit_entry *entry) {
    struct seen *seen = context;

    snprintf(seen->text, sizeof seen->text, "%s|%s|%s|%s|%lld|%s|%s|%s|%llu", entry->actor_name,
             entry->origin ? entry->origin : "-", entry->action, entry->object_kind ? entry->object_kind : "-",
             (long long)entry->object, entry->object_name ? entry->object_name : "-",
             entry->before ? entry->before : "-", entry->after ? entry->after : "-",
             (unsigned long long)entry->generation);
    seen->count++;
    seen->last = entry->id;
    return 0;
}

static void audit_round_trip(void **state) {
    struct world *world = *state;
    const struct gfs_audit_entry entry = {.actor = 5,
                                          .actor_name = "carol",
                                          .origin = "cli uid=0",
                                          .action = "user.set",
                                          .object_kind = "user",
                                          .object = 9,
                                          .object_name = "bob",
                                          .before = "{\"uid\":1}",
                                          .after = "{\"uid\":2}"};
    const struct gfs_audit_filter all = {0}, of_bob = {.object_kind = "user", .object = 9}, of_nobody = {.actor = 6},
                                  first = {.limit = 1}, later = {.since_ns = INT64_MAX};
    struct seen seen = {0};

    assert_ok(world, gfs_tx_audit(world->tx, &entry, &world->err));
    assert_ok(world, gfs_tx_commit(world->tx, &world->err));
    assert_ok(world, gfs_store_audit_list(world->store, &all, see_audit, &seen, &world->err));
    assert_int_equal(seen.count, 2); /* store.init */
    assert_string_equal(seen.text, "carol|cli uid=0|user.set|user|9|bob|{\"uid\":1}|{\"uid\":2}|2");
    const struct gfs_audit_filter after = {.after_id = seen.last};
    const struct {
        const struct gfs_audit_filter *filter;
        size_t count;
    } cases[] = {{&of_bob, 1}, {&of_nobody, 0}, {&first, 1}, {&later, 0}, {&after, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen some = {0};
        assert_ok(world, gfs_store_audit_list(world->store, cases[i].filter, see_audit, &some, &world->err));
        assert_int_equal(some.count, cases[i].count);
    }
}

static void audit_takes_json_objects_only(void **state) {
    struct world *world = *state;
    static const char *const bad[] = {"{", "[1]", "1", "\"x\"", "", "{\"a\":}"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct gfs_audit_entry before = {.actor_name = "a", .action = "b", .before = bad[i]};
        const struct gfs_audit_entry after = {.actor_name = "a", .action = "b", .after = bad[i]};
        assert_fails(world, gfs_tx_audit(world->tx, &before, &world->err), EINVAL, "JSON");
        assert_fails(world, gfs_tx_audit(world->tx, &after, &world->err), EINVAL, "JSON");
    }
    const struct gfs_audit_entry nobody = {.action = "b"}, nothing = {.actor_name = "a"};
    assert_fails(world, gfs_tx_audit(world->tx, &nobody, &world->err), EINVAL, "actor_name");
    assert_fails(world, gfs_tx_audit(world->tx, &nothing, &world->err), EINVAL, "action");
}

static int see_change(void *context, const struct gfs_change_record *change) {
    static const char *const words[] = {"added", "updated", "removed"};
    struct seen *seen = context;
    size_t used = strlen(seen->text);

    seen->count++;
    snprintf(seen->text + used, sizeof seen->text - used, "%llu %s %lld %s;", (unsigned long long)change->generation,
             change->entity, (long long)change->id, words[change->what]);
    return 0;
}

static void feeds_the_changes(void **state) {
    struct world *world = *state;
    struct seen all = {0}, later = {0};
    gfs_id alice = world_user(world, "alice");
    gfs_id group = world_group(world, "genomics", 0);
    world_commit(world);
    assert_ok(world, world_member(world, group, alice, GFS_ROLE_MEMBER, GFS_ACCEPTED));
    assert_ok(world, gfs_store_membership_remove(world->tx, group, alice, &world->err));
    world_commit(world);
    assert_ok(world, gfs_store_change_list(world->store, 0, see_change, &all, &world->err));
    assert_string_equal(all.text, "2 user 1 added;2 group 1 added;3 membership 1 added;3 membership 1 removed;");
    assert_ok(world, gfs_store_change_list(world->store, 2, see_change, &later, &world->err));
    assert_int_equal(later.count, 2);
}

static void what_goes_with_something_is_in_the_feed(void **state) {
    struct world *world = *state;
    struct seen seen = {0};
    gfs_id alice = world_user(world, "alice"), group = world_group(world, "genomics", alice);
    gfs_id share = world_share(world, "atlas", GFS_KIND_FILES, 0, alice);
    assert_ok(world, world_grant(world, GFS_SUBJECT_GROUP, group, share, GFS_VIEW));
    world_commit(world);
    assert_ok(world, gfs_store_group_remove(world->tx, group, &world->err));
    world_commit(world);
    assert_ok(world, gfs_store_change_list(world->store, 2, see_change, &seen, &world->err));
    assert_int_equal(seen.count, 3); /* the order is SQLite's */
    assert_non_null(strstr(seen.text, "3 group 1 removed;"));
    assert_non_null(strstr(seen.text, "3 membership 1 removed;"));
    assert_non_null(strstr(seen.text, "3 grant 1 removed;"));
    assert_int_equal(world_number(world, "SELECT other_id * 100 + kinds FROM changes WHERE generation = 3 "
                                         "AND entity = 'grant'"),
                     group * 100 + 2 * GFS_SUBJECT_GROUP + GFS_OBJECT_SHARE);
}

static void each_generation_is_in_the_feed_and_old_ones_go(void **state) {
    struct world *world = *state;
    world_user(world, "alice");
    world_commit(world);
    world_commit(world); /* nothing changed */
    assert_int_equal(world_number(world, "SELECT count(*) FROM changes WHERE generation = 3 AND entity = 'nothing'"),
                     1);
    assert_ok(world,
              world_sql(world, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20001) "
                               "INSERT INTO feed SELECT 'user', 1, 'updated', 0, 0 FROM n"));
    world_commit(world);
    assert_int_equal(world_number(world, "SELECT count(*) FROM changes WHERE generation = 4"), 1);
    assert_int_equal(world_number(world, "SELECT count(*) FROM changes WHERE entity = 'everything'"), 1);
    assert_ok(world, world_sql(world, "UPDATE generation SET value = 1002"));
    assert_int_equal(world_number(world, "SELECT min(generation) FROM changes"), 3);
    assert_int_equal(world_number(world, "SELECT count(*) FROM changes WHERE generation = 1002"), 1);
    world_roll_back(world);
}

static int stop_at_once(void *context, const struct gfs_change_record *change) {
    (void)change;
    ++*(int *)context;
    return 42;
}

static void a_list_ends_when_told(void **state) {
    struct world *world = *state;
    int calls = 0;

    world_user(world, "alice");
    world_user(world, "bob");
    assert_int_equal(gfs_store_change_list(world->store, 0, stop_at_once, &calls, &world->err), 42);
    assert_int_equal(calls, 1);
}

/* Adds users in transactions of their own; what it returns is the exit code of a process. */
static int write_users(const char *directory, char prefix, int count) {
    struct gfs_store *store = NULL;
    const struct gfs_audit_entry entry = {.actor_name = "test", .action = "user.add"};
    int rc = gfs_store_open(directory, GFS_STORE_WRITE, 10000, &store, NULL);

    for (int i = 0; i < count && rc == 0; i++) {
        GFS_CLEANUP(gfs_tx_endp) struct gfs_tx *tx = NULL;
        char name[] = {prefix, '-', (char)('a' + i), '\0'};
        const struct gfs_user_record user = gfs_user_record_default(name);
        gfs_id id;
        rc = gfs_tx_begin(store, &tx, NULL);
        if (rc == 0)
            rc = gfs_store_user_add(tx, &user, &id, NULL);
        if (rc == 0)
            rc = gfs_tx_audit(tx, &entry, NULL);
        if (rc == 0)
            rc = gfs_tx_commit(tx, NULL);
    }
    gfs_store_close(store);
    return rc == 0 ? 0 : 1;
}

static void two_processes_write(void **state) {
    struct world *world = *state;
    pid_t children[2];

    world_close(world);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(write_users(world->directory, (char)('x' + i), 20));
    }
    for (int i = 0; i < 2; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_ok(world, gfs_store_open(world->directory, GFS_STORE_READ, 1000, &world->store, &world->err));
    assert_int_equal(generation_of(world), 41);
    assert_int_equal(world_number(world, "SELECT count(*) FROM users"), 40);
    assert_int_equal(world_number(world, "SELECT count(DISTINCT generation) FROM audit WHERE action = 'user.add'"), 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(raises_the_generation_once, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(needs_an_audit_row, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(ends_by_taking_back, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_failed_part_takes_all_back, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(one_at_a_time, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(audit_round_trip, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(audit_takes_json_objects_only, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(feeds_the_changes, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(what_goes_with_something_is_in_the_feed, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(each_generation_is_in_the_feed_and_old_ones_go, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_list_ends_when_told, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(two_processes_write, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
