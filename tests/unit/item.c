/* Items on a real filesystem. Needs root: trusted.* attributes are root's alone. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "guildfs/item.h"

static const char alice[] = "0190a6f0-0000-7000-8000-000000000001";
static const char bob[] = "0190a6f0-0000-7000-8000-000000000002";
static const int64_t grace_ns = 1000, now_ns = 5000;

static char root_path[] = "/var/tmp/guildfs-item-XXXXXX";
static int root_fd;

static int set_up(void **state) {
    (void)state;
    strcpy(root_path + strlen(root_path) - 6, "XXXXXX");
    if (!mkdtemp(root_path))
        return -1;
    root_fd = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root_fd < 0;
}

static int tear_down(void **state) {
    char command[64];

    (void)state;
    close(root_fd);
    snprintf(command, sizeof command, "rm -rf %s", root_path);
    return system(command);
}

static void make_folder(const char *path) {
    assert_int_equal(mkdirat(root_fd, path, 0700), 0);
}

static void make_file(const char *path) {
    int fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void record(const char *path, const char *uuid, bool pending, int64_t closed_ns) {
    struct gfs_upload upload = {.pending = pending, .closed_ns = closed_ns};
    int fd;

    strcpy(upload.uploader, uuid);
    assert_int_equal(gfs_open_beneath(root_fd, path, O_PATH | O_NOFOLLOW, &fd), 0);
    assert_int_equal(gfs_upload_write(fd, &upload), 0);
    close(fd);
}

static void what_leads_out_is_not_opened(void **state) {
    int fd = -7;

    (void)state;
    make_folder("a");
    make_file("a/f");
    assert_int_equal(symlinkat("/etc", root_fd, "out"), 0);
    assert_int_equal(symlinkat("a", root_fd, "in"), 0);
    assert_int_equal(gfs_open_beneath(root_fd, "out/passwd", O_RDONLY, &fd), -ELOOP);
    assert_int_equal(gfs_open_beneath(root_fd, "in/f", O_RDONLY, &fd), -ELOOP);
    assert_true(gfs_open_beneath(root_fd, "..", O_PATH, &fd) < 0);
    assert_true(gfs_open_beneath(root_fd, "a/../../x", O_PATH, &fd) < 0);
    assert_true(gfs_open_beneath(root_fd, "/etc", O_PATH, &fd) < 0);
    assert_int_equal(gfs_open_share(root_path, "in", &fd), -ENOENT);
    assert_int_equal(gfs_open_share(root_path, "a/f", &fd), -ENOENT);
    assert_int_equal(fd, -7);
    assert_int_equal(gfs_open_share(root_path, "a", &fd), 0);
    close(fd);
}

static void a_symlink_is_opened_itself(void **state) {
    struct stat st;
    int fd;

    (void)state;
    assert_int_equal(symlinkat("nowhere", root_fd, "link"), 0);
    assert_int_equal(gfs_open_child(root_fd, "link", &fd), 0);
    assert_int_equal(fstatat(fd, "", &st, AT_EMPTY_PATH), 0);
    assert_true(S_ISLNK(st.st_mode));
    close(fd);
    record("link", alice, true, 1);
}

static void a_child_is_looked_at_as_it_is_opened(void **state) {
    struct stat looked = {.st_ino = 7}, opened;
    int fd;

    (void)state;
    make_file("f");
    assert_int_equal(symlinkat("f", root_fd, "link"), 0);
    for (const char *const *name = (const char *const[]){"f", "link", NULL}; *name; name++) {
        assert_int_equal(gfs_open_child(root_fd, *name, &fd), 0);
        assert_int_equal(fstatat(fd, "", &opened, AT_EMPTY_PATH), 0);
        close(fd);
        assert_int_equal(gfs_stat_child(root_fd, *name, &looked), 0);
        assert_int_equal(looked.st_dev, opened.st_dev);
        assert_int_equal(looked.st_ino, opened.st_ino);
        assert_int_equal(looked.st_mode, opened.st_mode);
        assert_int_equal(looked.st_nlink, opened.st_nlink);
        assert_int_equal(looked.st_size, opened.st_size);
        assert_int_equal(looked.st_blocks, opened.st_blocks);
        assert_memory_equal(&looked.st_mtim, &opened.st_mtim, sizeof opened.st_mtim);
        assert_memory_equal(&looked.st_ctim, &opened.st_ctim, sizeof opened.st_ctim);
    }
    looked.st_ino = 7;
    assert_int_equal(gfs_stat_child(root_fd, "absent", &looked), -ENOENT);
    for (const char *const *name = (const char *const[]){"", ".", "..", "a/f", "/etc", NULL}; *name; name++)
        assert_int_equal(gfs_stat_child(root_fd, *name, &looked), -EOPNOTSUPP);
    assert_int_equal(looked.st_ino, 7);
}

static void a_mount_point_is_not_looked_at(void **state) {
    struct stat looked;
    int fd, proc = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_true(proc >= 0);
    assert_int_equal(gfs_open_child(proc, "proc", &fd), -ENOENT);
    assert_int_equal(gfs_stat_child(proc, "proc", &looked), -ENOENT);
    close(proc);
}

static void a_record_comes_back(void **state) {
    struct gfs_upload upload;
    int fd;

    (void)state;
    make_file("f");
    assert_int_equal(gfs_open_child(root_fd, "f", &fd), 0);
    assert_int_equal(gfs_upload_read(fd, &upload), -ENODATA);
    record("f", alice, true, 77);
    assert_int_equal(gfs_upload_read(fd, &upload), 0);
    assert_string_equal(upload.uploader, alice);
    assert_true(upload.pending);
    assert_int_equal(upload.closed_ns, 77);
    assert_int_equal(gfs_path_setxattr(fd, GFS_UPLOAD_XATTR, "nonsense", 8, 0), 0);
    assert_int_equal(gfs_upload_read(fd, &upload), -EINVAL);
    close(fd);
}

static bool is_own(int64_t floor_ns) {
    return gfs_folder_is_own(root_fd, alice, grace_ns, floor_ns, now_ns);
}

static void a_folder_is_own_while_all_in_it_is(void **state) {
    (void)state;
    assert_true(is_own(0)); /* empty */
    make_folder("sub");
    assert_false(is_own(0)); /* without a record */
    record("sub", alice, true, now_ns);
    assert_true(is_own(0));
    make_file("sub/deep");
    assert_false(is_own(0));
    record("sub/deep", alice, true, now_ns);
    assert_true(is_own(0));
    assert_false(is_own(now_ns + 1)); /* Upload was lost meanwhile */
    record("sub/deep", bob, true, now_ns);
    assert_false(is_own(0));
    record("sub/deep", alice, false, now_ns);
    assert_false(is_own(0));
    record("sub/deep", alice, true, now_ns - grace_ns);
    assert_false(is_own(0)); /* its grace is over */
}

