#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "guildfs/clock.h"
#include "guildfs/uuid.h"

static uint64_t milliseconds_of(const char *uuid) {
    char digits[13];

    memcpy(digits, uuid, 8);
    memcpy(digits + 8, uuid + 9, 4);
    digits[12] = '\0';
    return strtoull(digits, NULL, 16);
}

static void a_new_one_is_version_7(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char uuid[GFS_UUID_SIZE];
        uint64_t before_ms = (uint64_t)gfs_now_ns() / 1000000;

        assert_int_equal(gfs_uuid_new(uuid), 0);
        uint64_t after_ms = (uint64_t)gfs_now_ns() / 1000000;
        assert_true(gfs_uuid_valid(uuid));
        assert_int_equal(uuid[14], '7');
        assert_non_null(strchr("89ab", uuid[19])); /* the variant of RFC 9562 */
        assert_in_range(milliseconds_of(uuid), before_ms, after_ms);
    }
}

static void they_sort_by_time(void **state) {
    const struct timespec pause = {.tv_nsec = 2000000};
    char first[GFS_UUID_SIZE], second[GFS_UUID_SIZE];

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(gfs_uuid_new(first), 0);
        nanosleep(&pause, NULL);
        assert_int_equal(gfs_uuid_new(second), 0);
        assert_true(strcmp(first, second) < 0);
    }
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

static void no_two_are_the_same(void **state) {
    enum { COUNT = 20000 };
    char(*uuids)[GFS_UUID_SIZE] = calloc(COUNT, sizeof(*uuids));

    (void)state;
    assert_non_null(uuids);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(gfs_uuid_new(uuids[i]), 0);
    qsort(uuids, COUNT, sizeof(*uuids), compare);
    for (size_t i = 1; i < COUNT; i++)
        assert_string_not_equal(uuids[i - 1], uuids[i]);
    free(uuids);
}

static void only_the_canonical_form_is_valid(void **state) {
    static const char *const bad[] = {
        "",
        "0190163d-8694-739b-aea5-966c26f8ad9",    /* short by one */
        "0190163d-8694-739b-aea5-966c26f8ad900",  /* long by one */
        "0190163D-8694-739b-aea5-966c26f8ad90",   /* upper case */
        "0190163d08694-739b-aea5-966c26f8ad90",   /* no dash */
        "0190163d-8694-739b-aea5-966c26f8ad9-",   /* a dash too many */
        "0190163g-8694-739b-aea5-966c26f8ad90",   /* no hex digit */
        "{190163d-8694-739b-aea5-966c26f8ad90}",  /* braces */
        " 0190163d-8694-739b-aea5-966c26f8ad90",  /* a blank before */
        "0190163d-8694-739b-aea5-966c26f8ad90\n", /* a newline behind */
    };

    (void)state;
    assert_true(gfs_uuid_valid("0190163d-8694-739b-aea5-966c26f8ad90"));
    assert_true(gfs_uuid_valid("00000000-0000-0000-0000-000000000000"));
    assert_false(gfs_uuid_valid(NULL));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (gfs_uuid_valid(bad[i]))
            fail_msg("valid: \"%s\"", bad[i]);
}

static void clocks_run(void **state) {
    const struct timespec pause = {.tv_nsec = 2000000};
    int64_t start_ns = gfs_monotonic_ns(), wall_ns = gfs_now_ns();

    (void)state;
    nanosleep(&pause, NULL);
    assert_true(gfs_monotonic_ns() - start_ns >= 2000000);
    assert_true(gfs_monotonic_ns() - start_ns < 60 * GFS_NS_PER_S);
    assert_in_range(wall_ns / GFS_NS_PER_S, time(NULL) - 60, time(NULL) + 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_one_is_version_7),
        cmocka_unit_test(they_sort_by_time),
        cmocka_unit_test(no_two_are_the_same),
        cmocka_unit_test(only_the_canonical_form_is_valid),
        cmocka_unit_test(clocks_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
