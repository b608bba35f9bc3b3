/* Opening a store: each thing that can be wrong has its own error, and changes nothing. */
#include "tests/unit/store_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/store/migrate.h"

static void path_of(const struct world *world, const char *name, char path[static 256]) {
    snprintf(path, 256, "%s/%s", world->directory, name);
}

static int open_store(struct world *world, enum gfs_store_mode mode) {
    return gfs_store_open(world->directory, mode, 50, &world->store, &world->err);
}

static void gives_the_absolute_path(void **state) {
    struct world *world = *state;
    char indirect[256];

    world_close(world);
    snprintf(indirect, sizeof indirect, "%s/../%s/./store", world->base, strrchr(world->base, '/') + 1);
    assert_ok(world, gfs_store_open(indirect, GFS_STORE_READ, 50, &world->store, &world->err));
    char *real = realpath(world->directory, NULL);
    assert_string_equal(gfs_store_path(world->store), real);
    free(real);
}

static void missing(void **state) {
    struct world *world = *state;

    assert_fails(world, open_store(world, GFS_STORE_READ), ENOENT, "guildfs init");
    assert_null(world->store);
    assert_int_equal(mkdir(world->directory, 0700), 0);
    assert_fails(world, open_store(world, GFS_STORE_WRITE), ENOENT, "guildfs init");
    assert_int_equal(rmdir(world->directory), 0); /* still empty */
}