static void a_floor_is_its_users(void **state) {
    (void)state;
    assert_int_equal(gfs_floor_read(root_fd, alice), 0);
    assert_int_equal(gfs_floor_write(root_fd, alice, 5), 0);
    assert_int_equal(gfs_floor_read(root_fd, alice), 5);
    assert_int_equal(gfs_floor_read(root_fd, bob), 0);
}

/* A filesystem has room for few attributes of an inode: then one floor stands for everybody. None
 * is ever lower than it was. */
static void floors_never_run_out(void **state) {
    char uuid[GFS_UUID_SIZE];

    (void)state;
    for (int i = 1; i <= 2000; i++) {
        snprintf(uuid, sizeof uuid, "0190a6f0-0000-7000-8000-%012d", i);
        assert_int_equal(gfs_floor_write(root_fd, uuid, 1000 + i), 0);
        assert_true(gfs_floor_read(root_fd, uuid) >= 1000 + i);
    }
    for (int i = 1; i <= 2000; i++) {
        snprintf(uuid, sizeof uuid, "0190a6f0-0000-7000-8000-%012d", i);
        assert_true(gfs_floor_read(root_fd, uuid) >= 1000 + i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_leads_out_is_not_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_symlink_is_opened_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_child_is_looked_at_as_it_is_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mount_point_is_not_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_is_own_while_all_in_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_floor_is_its_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floors_never_run_out, set_up, tear_down),
    };
    if (geteuid() != 0)
        return 77; /* skipped: see CMakeLists.txt */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
