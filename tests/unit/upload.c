#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "guildfs/clock.h"
#include "guildfs/upload.h"

#define ALICE "0190163d-8694-739b-aea5-966c26f8ad90"
#define BOB "0190163d-8694-739b-aea5-966c26f8ad91"

static void records_make_the_round_trip(void **state) {
    static const struct gfs_upload records[] = {
        {.uploader = ALICE, .pending = true, .closed_ns = 1700000000123456789},
        {.uploader = BOB, .pending = false, .closed_ns = 0},
        {.uploader = BOB, .pending = true, .closed_ns = INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        char text[GFS_UPLOAD_TEXT_SIZE];
        struct gfs_upload read = {0};
        size_t size = gfs_upload_format(&records[i], text);

        assert_true(size < sizeof(text));
        assert_int_equal(size, strlen(text));
        text[size] = 'x'; /* an xattr's value has no NUL behind it */
        assert_int_equal(gfs_upload_parse(text, size, &read), 0);
        assert_string_equal(read.uploader, records[i].uploader);
        assert_int_equal(read.pending, records[i].pending);
        assert_true(read.closed_ns == records[i].closed_ns);
    }
}

static void the_text_is_as_documented(void **state) {
    const struct gfs_upload upload = {.uploader = ALICE, .pending = true, .closed_ns = 42};
    const struct gfs_upload before_1970 = {.uploader = ALICE, .closed_ns = -1};
    char text[GFS_UPLOAD_TEXT_SIZE];

    (void)state;
    gfs_upload_format(&upload, text);
    assert_string_equal(text, "1 " ALICE " pending 42");
    gfs_upload_format(&before_1970, text);
    assert_string_equal(text, "1 " ALICE " settled 0");
}

static void anything_else_is_no_record(void **state) {
    static const char *const bad[] = {
        "",
        " ",
        "1",
        "1 ",
        "1 " ALICE,
        "1 " ALICE " pending",
        "1 " ALICE " pending ",
        "1 " ALICE " pending 42 ",
        "1 " ALICE " pending 42 more",
        "1 " ALICE " pending 42\n",
        "1  " ALICE " pending 42",
        " 1 " ALICE " pending 42",
        "2 " ALICE " pending 42",
        "11 " ALICE " pending 42",
        "1 alice pending 42",
        "1 " ALICE "0 pending 42",
        "1 " ALICE " Pending 42",
        "1 " ALICE " pendin 42",
        "1 " ALICE " open 42",
        "1 " ALICE " pending -1",
        "1 " ALICE " pending +1",
        "1 " ALICE " pending 0x10",
        "1 " ALICE " pending 4 2",
        "1 " ALICE " pending 9223372036854775808", /* one more than INT64_MAX */
        "1 " ALICE " pending 99999999999999999999999999999999",
        "1\t" ALICE "\tpending\t42",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct gfs_upload upload = {.closed_ns = 7};
        if (gfs_upload_parse(bad[i], strlen(bad[i]), &upload) != -EINVAL)
            fail_msg("taken: \"%s\"", bad[i]);
        assert_int_equal(upload.closed_ns, 7);
    }
}

static void size_bounds_what_is_read(void **state) {
    static const char text[] = "1 " ALICE " pending 42";
    struct gfs_upload upload;

    (void)state;
    /* Every shorter piece but the one that only shortens the number is no record. */
    for (size_t size = 0; size < sizeof(text) - 1; size++)
        assert_int_equal(gfs_upload_parse(text, size, &upload), size == sizeof(text) - 2 ? 0 : -EINVAL);
    assert_int_equal(upload.closed_ns, 4);
    assert_int_equal(gfs_upload_parse(text, sizeof(text), &upload), -EINVAL); /* with the NUL */
    assert_int_equal(gfs_upload_parse("1 " ALICE "\0pending 42", sizeof(text) - 1, &upload), -EINVAL);
}

static void pending_lasts_for_the_grace(void **state) {
    const struct gfs_upload upload = {.uploader = ALICE, .pending = true, .closed_ns = 1000};

    (void)state;
    assert_int_equal(gfs_upload_pending_until(&upload, ALICE, 500, 0, false), 1500);
    assert_int_equal(gfs_upload_pending_until(&upload, ALICE, 0, 0, false), 1000);
    assert_true(gfs_upload_pending_until(&upload, ALICE, 500, 0, true) == GFS_NEVER);
    assert_true(gfs_upload_pending_until(&upload, ALICE, GFS_NEVER, 0, false) == GFS_NEVER);
}

static void nothing_is_pending_for_others(void **state) {
    const struct gfs_upload upload = {.uploader = ALICE, .pending = true, .closed_ns = 1000};

    (void)state;
    assert_int_equal(gfs_upload_pending_until(&upload, BOB, 500, 0, false), 0);
    assert_int_equal(gfs_upload_pending_until(&upload, BOB, 500, 0, true), 0);
    assert_int_equal(gfs_upload_pending_until(&upload, "", 500, 0, true), 0);
}

static void what_settled_stays_settled(void **state) {
    const struct gfs_upload upload = {.uploader = ALICE, .pending = false, .closed_ns = 1000};

    (void)state;
    assert_int_equal(gfs_upload_pending_until(&upload, ALICE, 500, 0, false), 0);
    assert_int_equal(gfs_upload_pending_until(&upload, ALICE, 500, 0, true), 0);
}

/* The share came back from the archive, or the person lost Upload, at the floor. */
static void the_floor_ends_it(void **state) {
    const struct gfs_upload upload = {.uploader = ALICE, .pending = true, .closed_ns = 1000};

    (void)state;
    assert_int_equal(gfs_upload_pending_until(&upload, ALICE, 500, 1000, false), 1500);
    assert_int_equal(gfs_upload_pending_until(&upload, ALICE, 500, 1001, false), 0);
    assert_int_equal(gfs_upload_pending_until(&upload, ALICE, 500, 1001, true), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_make_the_round_trip), cmocka_unit_test(the_text_is_as_documented),
        cmocka_unit_test(anything_else_is_no_record),  cmocka_unit_test(size_bounds_what_is_read),
        cmocka_unit_test(pending_lasts_for_the_grace), cmocka_unit_test(nothing_is_pending_for_others),
        cmocka_unit_test(what_settled_stays_settled),  cmocka_unit_test(the_floor_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
