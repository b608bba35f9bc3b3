/* Finding a mount in the list that the kernel gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/mountinfo.h"

static const char list_text[] =
    "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "40 22 0:39 / /mnt/guild rw,nosuid,nodev shared:1 master:2 - fuse.guildfs /var/lib/guild\\040fs rw,user_id=0\n"
    "41 22 0:40 / /mnt/with\\040blank\\134and\\011tab rw - fuse.guildfs /store rw\n"
    "42 22 0:41 / /mnt/twice rw - tmpfs tmpfs rw\n"
    "43 42 0:42 / /mnt/twice rw unbindable - fuse.guildfs /store rw\n"
    "44 22 0:43 /sub /mnt/bound rw - fuse.sshfs host: rw\n"
    "45 22 nonsense / /mnt/odd rw - ext4 /dev/vdb rw\n"
    "this is no line of a mountinfo\n";

static int search(const char *path, struct gfs_mountinfo *out) {
    char copy[sizeof list_text];
    memcpy(copy, list_text, sizeof copy);
    FILE *list = fmemopen(copy, sizeof copy - 1, "r");
    assert_non_null(list);
    int rc = gfs_mountinfo_search(list, path, out);
    fclose(list);
    return rc;
}

static void assert_found(const char *path, const char *type, unsigned minor) {
    struct gfs_mountinfo found;
    assert_int_equal(search(path, &found), 0);
    assert_string_equal(found.type, type);
    assert_int_equal(found.minor, minor);
}

static void test_finds(void **state) {
    (void)state;
    assert_found("/", "ext4", 0);
    assert_found("/mnt/guild", "fuse.guildfs", 39);
    assert_found("/mnt/with blank\\and\ttab", "fuse.guildfs", 40);
    assert_found("/mnt/bound", "fuse.sshfs", 43);
}

static void test_uppermost_counts(void **state) {
    (void)state;
    assert_found("/mnt/twice", "fuse.guildfs", 42);
}

static void test_finds_nothing_else(void **state) {
    (void)state;
    static const char *const paths[] = {"/mnt", "/mnt/guild/", "/mnt/guil", "/mnt/guild2", "/mnt/odd", ""};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct gfs_mountinfo found = {.major = 77};
        assert_int_equal(search(paths[i], &found), -ENOENT);
        assert_int_equal(found.major, 77);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),
        cmocka_unit_test(test_uppermost_counts),
        cmocka_unit_test(test_finds_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
