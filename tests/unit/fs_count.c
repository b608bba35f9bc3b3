/* fs/count.c: the arithmetic of a count during which files change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fs/count.h"

static const struct gfs_file_id A = {.device = 1, .inode = 10};
static const struct gfs_file_id B = {.device = 1, .inode = 11};

static int set_up(void **state) {
    return gfs_count_new((struct gfs_count **)state);
}

static int tear_down(void **state) {
    gfs_count_free(*state);
    return 0;
}

static void sizes_add_up_and_links_count_once(void **state) {
    struct gfs_count *count = *state;

    gfs_count_found(count, A, 100);
    gfs_count_found(count, B, 20);
    gfs_count_found(count, A, 100);
    assert_int_equal(gfs_count_total(count), 120);
    assert_true(gfs_count_exact(count));
}

static void a_change_after_the_visit_is_added(void **state) {
    struct gfs_count *count = *state;

    gfs_count_found(count, A, 100);
    gfs_count_before(count, A, 100);
    gfs_count_changed(count, 100, 150);
    assert_int_equal(gfs_count_total(count), 150);
}

static void a_change_before_the_visit_is_not_counted_twice(void **state) {
    struct gfs_count *count = *state;

    gfs_count_before(count, A, 100);
    gfs_count_changed(count, 100, 150);
    gfs_count_found(count, A, 150);
    assert_int_equal(gfs_count_total(count), 150);
}

static void a_visit_in_the_middle_of_a_change(void **state) {
    struct gfs_count *count = *state;

    gfs_count_before(count, A, 100);
    gfs_count_found(count, A, 130); /* whatever it finds */
    gfs_count_changed(count, 100, 150);
    gfs_count_before(count, A, 150);
    gfs_count_changed(count, 150, 10);
    assert_int_equal(gfs_count_total(count), 10);
}

static void a_new_file_counts_whether_it_is_met_or_not(void **state) {
    struct gfs_count *count = *state;

    gfs_count_before(count, A, 0);
    gfs_count_changed(count, 0, 70);
    assert_int_equal(gfs_count_total(count), 70);
    gfs_count_found(count, A, 70);
    assert_int_equal(gfs_count_total(count), 70);
}

static void a_removed_file_counts_nothing(void **state) {
    struct gfs_count *count = *state;

    gfs_count_found(count, A, 100); /* visited, then removed */
    gfs_count_removed(count, A, 100);
    assert_int_equal(gfs_count_total(count), 0);

    gfs_count_removed(count, B, 30); /* never visited */
    assert_int_equal(gfs_count_total(count), 0);
    gfs_count_found(count, B, 30); /* the walk had read the name before it went */
    assert_int_equal(gfs_count_total(count), 0);
}

static void a_file_changed_and_removed_counts_nothing(void **state) {
    struct gfs_count *count = *state;

    gfs_count_before(count, A, 100);
    gfs_count_changed(count, 100, 160);
    gfs_count_removed(count, A, 160);
    assert_int_equal(gfs_count_total(count), 0);

    gfs_count_before(count, B, 0); /* new */
    gfs_count_changed(count, 0, 5);
    gfs_count_removed(count, B, 5);
    assert_int_equal(gfs_count_total(count), 0);
}

static void a_change_that_began_before_the_count(void **state) {
    struct gfs_count *count = *state;

    gfs_count_settled(count, A, 150); /* the walk comes later */
    gfs_count_found(count, A, 150);
    assert_int_equal(gfs_count_total(count), 150);

    gfs_count_found(count, B, 100); /* the walk saw the size before */
    gfs_count_settled(count, B, 170);
    assert_int_equal(gfs_count_total(count), 320);
    gfs_count_settled(count, B, 170); /* or the one after */
    assert_int_equal(gfs_count_total(count), 320);
}

static void a_file_that_gets_a_name_counts_once(void **state) {
    struct gfs_count *count = *state;

    gfs_count_named(count, A, 40);
    gfs_count_found(count, A, 40);
    assert_int_equal(gfs_count_total(count), 40);

    gfs_count_found(count, B, 60); /* between linkat(2) and being told of it */
    gfs_count_named(count, B, 60);
    assert_int_equal(gfs_count_total(count), 100);
}

static void many_files(void **state) {
    struct gfs_count *count = *state;

    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 100000; i++)
            gfs_count_found(count, (struct gfs_file_id){.device = i % 3, .inode = i}, 3);
    }
    assert_int_equal(gfs_count_total(count), 300000);
    assert_true(gfs_count_exact(count));
}

/* A random history against a plain model: whatever the order, the end is the present sizes. */
static void any_history_ends_with_the_present_sizes(void **state) {
    enum { FILES = 20, HISTORIES = 2000 };
    (void)state;

    srandom(7);
    for (int history = 0; history < HISTORIES; history++) {
        struct gfs_count *count;
        int64_t size[FILES], total = 0;
        bool exists[FILES];

        assert_int_equal(gfs_count_new(&count), 0);
        for (int i = 0; i < FILES; i++) {
            exists[i] = random() % 2;
            size[i] = exists[i] ? random() % 1000 : 0;
        }
        /* The walk meets the files in order; between two steps something happens, to any file. */
        for (int step = 0; step < FILES; step++) {
            for (int event = 0; event < 4; event++) {
                int i = (int)(random() % FILES);
                struct gfs_file_id file = {.device = 1, .inode = (uint64_t)i};
                if (!exists[i] && size[i] == 0) {
                    exists[i] = true; /* created empty */
                } else if (exists[i] && random() % 4 == 0) {
                    gfs_count_removed(count, file, size[i]);
                    exists[i] = false;
                    size[i] = -1; /* its number is not used again here */
                } else if (exists[i]) {
                    int64_t after = random() % 1000;
                    gfs_count_before(count, file, size[i]);
                    gfs_count_changed(count, size[i], after);
                    size[i] = after;
                }
            }
            if (exists[step] && random() % 8 != 0)
                gfs_count_found(count, (struct gfs_file_id){.device = 1, .inode = (uint64_t)step}, size[step]);
            else if (exists[step]) { /* removed between readdir and stat */
                gfs_count_removed(count, (struct gfs_file_id){.device = 1, .inode = (uint64_t)step}, size[step]);
                exists[step] = false;
                size[step] = -1;
            }
        }
        for (int i = 0; i < FILES; i++)
            total += exists[i] ? size[i] : 0;
        assert_int_equal(gfs_count_total(count), total);
        gfs_count_free(count);
    }
}

#define COUNT_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        COUNT_TEST(sizes_add_up_and_links_count_once),
        COUNT_TEST(a_change_after_the_visit_is_added),
        COUNT_TEST(a_change_before_the_visit_is_not_counted_twice),
        COUNT_TEST(a_visit_in_the_middle_of_a_change),
        COUNT_TEST(a_new_file_counts_whether_it_is_met_or_not),
        COUNT_TEST(a_removed_file_counts_nothing),
        COUNT_TEST(a_file_changed_and_removed_counts_nothing),
        COUNT_TEST(a_change_that_began_before_the_count),
        COUNT_TEST(a_file_that_gets_a_name_counts_once),
        COUNT_TEST(many_files),
        COUNT_TEST(any_history_ends_with_the_present_sizes),
    };
    return cmocka_run_group_tests_name("fs_count", tests, NULL, NULL);
}
