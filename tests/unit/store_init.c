/* Making a store. */
#include "tests/unit/store_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/store/migrate.h"

static mode_t mode_of(const char *directory, const char *name) {
    struct stat status;
    char path[256];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

static size_t entries_of(const char *directory) {
    DIR *stream = opendir(directory);
    size_t count = 0;

    assert_non_null(stream);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count - 2;
}

static void makes_closed_files(void **state) {
    struct world *world = *state;
    mode_t mask = umask(0);

    assert_ok(world, gfs_store_init(world->directory, &world->err));
    assert_int_equal(mode_of(world->directory, "."), 0700);
    assert_int_equal(mode_of(world->directory, "guildfs.db"), 0600);
    assert_int_equal(mode_of(world->directory, "data"), 0700);
    assert_int_equal(entries_of(world->directory), 2);
    /* The files beside the database, which appear when it is written. */
    assert_ok(world, gfs_store_open(world->directory, GFS_STORE_WRITE, 0, &world->store, &world->err));
    assert_ok(world, gfs_tx_begin(world->store, &world->tx, &world->err));
    world_user(world, "alice");
    world_commit(world);
    assert_int_equal(mode_of(world->directory, "guildfs.db-wal"), 0600);
    assert_int_equal(mode_of(world->directory, "guildfs.db-shm"), 0600);
    umask(mask);
}

static void closes_an_empty_directory(void **state) {
    struct world *world = *state;

    assert_int_equal(mkdir(world->directory, 0755), 0);
    assert_int_equal(chmod(world->directory, 0755), 0);
    assert_ok(world, gfs_store_init(world->directory, &world->err));
    assert_int_equal(mode_of(world->directory, "."), 0700);
}

static void begins_with_what_every_store_has(void **state) {
    struct world *world = *state;
    uint64_t generation = 0;

    assert_ok(world, gfs_store_init(world->directory, &world->err));
    assert_ok(world, gfs_store_open(world->directory, GFS_STORE_READ, 0, &world->store, &world->err));
    assert_ok(world, gfs_store_generation(world->store, &generation, &world->err));
    assert_int_equal(generation, 1);
    assert_int_equal(world_number(world, "SELECT id FROM organizations WHERE name = 'default'"),
                     GFS_DEFAULT_ORGANIZATION);
    assert_int_equal(world_number(world, "SELECT count(*) FROM policies WHERE organization_id = 1"), 1);
    assert_int_equal(world_number(world, "SELECT count(*) FROM nodes WHERE name = 'default' AND path = 'data'"), 1);
    assert_int_equal(world_number(world, "SELECT count(*) FROM audit WHERE action = 'store.init'"), 1);
    assert_int_equal(world_number(world, "PRAGMA application_id"), GFS_STORE_APPLICATION_ID);
    assert_int_equal(world_number(world, "PRAGMA user_version"), gfs_schema_version());
    assert_int_equal(world_number(world, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
    assert_int_equal(world_number(world, "PRAGMA synchronous"), 2);
    assert_int_equal(world_number(world, "PRAGMA foreign_keys"), 1);
    assert_int_equal(world_number(world, "PRAGMA trusted_schema"), 0);
    assert_int_equal(world_number(world, "PRAGMA recursive_triggers"), 0);
    /* Every table is STRICT. */
    assert_int_equal(world_number(world,
                                  "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
                                  "AND strict = 0 AND name NOT LIKE 'sqlite_%%'"),
                     0);
}

static void refuses_a_second_store(void **state) {
    struct world *world = *state;
    char before[64], after[64];

    assert_ok(world, gfs_store_init(world->directory, &world->err));
    world_hash(world, before);
    assert_fails(world, gfs_store_init(world->directory, &world->err), EEXIST, "already");
    world_hash(world, after);
    assert_string_equal(before, after);
}

static void refuses_a_directory_in_use(void **state) {
    struct world *world = *state;
    char file[256];

    assert_int_equal(mkdir(world->directory, 0755), 0);
    snprintf(file, sizeof file, "%s/thesis.tex", world->directory);
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    assert_fails(world, gfs_store_init(world->directory, &world->err), ENOTEMPTY, "not empty");
    assert_int_equal(entries_of(world->directory), 1);
    assert_int_equal(mode_of(world->directory, "."), 0755);
}

static void refuses_a_file(void **state) {
    struct world *world = *state;

    close(open(world->directory, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    assert_fails(world, gfs_store_init(world->directory, &world->err), ENOTDIR, world->directory);
}

static void refuses_a_missing_parent(void **state) {
    struct world *world = *state;
    char deep[256];

    snprintf(deep, sizeof deep, "%s/no/store", world->base);
    assert_fails(world, gfs_store_init(deep, &world->err), ENOENT, deep);
}

/* What the error is in a child that first changes itself; the exit code carries the errno. */
static int init_in_child(struct world *world, void (*change)(void)) {
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        struct gfs_error err = {0};
        change();
        int rc = gfs_store_init(world->directory, &err);
        _exit(rc < 0 && err.message[0] ? -rc : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void become_nobody(void) {
    if (setgid(65534) < 0 || setuid(65534) < 0)
        _exit(255);
}

static void refuses_without_permission(void **state) {
    struct world *world = *state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(world->base, 0755), 0);
    assert_int_equal(init_in_child(world, become_nobody), EACCES);
    assert_int_equal(entries_of(world->base), 0);
}

static void allow_small_files_only(void) {
    const struct rlimit limit = {100000, 100000};

    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
}

/* As on a full disk, in the middle of writing the database. */
static void leaves_nothing_behind(void **state) {
    struct world *world = *state;

    assert_int_not_equal(init_in_child(world, allow_small_files_only), 0);
    assert_int_equal(entries_of(world->base), 0);
    assert_int_equal(mkdir(world->directory, 0750), 0);
    assert_int_not_equal(init_in_child(world, allow_small_files_only), 0);
    assert_int_equal(entries_of(world->directory), 0);
    assert_int_equal(mode_of(world->directory, "."), 0750);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_closed_files, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(closes_an_empty_directory, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(begins_with_what_every_store_has, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(refuses_a_second_store, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(refuses_a_directory_in_use, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(refuses_a_file, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(refuses_a_missing_parent, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(refuses_without_permission, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(leaves_nothing_behind, world_setup_empty, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
