#include "fs/serve.h"

enum {
    FIRST_NS = 20000,
    CLOSE_NS = 400000, /* waking up included: requests that follow each other closely */
    FIRST_REST = 8,
    LONGEST_REST = 1024,
};

void gfs_poll_window_hit(struct gfs_poll_window *window) {
    window->rest = FIRST_REST;
}

static void rest(struct gfs_poll_window *window) {
    window->length_ns = 0;
    window->resting = window->rest > FIRST_REST ? window->rest : FIRST_REST;
    window->rest = window->resting < LONGEST_REST ? window->resting * 2 : LONGEST_REST;
}

void gfs_poll_window_disturbed(struct gfs_poll_window *window) {
    rest(window);
}

void gfs_poll_window_missed(struct gfs_poll_window *window, int64_t waited_ns) {
    if (waited_ns > CLOSE_NS) {
        window->length_ns /= 2;
        if (window->length_ns < FIRST_NS)
            window->length_ns = 0;
    } else if (window->resting) {
        window->resting--;
    } else if (window->length_ns >= GFS_POLL_MOST_NS) {
        rest(window);
    } else {
        window->length_ns = window->length_ns ? window->length_ns * 2 : FIRST_NS;
        if (window->length_ns > GFS_POLL_MOST_NS)
            window->length_ns = GFS_POLL_MOST_NS;
    }
}
