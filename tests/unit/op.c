/*
 * The table itself: every row, written as a person would read it out. A row that changes must be
 * changed here too, and in guildfs-permissions(7).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guildfs/op.h"

struct row {
    const char *name;
    const char *existing, *pending_file, *pending_folder; /* as gfs_perms_parse() reads them */
    int denied;
    const char *flags;
};

static const struct row rows[] = {
    {"stat", "view", "upload", "make-folder", ENOENT, "sight"},
    {"list", "view", "view", "make-folder", ENOENT, "sight"},
    {"readlink", "view", "upload", "view", ENOENT, "sight"},
    {"listxattr", "view", "upload", "make-folder", ENOENT, "sight"},
    {"statfs", "view", "view", "view", ENOENT, ""},
    {"open-read", "download", "download", "download", EACCES, ""},
    {"getxattr", "download", "download", "download", EACCES, ""},
    {"open-write", "upload,delete", "upload", "upload,delete", EACCES, "overwrites changes"},
    {"open-read-write", "download,upload,delete", "download,upload", "download,upload,delete", EACCES,
     "overwrites changes"},
    {"truncate", "upload,delete", "upload", "upload,delete", EACCES, "overwrites changes"},
    {"fallocate", "upload,delete", "upload", "upload,delete", EACCES, "overwrites changes grows"},
    {"setxattr", "upload,delete", "upload", "make-folder", EACCES, "overwrites changes"},
    {"removexattr", "upload,delete", "upload", "make-folder", EACCES, "overwrites changes"},
    {"chmod", "upload,delete", "upload", "make-folder", EACCES, "overwrites changes"},
    {"utimens", "upload,delete", "upload", "make-folder", EACCES, "overwrites changes"},
    {"create", "upload", "upload", "upload", EACCES, "changes grows"},
    {"tmpfile", "upload", "upload", "upload", EACCES, "changes grows"},
    {"symlink", "upload", "upload", "upload", EACCES, "changes grows"},
    {"mkdir", "make-folder", "make-folder", "make-folder", EACCES, "changes grows"},
    {"unlink", "delete", "upload", "delete", EACCES, "changes"},
    {"rmdir", "delete", "delete", "make-folder", EACCES, "changes"},
    {"rename", "rename", "upload", "make-folder", EACCES, "changes"},
    {"move-out", "delete", "upload", "make-folder", EACCES, "changes"},
    {"move-in-file", "upload", "upload", "upload", EACCES, "changes"},
    {"move-in-folder", "upload,make-folder", "upload,make-folder", "upload,make-folder", EACCES, "changes"},
    {"replace", "upload,delete", "upload", "make-folder", EACCES, "changes"},
    {"save", "upload,delete", "upload", "upload,delete", EACCES, "overwrites changes"},
    {"exchange", "rename,upload,delete", "rename,upload,delete", "rename,upload,delete", EACCES, "changes"},
    {"link", "upload,delete,download", "upload,delete,download", "upload,delete,download", EPERM, "changes"},
    {"lock-shared", "download", "download", "download", EACCES, ""},
    {"lock-exclusive", "upload,delete", "upload", "upload,delete", EACCES, "overwrites"},
    {"chown", NULL, NULL, NULL, EPERM, "changes"},
    {"mknod", NULL, NULL, NULL, EPERM, "changes"},
};

static void check_perms(const char *row, const char *expected, gfs_perms found) {
    char expected_text[GFS_PERMS_TEXT_SIZE], found_text[GFS_PERMS_TEXT_SIZE];
    gfs_perms perms = GFS_NOBODY;

    if (expected)
        assert_int_equal(gfs_perms_parse(expected, &perms, NULL), 0);
    gfs_perms_format(perms, expected_text);
    gfs_perms_format(found, found_text);
    if (perms != found)
        fail_msg("%s needs %s (%#x), not %s (%#x)", row, found_text, found, expected_text, perms);
}

static void check_flag(const struct row *row, const char *flag, bool found) {
    if (found != (strstr(row->flags, flag) != NULL))
        fail_msg("%s: \"%s\" is %s", row->name, flag, found ? "set" : "not set");
}

static void every_row_is_as_written(void **state) {
    (void)state;
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), GFS_OP_COUNT);
    for (enum gfs_op op = 0; op < GFS_OP_COUNT; op++) {
        const struct gfs_rule rule = gfs_op_rule(op);

        assert_string_equal(gfs_op_name(op), rows[op].name);
        check_perms(rows[op].name, rows[op].existing, rule.existing);
        check_perms(rows[op].name, rows[op].pending_file, rule.pending_file);
        check_perms(rows[op].name, rows[op].pending_folder, rule.pending_folder);
        assert_int_equal(rule.denied, rows[op].denied);
        check_flag(&rows[op], "overwrites", rule.overwrites);
        check_flag(&rows[op], "changes", rule.changes);
        check_flag(&rows[op], "grows", rule.grows);
        check_flag(&rows[op], "sight", rule.sight);
    }
}

static void no_rule_needs_nothing(void **state) {
    (void)state;
    for (enum gfs_op op = 0; op < GFS_OP_COUNT; op++) {
        const struct gfs_rule rule = gfs_op_rule(op);
        assert_true(rule.existing && rule.pending_file && rule.pending_folder && rule.denied);
    }
}

static void what_is_no_operation_is_for_nobody(void **state) {
    static const int numbers[] = {GFS_OP_COUNT, GFS_OP_COUNT + 1, -1, 1000000};

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct gfs_rule rule = gfs_op_rule((enum gfs_op)numbers[i]);

        assert_int_equal(rule.existing, GFS_NOBODY);
        assert_int_equal(rule.pending_file, GFS_NOBODY);
        assert_int_equal(rule.pending_folder, GFS_NOBODY);
        assert_int_equal(rule.denied, EPERM);
        assert_true(rule.changes && !rule.overwrites && !rule.grows && !rule.sight);
        assert_null(gfs_op_name((enum gfs_op)numbers[i]));
    }
}

static void names_are_parsed_back(void **state) {
    enum gfs_op op;

    (void)state;
    for (enum gfs_op each = 0; each < GFS_OP_COUNT; each++) {
        op = GFS_OP_COUNT;
        assert_int_equal(gfs_op_parse(gfs_op_name(each), &op, NULL), 0);
        assert_int_equal(op, each);
    }
}

static void other_names_are_refused(void **state) {
    static const char *const names[] = {"", "Stat", "open", "open-read ", "statx", "rename\n"};
    enum gfs_op op = GFS_OP_LINK;
    struct gfs_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(gfs_op_parse(names[i], &op, &err), -EINVAL);
        assert_int_equal(op, GFS_OP_LINK);
        /* The message lists all of them, down to the last. */
        assert_non_null(strstr(err.message, "open-read, getxattr"));
        assert_non_null(strstr(err.message, "chown, mknod"));
    }
    assert_int_equal(gfs_op_parse(NULL, &op, &err), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_as_written),
        cmocka_unit_test(no_rule_needs_nothing),
        cmocka_unit_test(what_is_no_operation_is_for_nobody),
        cmocka_unit_test(names_are_parsed_back),
        cmocka_unit_test(other_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
