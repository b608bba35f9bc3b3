/* Durations, sizes and times that people write. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guildfs/clock.h"
#include "guildfs/value.h"

#define S GFS_NS_PER_S

static void durations(void **state) {
    static const struct {
        const char *text;
        int64_t ns;
        const char *shown;
    } good[] = {
        {"0", 0, "0s"},           {"90s", 90 * S, "90s"},
        {"60s", 60 * S, "1m"},    {"10m", 600 * S, "10m"},
        {"1h", 3600 * S, "1h"},   {"24h", 86400 * S, "1d"},
        {"7d", 604800 * S, "1w"}, {"36500d", 36500LL * 86400 * S, "36500d"},
    };
    static const char *const bad[] = {
        "", "1", "s", "1x", "1hh", "-1h", "+1h", " 1h", "1h ", "1.5h", "99999999999999999999s", "1000000d", "1H"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ns = -1;
        char text[GFS_DURATION_TEXT_SIZE];
        assert_int_equal(gfs_duration_parse(good[i].text, &ns, NULL), 0);
        assert_int_equal(ns, good[i].ns);
        gfs_duration_format(ns, text);
        assert_string_equal(text, good[i].shown);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns = -1;
        struct gfs_error err = {0};
        assert_int_equal(gfs_duration_parse(bad[i], &ns, &err), -EINVAL);
        assert_int_equal(ns, -1);
        assert_non_null(strstr(err.message, "10m"));
    }
}

static void sizes(void **state) {
    static const struct {
        const char *text;
        int64_t bytes;
        const char *shown;
    } good[] = {
        {"0", 0, "0"},
        {"1500", 1500, "1500"},
        {"4096", 4096, "4K"},
        {"500M", 500LL << 20, "500M"},
        {"10g", 10LL << 30, "10G"},
        {"1024G", 1LL << 40, "1T"},
        {"8191P", 8191LL << 50, "8191P"},
        {"9223372036854775807", INT64_MAX, "9223372036854775807"},
    };
    static const char *const bad[] = {"", "G", "1GB", "-1", "1X", "8192P", "9223372036854775808", "1.5G", " 1"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t bytes = -1;
        char text[GFS_SIZE_TEXT_SIZE];
        assert_int_equal(gfs_size_parse(good[i].text, &bytes, NULL), 0);
        assert_int_equal(bytes, good[i].bytes);
        gfs_size_format(bytes, text);
        assert_string_equal(text, good[i].shown);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t bytes = -1;
        assert_int_equal(gfs_size_parse(bad[i], &bytes, NULL), -EINVAL);
        assert_int_equal(bytes, -1);
    }
}

static void times(void **state) {
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"1970-01-02T00:00:00Z", 86400 * S},
        {"1970-01-02t00:00:00z", 86400 * S},
        {"1970-01-02 00:00:00Z", 86400 * S},
        {"1970-01-02T00:00:00.999Z", 86400 * S},
        {"1970-01-02T02:30:00+02:30", 86400 * S},
        {"1970-01-01T20:00:00-04:00", 86400 * S},
        {"2000-02-29T12:00:00Z", 951825600 * S},
        {"2100-03-01T00:00:00Z", 4107542400 * S},
        {"+1d", 86401 * S},
    };
    static const char *const bad[] = {
        "",
        "+",
        "+1",
        "now",
        "1970-01-02",
        "1970-01-02T00:00:00",
        "1970-01-02T00:00Z",
        "1970-1-2T00:00:00Z",
        "1970-13-02T00:00:00Z",
        "2001-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-01-02T24:00:00Z",
        "1970-01-02T00:60:00Z",
        "1970-01-02T00:00:00+0200",
        "1970-01-02T00:00:00.Z",
        "1970-01-02T00:00:00Zx",
        "9999-12-31T00:00:00Z",
        "1970-01-01T00:00:01Z",
        "1969-12-31T00:00:00Z",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ns = -1;
        assert_int_equal(gfs_time_parse(good[i].text, S, &ns, NULL), 0);
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns = -1;
        assert_int_equal(gfs_time_parse(bad[i], S, &ns, NULL), -EINVAL);
        assert_int_equal(ns, -1);
    }
}

static void moments(void **state) {
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"1h", -3600 * S}, {"-1h", -3600 * S}, {"0", 0}, {"1970-01-01T00:00:00Z", 0}, {"1970-01-01 01:00:00+01:00", 0}};
    static const char *const bad[] = {"", "-", "+1h", "--1h", "1", "yesterday", "1970-01-01", "1970-02-30T00:00:00Z"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t ns = -1;
        assert_int_equal(gfs_moment_parse(good[i].text, 0, &ns, NULL), 0);
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ns = -1;
        struct gfs_error err = {0};
        assert_int_equal(gfs_moment_parse(bad[i], 0, &ns, &err), -EINVAL);
        assert_int_equal(ns, -1);
        assert_non_null(strstr(err.message, "no time"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(times),
        cmocka_unit_test(moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
