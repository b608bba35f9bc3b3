#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guildfs/name.h"

static void accept(const char *name) {
    struct gfs_error err = {0};

    if (gfs_name_check("group name", name, &err) != 0)
        fail_msg("\"%s\" was refused: %s", name, err.message);
}

static void refuse(const char *name, const char *why) {
    struct gfs_error err = {0};

    if (gfs_name_check("group name", name, &err) != -EINVAL)
        fail_msg("\"%s\" was taken", name);
    assert_int_equal(err.code, EINVAL);
    assert_non_null(strstr(err.message, "group name"));
    assert_null(strchr(err.message, '\n'));
    if (!strstr(err.message, why))
        fail_msg("the error does not say \"%s\": %s", why, err.message);
}

static void ordinary_names_are_good(void **state) {
    static const char *const names[] = {
        "physics", "Physics 101", "a",     "...",    ".hidden", "a.b",  "-x",   "My",  "mine", "my2", "publics",
        "guildfs", "x.guildfs",   "Grüße", "物理学", "группа",  "a\\b", "a\"b", "a:b", "a~b",  "😀",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        accept(names[i]);
}

static void names_with_a_meaning_are_refused(void **state) {
    (void)state;
    refuse("", "empty");
    refuse(NULL, "empty");
    refuse(".", "folder itself");
    refuse("..", "folder itself");
    refuse("a/b", "'/'");
    refuse("/", "'/'");
    refuse("a/", "'/'");
    refuse("my", "reserved");
    refuse("public", "reserved");
    refuse(".guildfs", "reserved");
    refuse(".guildfs-x", "reserved");
}

static void length_is_counted_in_bytes(void **state) {
    char name[GFS_NAME_MAX + 2];

    (void)state;
    memset(name, 'x', sizeof(name));
    name[GFS_NAME_MAX] = '\0';
    accept(name);
    name[GFS_NAME_MAX] = 'x';
    name[GFS_NAME_MAX + 1] = '\0';
    refuse(name, "too long");

    /* 127 characters of two bytes are 254; one byte more fits, one character more does not. */
    for (size_t i = 0; i < 127; i++)
        memcpy(name + 2 * i, "ü", 2);
    strcpy(name + 254, "x");
    accept(name);
    memcpy(name + 254, "ü", 3);
    refuse(name, "too long");
}

static void control_characters_are_refused(void **state) {
    static const char *const names[] = {
        "a\nb",         "\n", "a\n", "a\tb", "\r", "\x01", "\x1f", "\x1b[31mred", "a\x7f", "\xc2\x80", /* U+0080 */
        "x\xc2\x85",    /* U+0085, next line */
        "\xc2\x9f",     /* U+009F */
        "\xe2\x80\xa8", /* U+2028 */
        "a\xe2\x80\xa9" /* U+2029 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        refuse(names[i], "control character");
    /* Their neighbours are characters like others. */
    accept("\xc2\xa0");     /* U+00A0 */
    accept("\xe2\x80\xa7"); /* U+2027 */
    accept("\xe2\x80\xaa"); /* U+202A */
    accept("~");
}

static void utf8_is_checked_to_the_byte(void **state) {
    static const char *const bad[] = {
        "\x80",             /* a continuation byte alone */
        "a\xbf",            /* another */
        "\xc3",             /* cut after the first byte */
        "\xc3(",            /* no continuation */
        "\xe2\x82",         /* cut after the second */
        "\xe2(\xa1",        /* no continuation in the middle */
        "\xf0\x9f\x98",     /* cut after the third */
        "\xf0\x9f\x98(",    /* no continuation at the end */
        "\xc0\xaf",         /* '/', overlong in two */
        "\xc1\xbf",         /* overlong in two */
        "\xe0\x80\xaf",     /* '/', overlong in three */
        "\xe0\x9f\xbf",     /* U+07FF, overlong in three */
        "\xf0\x80\x80\xaf", /* '/', overlong in four */
        "\xf0\x8f\xbf\xbf", /* U+FFFF, overlong in four */
        "\xed\xa0\x80",     /* U+D800, the first surrogate */
        "\xed\xbf\xbf",     /* U+DFFF, the last */
        "\xf4\x90\x80\x80", /* U+110000 */
        "\xf5\x80\x80\x80", /* never a first byte */
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
    };
    static const char *const good[] = {
        "\xc2\xa1",         /* U+00A1 */
        "\xdf\xbf",         /* U+07FF */
        "\xe0\xa0\x80",     /* U+0800, the first of three */
        "\xed\x9f\xbf",     /* U+D7FF, before the surrogates */
        "\xee\x80\x80",     /* U+E000, behind them */
        "\xef\xbf\xbf",     /* U+FFFF */
        "\xf0\x90\x80\x80", /* U+10000, the first of four */
        "\xf4\x8f\xbf\xbf", /* U+10FFFF, the last of all */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refuse(bad[i], "UTF-8");
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        accept(good[i]);
}

static void no_error_need_be_given(void **state) {
    (void)state;
    assert_int_equal(gfs_name_check("user name", "my", NULL), -EINVAL);
    assert_int_equal(gfs_name_check("user name", "alice", NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_names_are_good),     cmocka_unit_test(names_with_a_meaning_are_refused),
        cmocka_unit_test(length_is_counted_in_bytes),  cmocka_unit_test(control_characters_are_refused),
        cmocka_unit_test(utf8_is_checked_to_the_byte), cmocka_unit_test(no_error_need_be_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
