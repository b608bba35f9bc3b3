/* fs/quota.c, quota_count.c and count_walk.c on a directory, with a policy of two shares. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/count_walk.h"
#include "fs/quota.h"
#include "guildfs/clock.h"

/* ---- the policy ---- */

static char node_path[64];
static struct gfs_share atlas = {.id = 3, .node_path = node_path, .path = "atlas", .quota_bytes = 1000};
static struct gfs_share inner = {
    .id = 4, .node_path = node_path, .path = "atlas/sub/inner", .parent = &atlas, .quota_bytes = 50};
static const struct gfs_share *const nested_in_atlas[] = {&inner};
static atomic_bool store_fails;
static _Atomic int counts_begun;

const struct gfs_snapshot *gfs_authority_enter(struct gfs_authority *authority) {
    counts_begun++;
    return store_fails ? NULL : (const void *)authority;
}

void gfs_authority_leave(struct gfs_authority *authority, const struct gfs_snapshot *snapshot) {
    assert_ptr_equal(authority, snapshot);
}

const struct gfs_share *gfs_snapshot_share(const struct gfs_snapshot *snapshot, gfs_id id) {
    (void)snapshot;
    return id == atlas.id ? &atlas : id == inner.id ? &inner : NULL;
}

const struct gfs_share *const *gfs_snapshot_nested(const struct gfs_snapshot *snapshot, gfs_id share, size_t *count) {
    (void)snapshot;
    *count = share == atlas.id;
    return nested_in_atlas;
}

/* ---- the directory ---- */

static struct gfs_mount the_mount;
static struct gfs_call the_call = {.mount = &the_mount};

static char *path_of(const char *name) {
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", node_path, name);
    return path;
}

