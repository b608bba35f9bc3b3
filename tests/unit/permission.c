#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guildfs/model.h"
#include "guildfs/permission.h"

static void all_sets_make_the_round_trip(void **state) {
    (void)state;
    for (unsigned set = 0; set <= GFS_ALL_PERMS; set++) {
        char text[GFS_PERMS_TEXT_SIZE];
        gfs_perms perms = 0xff;

        memset(text, 'x', sizeof(text));
        gfs_perms_format((gfs_perms)set, text);
        assert_non_null(memchr(text, '\0', sizeof(text)));
        assert_int_equal(gfs_perms_parse(text, &perms, NULL), 0);
        assert_int_equal(perms, set);
    }
}

static void text_is_in_the_order_of_the_contract(void **state) {
    char text[GFS_PERMS_TEXT_SIZE];

    (void)state;
    gfs_perms_format(GFS_ALL_PERMS, text);
    assert_string_equal(text, "view,download,upload,rename,delete,make-folder");
    gfs_perms_format(0, text);
    assert_string_equal(text, "none");
    gfs_perms_format(GFS_NOBODY, text);
    assert_string_equal(text, "none");
    gfs_perms_format(GFS_MAKE_FOLDER | GFS_VIEW, text);
    assert_string_equal(text, "view,make-folder");
}

static void lists_are_parsed(void **state) {
    static const struct {
        const char *text;
        gfs_perms perms;
    } good[] = {
        {"view", GFS_VIEW},
        {"none", 0},
        {"  none ", 0},
        {"delete,view", GFS_VIEW | GFS_DELETE},
        {"view,view", GFS_VIEW},
        {" view , download ", GFS_VIEW | GFS_DOWNLOAD},
        {"viewer", GFS_VIEW},
        {"reader", GFS_VIEW | GFS_DOWNLOAD},
        {"contributor", GFS_VIEW | GFS_DOWNLOAD | GFS_UPLOAD | GFS_MAKE_FOLDER},
        {"editor", GFS_ALL_PERMS},
        {"dropbox", GFS_UPLOAD | GFS_MAKE_FOLDER},
        {"dropbox,view", GFS_VIEW | GFS_UPLOAD | GFS_MAKE_FOLDER},
        {"reader,rename", GFS_VIEW | GFS_DOWNLOAD | GFS_RENAME},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        gfs_perms perms = 0xff;
        struct gfs_error err = {0};

        if (gfs_perms_parse(good[i].text, &perms, &err) != 0)
            fail_msg("\"%s\": %s", good[i].text, err.message);
        assert_int_equal(perms, good[i].perms);
    }
}

static void everything_else_is_refused(void **state) {
    static const struct {
        const char *text, *bad_word;
    } bad[] = {
        {"", "\"\""},
        {" ", "\"\""},
        {",", "\"\""},
        {"view,", "\"\""},
        {",view", "\"\""},
        {"view,,upload", "\"\""},
        {"View", "\"View\""},
        {"views", "\"views\""},
        {"view2", "\"view2\""},
        {"view upload", "\"view upload\""},
        {"view;upload", "\"view;upload\""},
        {"view\t", "\"view?\""},
        {"view\n", "\"view?\""},
        {"make_folder", "\"make_folder\""},
        {"none,view", "\"none\""},
        {"view,none", "\"none\""},
        {"nobody", "\"nobody\""},
        {"view,write,upload", "\"write\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        gfs_perms perms = GFS_RENAME;
        struct gfs_error err = {0};

        if (gfs_perms_parse(bad[i].text, &perms, &err) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i].text);
        assert_int_equal(perms, GFS_RENAME);
        assert_int_equal(err.code, EINVAL);
        if (!strstr(err.message, bad[i].bad_word))
            fail_msg("\"%s\": the error does not name %s: %s", bad[i].text, bad[i].bad_word, err.message);
    }
}

static void presets_have_names(void **state) {
    static const char *const names[] = {"viewer", "reader", "contributor", "editor", "dropbox"};
    unsigned found = 0;

    (void)state;
    for (unsigned set = 0; set <= GFS_ALL_PERMS; set++) {
        const char *name = gfs_perms_preset((gfs_perms)set);
        gfs_perms perms;

        if (!name)
            continue;
        found++;
        assert_int_equal(gfs_perms_parse(name, &perms, NULL), 0);
        assert_int_equal(perms, set);
    }
    assert_int_equal(found, sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        gfs_perms perms;
        assert_int_equal(gfs_perms_parse(names[i], &perms, NULL), 0);
        assert_string_equal(gfs_perms_preset(perms), names[i]);
    }
    assert_null(gfs_perms_preset(0));
    assert_null(gfs_perms_preset(GFS_NOBODY));
}

static void nobody_is_out_of_reach(void **state) {
    (void)state;
    assert_false(gfs_perms_include(GFS_ALL_PERMS, GFS_NOBODY));
    assert_true(gfs_perms_include(GFS_VIEW | GFS_UPLOAD, GFS_UPLOAD));
    assert_false(gfs_perms_include(GFS_VIEW, GFS_VIEW | GFS_UPLOAD));
    assert_true(gfs_perms_include(0, 0));
}

static void kinds_have_names_and_folders(void **state) {
    static const char *const names[] = {"files", "volume", "database", "image", "capsule"};
    static const char *const folders[] = {"files", "volumes", "databases", "images", "capsules"};
    enum gfs_kind kind;
    struct gfs_error err;

    (void)state;
    for (enum gfs_kind each = 0; each < GFS_KIND_COUNT; each++) {
        assert_string_equal(gfs_kind_name(each), names[each]);
        assert_string_equal(gfs_kind_folder(each), folders[each]);
        kind = GFS_KIND_COUNT;
        assert_int_equal(gfs_kind_parse(names[each], &kind, NULL), 0);
        assert_int_equal(kind, each);
    }
    assert_null(gfs_kind_name(GFS_KIND_COUNT));
    assert_null(gfs_kind_folder((enum gfs_kind)77));
    assert_int_equal(gfs_kind_parse("volumes", &kind, &err), -EINVAL);
    assert_int_equal(kind, GFS_KIND_CAPSULE);
    assert_non_null(strstr(err.message, "\"volumes\""));
    assert_int_equal(gfs_kind_parse(NULL, &kind, NULL), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sets_make_the_round_trip),
        cmocka_unit_test(text_is_in_the_order_of_the_contract),
        cmocka_unit_test(lists_are_parsed),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(presets_have_names),
        cmocka_unit_test(nobody_is_out_of_reach),
        cmocka_unit_test(kinds_have_names_and_folders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