static void write_file(const struct world *world, const char *text) {
    char path[256];

    path_of(world, "guildfs.db", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void not_a_database(void **state) {
    struct world *world = *state;
    char before[64], after[64];

    assert_int_equal(mkdir(world->directory, 0700), 0);
    write_file(world, "This is a letter to my aunt.\n");
    world_hash(world, before);
    assert_fails(world, open_store(world, GFS_STORE_READ), EBADMSG, "not a Guildfs database");
    assert_fails(world, open_store(world, GFS_STORE_WRITE), EBADMSG, "not a Guildfs database");
    world_hash(world, after);
    assert_string_equal(before, after);
}

static void an_empty_file(void **state) {
    struct world *world = *state;
    char path[256];
    struct stat status;

    assert_int_equal(mkdir(world->directory, 0700), 0);
    write_file(world, "");
    assert_fails(world, open_store(world, GFS_STORE_WRITE), EBADMSG, "not a Guildfs database");
    path_of(world, "guildfs.db", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 0);
}

static void not_a_regular_file(void **state) {
    struct world *world = *state;
    char path[256], elsewhere[256];

    world_close(world);
    path_of(world, "guildfs.db", path);
    path_of(world, "elsewhere.db", elsewhere);
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_fails(world, open_store(world, GFS_STORE_READ), EBADMSG, "no regular file");
}

static void somebody_elses_database(void **state) {
    struct world *world = *state;
    char before[64], after[64];

    gfs_tx_end(world->tx);
    world->tx = NULL;
    assert_ok(world, world_sql(world, "PRAGMA application_id = 12345"));
    world_close(world);
    world_hash(world, before);
    assert_fails(world, open_store(world, GFS_STORE_WRITE), EBADMSG, "not a Guildfs database");
    world_hash(world, after);
    assert_string_equal(before, after);
}

static void a_newer_schema(void **state) {
    struct world *world = *state;
    char before[64], after[64];

    gfs_tx_end(world->tx);
    world->tx = NULL;
    assert_ok(world, world_sql(world, "PRAGMA user_version = 99"));
    world_close(world);
    world_hash(world, before);
    assert_fails(world, open_store(world, GFS_STORE_READ), EPROTONOSUPPORT, "newer guildfs");
    assert_fails(world, open_store(world, GFS_STORE_WRITE), EPROTONOSUPPORT, "schema 99");
    world_hash(world, after);
    assert_string_equal(before, after);
}

/* A child that holds the store in some way until its input is closed. */
struct holder {
    pid_t pid;
    int release;
};

static struct holder hold(struct world *world, const char *sql) {
    int ready[2], release[2];

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(release, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct gfs_store *store = NULL;
        char byte = 0;
        close(release[1]);
        bool held = gfs_store_open(world->directory, GFS_STORE_WRITE, 1000, &store, NULL) == 0 &&
                    gfs_db_exec(store, sql, NULL) == 0;
        if (!held || write(ready[1], &byte, 1) != 1)
            _exit(1);
        while (read(release[0], &byte, 1) > 0)
            ;
        gfs_store_close(store);
        _exit(0);
    }
    char byte;
    close(ready[1]);
    close(release[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return (struct holder){pid, release[1]};
}

static void let_go(struct holder holder) {
    int status = 0;

    close(holder.release);
    assert_int_equal(waitpid(holder.pid, &status, 0), holder.pid);
    assert_int_equal(status, 0);
}

static void locked_by_another(void **state) {
    struct world *world = *state;
    uint64_t generation = 0;

    world_close(world);
    struct holder holder = hold(world, "BEGIN EXCLUSIVE");
    /* Who only reads is not in the way of a writer, nor the writer in his. */
    assert_ok(world, open_store(world, GFS_STORE_READ));
    assert_ok(world, gfs_store_generation(world->store, &generation, &world->err));
    world_close(world);
    assert_ok(world, open_store(world, GFS_STORE_WRITE));
    int64_t begin = gfs_monotonic_ns();
    assert_fails(world, gfs_tx_begin(world->store, &world->tx, &world->err), EBUSY, "locked by another process");
    assert_null(world->tx);
    int64_t waited_ms = (gfs_monotonic_ns() - begin) / 1000000;
    assert_in_range(waited_ms, 40, 5000); /* the 50 ms that were given; the machine may be busy */
    let_go(holder);
    assert_ok(world, gfs_tx_begin(world->store, &world->tx, &world->err));
}

static void kept_by_another(void **state) {
    struct world *world = *state;

    world_close(world);
    struct holder holder = hold(world, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
    assert_fails(world, open_store(world, GFS_STORE_READ), EBUSY, "locked by another process");
    assert_fails(world, open_store(world, GFS_STORE_WRITE), EBUSY, "locked by another process");
    let_go(holder);
    assert_ok(world, open_store(world, GFS_STORE_WRITE));
}

/* Overwrites the pages from this one on, as many as are asked for. */
static void damage(struct world *world, int64_t page_number, int64_t count) {
    char path[256], page[4096];

    path_of(world, "guildfs.db", path);
    memset(page, 0x5a, sizeof page);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int64_t i = 0; i < count; i++)
        assert_int_equal(pwrite(fd, page, sizeof page, (page_number - 1 + i) * 4096), sizeof page);
    close(fd);
}

static int count_row(void *context, const struct gfs_user_record *user) {
    (void)user;
    ++*(size_t *)context;
    return 0;
}

static void a_damaged_table(void **state) {
    struct world *world = *state;
    char before[64], after[64];
    size_t count = 0;

    world_user(world, "alice");
    world_commit(world);
    int64_t page = world_number(world, "SELECT rootpage FROM sqlite_schema WHERE name = 'users'");
    assert_int_equal(world_number(world, "PRAGMA page_size"), 4096);
    world_close(world);
    damage(world, page, 1);
    world_hash(world, before);
    assert_ok(world, open_store(world, GFS_STORE_READ));
    assert_fails(world, gfs_store_user_list(world->store, count_row, &count, &world->err), EBADMSG, "damaged");
    assert_int_equal(count, 0);
    world_close(world);
    world_hash(world, after);
    assert_string_equal(before, after);
}

static void a_damaged_generation(void **state) {
    struct world *world = *state;
    uint64_t generation = 7;

    int64_t page = world_number(world, "SELECT rootpage FROM sqlite_schema WHERE name = 'generation'");
    world_close(world);
    damage(world, page, 1);
    assert_ok(world, open_store(world, GFS_STORE_WRITE));
    assert_fails(world, gfs_store_generation(world->store, &generation, &world->err), EBADMSG, "damaged");
    assert_int_equal(generation, 7);
    assert_fails(world, gfs_tx_begin(world->store, &world->tx, &world->err), EBADMSG, "damaged");
    assert_null(world->tx);
}

static void a_damaged_schema(void **state) {
    struct world *world = *state;
    int64_t pages = world_number(world, "PRAGMA page_count");

    world_close(world);
    damage(world, 2, pages - 1);
    assert_fails(world, open_store(world, GFS_STORE_READ), EBADMSG, "damaged");
    assert_fails(world, open_store(world, GFS_STORE_WRITE), EBADMSG, "damaged");
}

/* The errno that opening gives to an unprivileged user. */
static int open_as_nobody(struct world *world, enum gfs_store_mode mode) {
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        struct gfs_store *store = NULL;
        struct gfs_error err = {0};
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(255);
        int rc = gfs_store_open(world->directory, mode, 50, &store, &err);
        _exit(rc < 0 && strstr(err.message, "as root") ? -rc : 254);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void without_permission(void **state) {
    struct world *world = *state;
    char before[64], after[64];

    if (geteuid() != 0)
        skip();
    world_close(world);
    world_hash(world, before);
    assert_int_equal(chmod(world->base, 0755), 0);
    assert_int_equal(open_as_nobody(world, GFS_STORE_READ), EACCES);
    /* The file keeps them out too, should somebody open the directory. */
    assert_int_equal(chmod(world->directory, 0755), 0);
    assert_int_equal(open_as_nobody(world, GFS_STORE_READ), EACCES);
    assert_int_equal(open_as_nobody(world, GFS_STORE_WRITE), EACCES);
    world_hash(world, after);
    assert_string_equal(before, after);
}

static void reading_cannot_write(void **state) {
    struct world *world = *state;

    world_close(world);
    assert_ok(world, open_store(world, GFS_STORE_READ));
    assert_fails(world, gfs_tx_begin(world->store, &world->tx, &world->err), EINVAL, "reading only");
    assert_fails(world, world_sql(world, "UPDATE users SET name = 'x'; DELETE FROM changes"), EACCES, "write");
}

/* ---- the frame of migrations, with steps of its own ---- */

static const struct gfs_migration steps[] = {
    {1, "CREATE TABLE never (x) STRICT", "PRAGMA user_version = 1"}, /* below the store's version: not run */
    {2, "CREATE TABLE second (x INTEGER) STRICT", "PRAGMA user_version = 2"},
    {3, "INSERT INTO second VALUES (3)", "PRAGMA user_version = 3"},
};
static const struct gfs_migration broken[] = {
    {2, "CREATE TABLE second (x INTEGER) STRICT", "PRAGMA user_version = 2"},
    {3, "INSERT INTO second VALUES ('no number')", "PRAGMA user_version = 3"},
};

static void migrates_in_steps(void **state) {
    struct world *world = *state;

    gfs_tx_end(world->tx);
    world->tx = NULL;
    assert_ok(world, gfs_migrate(world->store, steps, 3, &world->err));
    assert_int_equal(world_number(world, "PRAGMA user_version"), 3);
    assert_int_equal(world_number(world, "SELECT x FROM second"), 3);
    assert_int_equal(world_number(world, "SELECT count(*) FROM sqlite_schema WHERE name = 'never'"), 0);
}

static void migrates_wholly_or_not(void **state) {
    struct world *world = *state;

    gfs_tx_end(world->tx);
    world->tx = NULL;
    assert_fails(world, gfs_migrate(world->store, broken, 2, &world->err), EINVAL, "");
    assert_int_equal(world_number(world, "PRAGMA user_version"), 1);
    assert_int_equal(world_number(world, "SELECT count(*) FROM sqlite_schema WHERE name = 'second'"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_the_absolute_path, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(missing, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(not_a_database, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(an_empty_file, world_setup_empty, world_teardown),
        cmocka_unit_test_setup_teardown(not_a_regular_file, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(somebody_elses_database, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_newer_schema, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(locked_by_another, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(kept_by_another, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_table, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_generation, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(a_damaged_schema, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(without_permission, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(reading_cannot_write, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(migrates_in_steps, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(migrates_wholly_or_not, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