static void make_file(const char *name, off_t size) {
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static int set_up(void **state) {
    (void)state;
    strcpy(node_path, "/tmp/guildfs-quota-XXXXXX");
    assert_non_null(mkdtemp(node_path));
    assert_int_equal(mkdir(path_of("atlas"), 0700), 0);
    assert_int_equal(mkdir(path_of("atlas/sub"), 0700), 0);
    assert_int_equal(mkdir(path_of("atlas/sub/inner"), 0700), 0);
    atlas.quota_bytes = 1000;
    store_fails = false;
    counts_begun = 0;
    the_mount.authority = (void *)&the_mount; /* only compared */
    return gfs_quotas_new(&the_mount.quotas);
}

static int remove_it(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static int tear_down(void **state) {
    (void)state;
    gfs_quotas_free(the_mount.quotas);
    return nftw(node_path, remove_it, 16, FTW_DEPTH | FTW_PHYS);
}

/* Until the count is done: what it should be, or what it is after two seconds. */
static int64_t used_soon(const struct gfs_share *share, int64_t expected) {
    const int64_t end_ns = gfs_monotonic_ns() + 2 * GFS_NS_PER_S;
    int64_t used;

    while ((used = gfs_quota_used(&the_mount, share)) != expected && gfs_monotonic_ns() < end_ns)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return used;
}

/* ftruncate, as an operation does it. */
static void resize(const struct gfs_share *share, const char *name, off_t size) {
    int fd = open(path_of(name), O_RDWR | O_CREAT, 0600);
    struct gfs_backing backing = {.device = 1, .inode = 2};
    struct gfs_quota_change change;

    assert_true(fd >= 0);
    gfs_quota_begin(&the_call, share, &backing, fd, &change);
    assert_int_equal(ftruncate(fd, size), 0);
    gfs_quota_end(&change);
    close(fd);
}

/* ---- tests ---- */

static void regular_files_are_counted_once(void **state) {
    (void)state;
    make_file("atlas/a", 100);
    make_file("atlas/sub/b", 20);
    make_file("atlas/sub/inner/c", 7); /* of the nested share */
    make_file("outside", 5000);
    char *first = strdup(path_of("atlas/a"));
    assert_int_equal(link(first, path_of("atlas/sub/a2")), 0);
    free(first);
    assert_int_equal(symlink("../outside", path_of("atlas/link")), 0);
    assert_int_equal(symlink("..", path_of("atlas/up")), 0);
    assert_int_equal(mkfifo(path_of("atlas/fifo"), 0600), 0);

    assert_int_equal(used_soon(&atlas, 120), 120);
    assert_int_equal(used_soon(&inner, 7), 7);
    assert_int_equal(counts_begun, 2);
}

static void differences_are_charged(void **state) {
    (void)state;
    make_file("atlas/a", 100);
    assert_int_equal(used_soon(&atlas, 100), 100);
    resize(&atlas, "atlas/a", 400);
    assert_int_equal(gfs_quota_used(&the_mount, &atlas), 400);
    resize(&atlas, "atlas/new", 50);
    assert_int_equal(gfs_quota_used(&the_mount, &atlas), 450);
    resize(&atlas, "atlas/a", 0);
    assert_int_equal(gfs_quota_used(&the_mount, &atlas), 50);
    assert_int_equal(counts_begun, 1);
}

static void exceeded_from_the_quota_on(void **state) {
    (void)state;
    make_file("atlas/a", 999);
    assert_int_equal(used_soon(&atlas, 999), 999);
    assert_false(gfs_quota_exceeded(&the_mount, &atlas));
    resize(&atlas, "atlas/a", 1000);
    assert_true(gfs_quota_exceeded(&the_mount, &atlas));
    resize(&atlas, "atlas/a", 10);
    assert_false(gfs_quota_exceeded(&the_mount, &atlas));
}

static void removal_gives_back(void **state) {
    struct stat st;

    (void)state;
    make_file("atlas/a", 600);
    make_file("atlas/b", 600);
    assert_int_equal(used_soon(&atlas, 1200), 1200);
    assert_int_equal(stat(path_of("atlas/a"), &st), 0);
    assert_int_equal(unlink(path_of("atlas/a")), 0);
    gfs_quota_removed(&the_mount, &atlas, &st);
    assert_int_equal(gfs_quota_used(&the_mount, &atlas), 600);
    st.st_mode = S_IFDIR | 0700;
    gfs_quota_removed(&the_mount, &atlas, &st); /* a folder has no size that counts */
    assert_int_equal(gfs_quota_used(&the_mount, &atlas), 600);
}

static void a_file_without_a_name_is_charged_when_it_gets_one(void **state) {
    struct gfs_backing backing = {0};
    struct gfs_quota_change change;
    struct stat st;

    (void)state;
    assert_int_equal(used_soon(&atlas, 0), 0);
    int fd = open(path_of("atlas"), O_TMPFILE | O_RDWR, 0600);
    if (fd < 0)
        skip();
    gfs_quota_begin(&the_call, &atlas, &backing, fd, &change);
    assert_int_equal(ftruncate(fd, 300), 0);
    gfs_quota_end(&change);
    assert_int_equal(gfs_quota_used(&the_mount, &atlas), 0);
    assert_int_equal(fstat(fd, &st), 0);
    gfs_quota_named(&the_mount, &atlas, &st);
    assert_int_equal(gfs_quota_used(&the_mount, &atlas), 300);
    close(fd);
}

static void a_handle_that_may_not_grow_is_limited_to_the_present_size(void **state) {
    struct gfs_backing backing = {0};
    struct gfs_handle small = {.may_grow = false}, free_handle = {.may_grow = true};
    struct gfs_quota_change change;

    (void)state;
    make_file("atlas/a", 1500);
    assert_int_equal(used_soon(&atlas, 1500), 1500);
    int fd = open(path_of("atlas/a"), O_PATH);
    gfs_quota_begin(&the_call, &atlas, &backing, fd, &change);
    assert_int_equal(gfs_quota_limit(&change, &small), 1500);
    assert_true(gfs_quota_limit(&change, &free_handle) == INT64_MAX);
    assert_int_equal(gfs_quota_limit(&change, NULL), 1500);
    gfs_quota_end(&change);

    atlas.quota_bytes = 2000;
    gfs_quota_begin(&the_call, &atlas, &backing, fd, &change);
    assert_true(gfs_quota_limit(&change, NULL) == INT64_MAX);
    gfs_quota_end(&change);

    atlas.quota_bytes = 0;
    gfs_quota_begin(&the_call, &atlas, &backing, fd, &change);
    assert_true(gfs_quota_limit(&change, &small) == INT64_MAX);
    gfs_quota_end(&change);
    close(fd);
}

/* While it had no quota nothing was charged: what was known is void. */
static void a_quota_that_comes_back_is_counted_anew(void **state) {
    (void)state;
    make_file("atlas/a", 100);
    assert_int_equal(used_soon(&atlas, 100), 100);
    atlas.quota_bytes = 0;
    resize(&atlas, "atlas/a", 800);
    assert_false(gfs_quota_exceeded(&the_mount, &atlas));
    atlas.quota_bytes = 500;
    assert_int_equal(used_soon(&atlas, 800), 800);
    assert_true(gfs_quota_exceeded(&the_mount, &atlas));
}

static void without_a_quota_nothing_is_counted(void **state) {
    (void)state;
    atlas.quota_bytes = 0;
    make_file("atlas/a", 100);
    resize(&atlas, "atlas/a", 200);
    assert_false(gfs_quota_exceeded(&the_mount, &atlas));
    assert_int_equal(gfs_quota_used(&the_mount, &atlas), 0);
    assert_int_equal(counts_begun, 0);
}

static void until_it_is_counted_only_what_was_added_counts(void **state) {
    (void)state;
    store_fails = true;
    make_file("atlas/a", 100);
    resize(&atlas, "atlas/b", 30);
    assert_int_equal(used_soon(&atlas, 130), 30);
    assert_int_equal(counts_begun, 1); /* and not again at each question */
}

static void add_size(void *context, struct gfs_file_id file, int64_t size) {
    (void)file;
    *(int64_t *)context += size;
}

/* Deeper than a path can be long. */
static void a_tree_deeper_than_paths(void **state) {
    enum { DEPTH = 60, NAME_LENGTH = 200 };
    char name[NAME_LENGTH + 1];
    const atomic_bool stop = false;
    int64_t total = 0;
    size_t unread = 99;
    int root = open(path_of("atlas"), O_PATH | O_DIRECTORY), folder = dup(root);

    (void)state;
    memset(name, 'n', NAME_LENGTH);
    name[NAME_LENGTH] = '\0';
    for (int i = 0; i < DEPTH; i++) {
        int below, file;
        assert_int_equal(mkdirat(folder, name, 0700), 0);
        assert_true((below = openat(folder, name, O_RDONLY | O_DIRECTORY)) >= 0);
        close(folder);
        folder = below;
        assert_true((file = openat(folder, "f", O_WRONLY | O_CREAT, 0600)) >= 0);
        assert_int_equal(ftruncate(file, 1), 0);
        close(file);
    }
    const struct gfs_count_walk walk = {.root_fd = root, .stop = &stop, .found = add_size, .context = &total};
    assert_int_equal(gfs_count_walk(&walk, &unread), 0);
    assert_int_equal(total, DEPTH);
    assert_int_equal(unread, 0);

    /* nftw cannot remove it. */
    for (int i = DEPTH; i > 0; i--) {
        int above = openat(folder, "..", O_RDONLY | O_DIRECTORY);
        unlinkat(folder, "f", 0);
        close(folder);
        assert_int_equal(unlinkat(above, name, AT_REMOVEDIR), 0);
        folder = above;
    }
    close(folder);
    close(root);
}

static void a_walk_can_be_stopped(void **state) {
    const atomic_bool stop = true;
    int64_t total = 0;
    size_t unread = 99;
    int root = open(path_of("atlas"), O_PATH | O_DIRECTORY);

    (void)state;
    const struct gfs_count_walk walk = {.root_fd = root, .stop = &stop, .found = add_size, .context = &total};
    assert_int_equal(gfs_count_walk(&walk, &unread), -EINTR);
    assert_int_equal(unread, 99);
    close(root);
}

#define QUOTA_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(regular_files_are_counted_once),
        QUOTA_TEST(differences_are_charged),
        QUOTA_TEST(exceeded_from_the_quota_on),
        QUOTA_TEST(removal_gives_back),
        QUOTA_TEST(a_file_without_a_name_is_charged_when_it_gets_one),
        QUOTA_TEST(a_handle_that_may_not_grow_is_limited_to_the_present_size),
        QUOTA_TEST(a_quota_that_comes_back_is_counted_anew),
        QUOTA_TEST(without_a_quota_nothing_is_counted),
        QUOTA_TEST(until_it_is_counted_only_what_was_added_counts),
        QUOTA_TEST(a_tree_deeper_than_paths),
        QUOTA_TEST(a_walk_can_be_stopped),
    };
    return cmocka_run_group_tests_name("fs_quota", tests, NULL, NULL);
}
