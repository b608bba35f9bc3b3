/* The authority on a real store: commits, writers that hold the lock or are killed, a restored copy. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/store/grant.h"
#include "core/store/share.h"
#include "core/store/user.h"
#include "guildfs/authority.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

static char directory[64], other[64];

static void pause_ms(long milliseconds) {
    struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void make_store(char *path, size_t size) {
    struct gfs_error err = {0};
    snprintf(path, size, "/tmp/guildfs-authority-XXXXXX");
    assert_non_null(mkdtemp(path));
    if (gfs_store_init(path, &err) < 0)
        fail_msg("%s", err.message);
}

static void path_of(const char *store, const char *file, char *path, size_t size) {
    snprintf(path, size, "%s/%s", store, file);
}

static void remove_store(const char *store) {
    static const char *const files[] = {"guildfs.db", "guildfs.db-wal", "guildfs.db-shm"};
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        path_of(store, files[i], path, sizeof path);
        unlink(path);
    }
    path_of(store, "data", path, sizeof path);
    rmdir(path);
    rmdir(store);
}

static int set_up(void **unused) {
    (void)unused;
    gfs_log_set_level(GFS_LOG_ERROR);
    make_store(directory, sizeof directory);
    make_store(other, sizeof other);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    remove_store(directory);
    remove_store(other);
    return 0;
}

/* Everything but the commit. */
static int add_user(struct gfs_store *store, const char *name, struct gfs_tx **tx) {
    const struct gfs_user_record user = gfs_user_record_default(name);
    const struct gfs_audit_entry entry = {.actor_name = "system", .action = "user.add", .object_kind = "user"};
    gfs_id id;
    int rc = gfs_tx_begin(store, tx, NULL);
    if (rc == 0)
        rc = gfs_store_user_add(*tx, &user, &id, NULL);
    return rc == 0 ? gfs_tx_audit(*tx, &entry, NULL) : rc;
}

static int commit_user(const char *path, const char *name) {
    GFS_CLEANUP(gfs_store_closep) struct gfs_store *store = NULL;
    struct gfs_tx *tx = NULL;
    int rc = gfs_store_open(path, GFS_STORE_WRITE, 1000, &store, NULL);
    if (rc == 0)
        rc = add_user(store, name, &tx);
    if (rc == 0)
        rc = gfs_tx_commit(tx, NULL);
    gfs_tx_end(tx);
    return rc;
}

static struct gfs_authority *start(int64_t stale_limit_ms) {
    const struct gfs_authority_options options = {.stale_limit_ns = stale_limit_ms * 1000000};
    struct gfs_authority *authority = NULL;
    struct gfs_error err = {0};
    if (gfs_authority_new(directory, &options, &authority, &err) < 0)
        fail_msg("%s", err.message);
    return authority;
}

static bool serves(struct gfs_authority *authority) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    gfs_authority_leave(authority, snapshot);
    return snapshot != NULL;
}

static bool knows(struct gfs_authority *authority, const char *name) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    bool known = snapshot != NULL && gfs_snapshot_user_by_name(snapshot, name) != NULL;
    gfs_authority_leave(authority, snapshot);
    return known;
}

#define EVENTUALLY(condition)                                                                                          \
    do {                                                                                                               \
        for (unsigned tries = 0; tries < 5000 && !(condition); tries++)                                                \
            pause_ms(1);                                                                                               \
        assert_true(condition);                                                                                        \
    } while (0)

/* A process of its own, as the command line is. Returns its pid; it leaves with 0 when all went well. */
static pid_t in_process(int (*act)(void)) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(act() == 0 ? 0 : 1);
    return pid;
}

