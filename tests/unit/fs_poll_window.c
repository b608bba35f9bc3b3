/* For how long to look for a request before sleeping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fs/serve.h"

enum { CLOSE_NS = 50000, FAR_NS = 10000000 };

static void miss(struct gfs_poll_window *window, int64_t waited_ns, int times) {
    for (int i = 0; i < times; i++)
        gfs_poll_window_missed(window, waited_ns);
}

static void rare_requests_are_slept_for(void **state) {
    struct gfs_poll_window window = {0};

    (void)state;
    miss(&window, FAR_NS, 100);
    assert_int_equal(window.length_ns, 0);
}

static void it_grows_while_requests_follow_closely(void **state) {
    struct gfs_poll_window window = {0};

    (void)state;
    miss(&window, CLOSE_NS, 1);
    int64_t first_ns = window.length_ns;
    assert_true(first_ns > 0);
    miss(&window, CLOSE_NS, 1);
    assert_true(window.length_ns > first_ns);
    for (int i = 0; i < 1000; i++)
        gfs_poll_window_hit(&window);
    assert_true(window.length_ns > 0 && window.length_ns <= GFS_POLL_MOST_NS);
}

static void it_shrinks_when_they_stop(void **state) {
    struct gfs_poll_window window = {0};

    (void)state;
    miss(&window, CLOSE_NS, 2);
    assert_true(window.length_ns > 0);
    miss(&window, FAR_NS, 10);
    assert_int_equal(window.length_ns, 0);
}

/* Requests that come just after the longest look, for ever: little is spent on looking. */
static void looking_in_vain_ends(void **state) {
    struct gfs_poll_window window = {0};
    int64_t spent_ns = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        spent_ns += window.length_ns;
        gfs_poll_window_missed(&window, GFS_POLL_MOST_NS + CLOSE_NS);
    }
    assert_true(spent_ns / 10000 < GFS_POLL_MOST_NS / 50);
}

static void it_comes_back_after_a_rest(void **state) {
    struct gfs_poll_window window = {0};
    int sleeps = 0;

    (void)state;
    miss(&window, CLOSE_NS, 2);
    gfs_poll_window_disturbed(&window);
    assert_int_equal(window.length_ns, 0);
    for (; !window.length_ns && sleeps < 10000; sleeps++)
        gfs_poll_window_missed(&window, CLOSE_NS);
    assert_true(sleeps > 1 && sleeps < 100);
    gfs_poll_window_disturbed(&window);
    miss(&window, CLOSE_NS, sleeps);
    assert_int_equal(window.length_ns, 0); /* the next rest is longer */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rare_requests_are_slept_for), cmocka_unit_test(it_grows_while_requests_follow_closely),
        cmocka_unit_test(it_shrinks_when_they_stop),   cmocka_unit_test(looking_in_vain_ends),
        cmocka_unit_test(it_comes_back_after_a_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
