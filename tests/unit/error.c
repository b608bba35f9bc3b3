#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guildfs/error.h"

static void the_code_comes_back_negative(void **state) {
    struct gfs_error err = {0};

    (void)state;
    assert_int_equal(gfs_error_set(&err, ENOENT, "no %s called \"%s\"", "share", "atlas"), -ENOENT);
    assert_int_equal(err.code, ENOENT);
    assert_string_equal(err.message, "no share called \"atlas\"");
    assert_int_equal(gfs_error_set(NULL, EPERM, "nobody reads %d", 1), -EPERM);
}

static void a_context_is_put_before(void **state) {
    struct gfs_error err = {0};

    (void)state;
    gfs_error_set(&err, EBUSY, "locked");
    assert_int_equal(gfs_error_prefix(&err, "store %s", "/srv/guild"), -EBUSY);
    assert_string_equal(err.message, "store /srv/guild: locked");
    assert_int_equal(gfs_error_prefix(&err, "init"), -EBUSY);
    assert_string_equal(err.message, "init: store /srv/guild: locked");
    assert_int_equal(err.code, EBUSY);
}

static void its_own_message_may_be_an_argument(void **state) {
    struct gfs_error err = {0};

    (void)state;
    gfs_error_set(&err, EIO, "inner");
    gfs_error_set(&err, EINVAL, "outer (%s)", err.message);
    assert_string_equal(err.message, "outer (inner)");
    gfs_error_prefix(&err, "%s", err.message);
    assert_string_equal(err.message, "outer (inner): outer (inner)");
}

static void no_argument_begins_a_second_line(void **state) {
    struct gfs_error err = {0};

    (void)state;
    gfs_error_set(&err, EINVAL, "bad name \"%s\"", "x\nerror: all is lost\r\x1b[2J\x7f\xc2\x85\xe2\x80\xa8z");
    assert_string_equal(err.message, "bad name \"x?error: all is lost??[2J???z\"");
    gfs_error_set(&err, EINVAL, "%s", "Grüße, 物理");
    assert_string_equal(err.message, "Grüße, 物理");
    gfs_error_prefix(&err, "a\nb");
    assert_string_equal(err.message, "a?b: Grüße, 物理");
}

/* Three bytes each, so that every cut but one in three falls into the middle of one. */
static void fill(char *text, size_t characters) {
    for (size_t i = 0; i < characters; i++)
        memcpy(text + 3 * i, "物", 4);
}

static void a_long_message_is_cut_between_characters(void **state) {
    struct gfs_error err;
    char text[3 * 600 + 1];

    (void)state;
    fill(text, 600);
    for (int lead = 0; lead < 3; lead++) {
        memset(&err, 'x', sizeof(err));
        gfs_error_set(&err, EINVAL, "%.*s%s", lead, "--", text);
        size_t length = strnlen(err.message, sizeof(err.message));
        size_t shift = lead < 2 ? (size_t)lead : 2;
        assert_in_range(length, sizeof(err.message) - 4, sizeof(err.message) - 1);
        assert_int_equal((length - shift) % 3, 0);
    }
}

static void a_long_prefix_is_cut_too(void **state) {
    struct gfs_error err = {0};
    char text[3 * 600 + 1];

    (void)state;
    fill(text, 600);
    gfs_error_set(&err, EIO, "inner");
    assert_int_equal(gfs_error_prefix(&err, "%s", text), -EIO);
    assert_true(strnlen(err.message, sizeof(err.message)) < sizeof(err.message));
    assert_int_equal(strlen(err.message) % 3, 0);
    /* Twice a full one. */
    assert_int_equal(gfs_error_prefix(&err, "again"), -EIO);
    assert_int_equal(strncmp(err.message, "again: 物", 10), 0);
}

static void a_message_that_just_fits_is_kept(void **state) {
    struct gfs_error err = {0};
    char text[sizeof(err.message)];

    (void)state;
    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    gfs_error_set(&err, EIO, "%s", text);
    assert_string_equal(err.message, text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_code_comes_back_negative),
        cmocka_unit_test(a_context_is_put_before),
        cmocka_unit_test(its_own_message_may_be_an_argument),
        cmocka_unit_test(no_argument_begins_a_second_line),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
        cmocka_unit_test(a_long_prefix_is_cut_too),
        cmocka_unit_test(a_message_that_just_fits_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