static void wait_for(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int commit_bob(void) {
    return commit_user(directory, "bob");
}

static void commits_of_another_process_are_seen_at_once(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(30000);
    struct gfs_authority_status before, after;
    gfs_authority_status(authority, &before);
    assert_false(knows(authority, "bob"));
    pause_ms(1200);
    wait_for(in_process(commit_bob));
    int64_t committed_ns = gfs_monotonic_ns();
    EVENTUALLY(knows(authority, "bob"));
    assert_true(gfs_monotonic_ns() - committed_ns < 500 * 1000000LL); /* before the slow look */
    gfs_authority_status(authority, &after);
    assert_int_equal(after.generation, before.generation + 1);
    gfs_authority_free(authority);
}

static int hold_the_lock(void) {
    GFS_CLEANUP(gfs_store_closep) struct gfs_store *store = NULL;
    struct gfs_tx *tx = NULL;
    int rc = gfs_store_open(directory, GFS_STORE_WRITE, 1000, &store, NULL);
    if (rc == 0)
        rc = add_user(store, "carol", &tx);
    while (rc == 0)
        pause();
    return rc;
}

static void a_writer_that_holds_the_lock_does_not_make_stale(void **unused) {
    (void)unused;
    struct gfs_authority *authority = start(1500);
    pid_t writer = in_process(hold_the_lock);
    for (unsigned i = 0; i < 250; i++) {
        assert_true(serves(authority));
        pause_ms(10);
    }
    kill(writer, SIGKILL);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    pause_ms(100);
    assert_false(knows(authority, "carol")); /* never committed */
    wait_for(in_process(commit_bob));        /* and the store goes on */
    EVENTUALLY(knows(authority, "bob"));
    gfs_authority_free(authority);
}

static void a_restored_copy_is_read(void **unused) {
    (void)unused;
    static const char *const logs[] = {"guildfs.db-wal", "guildfs.db-shm"};
    char from[128], to[128];
    struct gfs_authority *authority = start(30000);
    assert_int_equal(commit_user(other, "dora"), 0); /* closing the last connection empties the log */
    for (size_t i = 0; i < 2; i++) {
        path_of(directory, logs[i], to, sizeof to);
        unlink(to);
    }
    path_of(other, "guildfs.db", from, sizeof from);
    path_of(directory, "guildfs.db", to, sizeof to);
    assert_int_equal(rename(from, to), 0);
    EVENTUALLY(knows(authority, "dora"));
    assert_int_equal(commit_user(directory, "bob"), 0);
    EVENTUALLY(knows(authority, "bob"));
    gfs_authority_free(authority);
}

static void garbage_in_the_place_of_the_database_fails_closed(void **unused) {
    (void)unused;
    char path[128], garbage[128];
    struct gfs_authority_status status;
    struct gfs_authority *authority = start(500);
    path_of(directory, "garbage", garbage, sizeof garbage);
    path_of(directory, "guildfs.db", path, sizeof path);
    int fd = open(garbage, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(write(fd, "not a database, ", 16), 16);
    close(fd);
    assert_int_equal(rename(garbage, path), 0);
    EVENTUALLY(!serves(authority));
    gfs_authority_status(authority, &status);
    assert_true(status.stale);
    assert_true(strlen(status.problem) > 0);
    gfs_authority_free(authority);
}

/* ---- readers while deltas swap ---- */

static gfs_id shared_user, shared_share, first_odd; /* with the generation from which on odd and even tell */

static int toggle(struct gfs_store *store, bool give) {
    const struct gfs_grant_record grant = {.subject_kind = GFS_SUBJECT_USER,
                                           .subject = shared_user,
                                           .object_kind = GFS_OBJECT_SHARE,
                                           .object = shared_share,
                                           .perms = GFS_VIEW,
                                           .expires_ns = GFS_NEVER};
    const struct gfs_audit_entry entry = {.actor_name = "system", .action = "grant.set"};
    GFS_CLEANUP(gfs_tx_endp) struct gfs_tx *tx = NULL;
    int rc = gfs_tx_begin(store, &tx, NULL);
    if (rc == 0)
        rc = give ? gfs_store_grant_put(tx, &grant, NULL) : gfs_store_grant_remove(tx, &grant, NULL);
    if (rc == 0)
        rc = gfs_tx_audit(tx, &entry, NULL);
    return rc == 0 ? gfs_tx_commit(tx, NULL) : rc;
}

static int add_share(struct gfs_store *store) {
    const struct gfs_user_record user = gfs_user_record_default("shared");
    const struct gfs_audit_entry entry = {.actor_name = "system", .action = "share.add"};
    struct gfs_share_record share = gfs_share_record_default("atlas", GFS_KIND_FILES);
    GFS_CLEANUP(gfs_tx_endp) struct gfs_tx *tx = NULL;
    int rc = gfs_tx_begin(store, &tx, NULL);
    if (rc == 0)
        rc = gfs_store_user_add(tx, &user, &shared_user, NULL);
    if (rc == 0)
        rc = gfs_store_share_add(tx, &share, &shared_share, NULL);
    if (rc == 0)
        rc = gfs_tx_audit(tx, &entry, NULL);
    first_odd = rc == 0 ? (gfs_id)gfs_tx_generation(tx) + 1 : 0;
    return rc == 0 ? gfs_tx_commit(tx, NULL) : rc;
}

struct reading {
    struct gfs_authority *authority;
    atomic_bool *stop;
    unsigned long reads, wrong;
};

/* Every second generation gives: what is read belongs to one generation, places included. */
static void *read_on_and_on(void *argument) {
    struct reading *reading = argument;
    while (!atomic_load(reading->stop)) {
        const struct gfs_snapshot *snapshot = gfs_authority_enter(reading->authority);
        gfs_id generation = (gfs_id)gfs_snapshot_generation(snapshot);
        const struct gfs_rights *rights = gfs_snapshot_rights(snapshot, shared_user, gfs_now_ns());
        bool given = generation >= first_odd && (generation - first_odd) % 2 == 0;
        size_t count;
        const struct gfs_place *places = gfs_rights_places(rights, &count);
        reading->wrong += gfs_rights_on(rights, shared_share) != (given ? GFS_VIEW : 0) || count != (given ? 1 : 0) ||
                          (count == 1 && places[0].share != gfs_snapshot_share(snapshot, shared_share));
        gfs_authority_leave(reading->authority, snapshot);
        reading->reads++;
    }
    return NULL;
}

static uint64_t generation_of(struct gfs_authority *authority) {
    struct gfs_authority_status status;
    gfs_authority_status(authority, &status);
    return status.generation;
}

static void readers_read_one_generation_while_deltas_swap(void **unused) {
    (void)unused;
    GFS_CLEANUP(gfs_store_closep) struct gfs_store *store = NULL;
    atomic_bool stop = false;
    pthread_t threads[3];
    struct reading readings[3];
    assert_int_equal(gfs_store_open(directory, GFS_STORE_WRITE, 1000, &store, NULL), 0);
    assert_int_equal(add_share(store), 0);
    struct gfs_authority *authority = start(30000);
    for (size_t i = 0; i < 3; i++) {
        readings[i] = (struct reading){.authority = authority, .stop = &stop};
        assert_int_equal(pthread_create(&threads[i], NULL, read_on_and_on, &readings[i]), 0);
    }
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(toggle(store, i % 2 == 0), 0);
        /* Now and then, so that generations are also taken two and three at once. */
        if (i % 3 == 0)
            EVENTUALLY(generation_of(authority) == (uint64_t)first_odd + i);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readings[i].wrong, 0);
        assert_true(readings[i].reads > 0);
    }
    gfs_authority_free(authority);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commits_of_another_process_are_seen_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_writer_that_holds_the_lock_does_not_make_stale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_restored_copy_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(garbage_in_the_place_of_the_database_fails_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readers_read_one_generation_while_deltas_swap, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
