/* The inode table on a real filesystem, with passthrough played here. Needs root, for file handles. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/passthrough.h"
#include "fs/stripe.h"
#include "fs/watch.h"

int gfs_passthrough_open(struct gfs_mount *mount, int fd, int32_t *id) {
    (void)mount, (void)fd, (void)id;
    return -EOPNOTSUPP;
}

void gfs_passthrough_close(struct gfs_mount *mount, int32_t id) {
    (void)mount;
    assert_int_equal(id, 0);
}

void gfs_passthrough_refused(struct gfs_mount *mount, uint64_t device, int negative_errno) {
    (void)mount, (void)device, (void)negative_errno;
}

void gfs_watch_add(struct gfs_mount *unused, uint64_t device, int fd) {
    (void)unused, (void)device, (void)fd;
}

int64_t gfs_watch_entry_ns(struct gfs_mount *with, uint64_t device) {
    (void)device;
    return with->options.entry_timeout_ns;
}

static char root_path[] = "/var/tmp/guildfs-backing-XXXXXX";
static int root_fd;
static struct gfs_mount mount;
static struct gfs_tree tree;

static int set_up(void **state) {
    (void)state;
    strcpy(root_path + strlen(root_path) - 6, "XXXXXX");
    if (!mkdtemp(root_path) || gfs_nodes_new(&mount.nodes))
        return -1;
    root_fd = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root_fd < 0;
}

static int tear_down(void **state) {
    char command[64];

    (void)state;
    gfs_nodes_free(mount.nodes);
    close(root_fd);
    snprintf(command, sizeof command, "rm -rf %s", root_path);
    return system(command);
}

static void make_file(const char *name) {
    int fd = openat(root_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* As the first lookup on a filesystem does it. */
static struct gfs_node *enter_by_descriptor(const char *name) {
    struct gfs_node *node = NULL;
    struct stat st;
    int fd = openat(root_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    const struct gfs_node_wanted wanted = {.st = &st, .root_fd = root_fd};
    assert_true(gfs_node_enter(&mount, &tree, &wanted, &fd, &node) >= 0);
    if (fd >= 0)
        close(fd);
    return node;
}

static struct gfs_node *enter_by_key(const struct stat *st, const struct gfs_backing_key *key) {
    struct gfs_node *node = NULL;
    int fd = -1;
    const struct gfs_node_wanted wanted = {.st = st, .root_fd = root_fd, .key = key};

    assert_true(gfs_node_enter(&mount, &tree, &wanted, &fd, &node) >= 0);
    return node;
}

static uint64_t count_descriptors(void) {
    uint64_t nodes, backings, descriptors;
    gfs_nodes_count(&mount, &nodes, &backings, &descriptors);
    return descriptors;
}

static void the_first_of_a_filesystem_is_opened(void **state) {
    struct gfs_backing_key key;
    struct stat st;

    (void)state;
    make_file("f");
    assert_int_equal(gfs_backing_look(&mount, root_fd, "f", false, &st, &key), -EOPNOTSUPP);
    gfs_node_forget(&mount, enter_by_descriptor("f"), 1);
    assert_int_equal(gfs_backing_look(&mount, root_fd, "f", false, &st, &key), 0);
    assert_int_equal(gfs_backing_look(&mount, root_fd, "absent", false, &st, &key), -ENOENT);
}

static void what_is_looked_at_is_the_node_that_was_opened(void **state) {
    struct gfs_backing_key key;
    struct stat st;

    (void)state;
    make_file("f");
    struct gfs_node *node = enter_by_descriptor("f");
    assert_int_equal(gfs_backing_look(&mount, root_fd, "f", false, &st, &key), 0);
    assert_ptr_equal(enter_by_key(&st, &key), node);
    gfs_node_forget(&mount, node, 2);
}

static void looking_takes_no_descriptor(void **state) {
    struct gfs_backing_key key;
    struct stat st, opened;
    int fd = -1;

    (void)state;
    make_file("f");
    make_file("g");
    gfs_node_forget(&mount, enter_by_descriptor("f"), 1);
    assert_int_equal(gfs_backing_look(&mount, root_fd, "g", false, &st, &key), 0);
    struct gfs_node *node = enter_by_key(&st, &key);
    assert_int_equal(count_descriptors(), 0);
    assert_int_equal(gfs_backing_get(&mount, node->backing, &fd), 0);
    assert_int_equal(fstat(fd, &opened), 0);
    assert_int_equal(opened.st_ino, st.st_ino);
    assert_int_equal(count_descriptors(), 1);
    gfs_backing_put(&mount, node->backing);
    gfs_node_forget(&mount, node, 1);
    assert_int_equal(count_descriptors(), 0);
}

/* Another file came to the name between the two calls of gfs_backing_look(). */
static void a_key_of_two_files_opens_neither(void **state) {
    struct gfs_backing_key first, second;
    struct stat st, other;
    int fd = -7;

    (void)state;
    make_file("f");
    make_file("g");
    gfs_node_forget(&mount, enter_by_descriptor("f"), 1);
    assert_int_equal(gfs_backing_look(&mount, root_fd, "f", false, &st, &first), 0);
    assert_int_equal(gfs_backing_look(&mount, root_fd, "g", false, &other, &second), 0);
    second.inode = first.inode;
    assert_int_equal(gfs_backing_open(&mount, &second, &fd), -ESTALE);
    struct gfs_node *node = enter_by_key(&st, &second);
    assert_int_equal(gfs_backing_get(&mount, node->backing, &fd), -ESTALE);
    assert_int_equal(fd, -7);
    gfs_node_forget(&mount, node, 1);
    assert_int_equal(gfs_backing_open(&mount, &first, &fd), 0);
    close(fd);
}

enum { MILLION = 1000000, MOST_BYTES = 300 };

static size_t allocated(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Without the kernel, which would drop some when it wants memory. Handles are as long as ext4's. */
static void a_million_inodes_are_cheap(void **state) {
    struct stat st = {.st_dev = 1, .st_mode = S_IFREG | 0644};
    struct gfs_backing_key key = {.device = 1, .handle_type = 1, .handle_size = 8};
    size_t before = allocated();

    (void)state;
    for (uint64_t i = 1; i <= MILLION; i++) {
        st.st_ino = key.inode = i;
        memcpy(key.handle, &i, sizeof i);
        assert_non_null(enter_by_key(&st, &key));
    }
    size_t each = (allocated() - before) / MILLION;
    print_message("%zu bytes for each of %d inodes\n", each, MILLION);
#ifndef __SANITIZE_ADDRESS__
    assert_true(each > 0 && each <= MOST_BYTES);
#endif
    assert_int_equal(count_descriptors(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_of_a_filesystem_is_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_looked_at_is_the_node_that_was_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(looking_takes_no_descriptor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_of_two_files_opens_neither, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_million_inodes_are_cheap, set_up, tear_down),
    };
    if (geteuid() != 0)
        return 77; /* skipped: see CMakeLists.txt */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
