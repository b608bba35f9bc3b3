/* The queue of the audit log: it never waits, counts what it loses, and merges what repeats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/audit_queue.h"
#include "guildfs/audit.h"

enum { SMALL_QUEUE = 8192, THREADS = 4, LINES = 5000 };
#define NOW GFS_NS_PER_S

static int setup(void **state) {
    char *folder = strdup("/tmp/guildfs-audit-XXXXXX");
    if (!folder || !mkdtemp(folder))
        return -1;
    *state = folder;
    return 0;
}

static int teardown(void **state) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", (char *)*state);
    free(*state);
    return system(command);
}

static struct gfs_audit *make(const char *folder, size_t queue_bytes) {
    struct gfs_audit *audit = NULL;
    const struct gfs_audit_options options = {
        .store = folder, .mount = "/mnt", .limit_bytes = 1 << 20, .keep = 50, .queue_bytes = queue_bytes};
    assert_int_equal(gfs_audit_new(&options, &audit), 0);
    return audit;
}

static size_t make_line(const char *user, char *line, size_t size) {
    return gfs_audit_encode(&(struct gfs_audit_event){.time_ns = NOW, .error = 13, .user = user}, line, size);
}

/* ---- what the log says ---- */

struct totals {
    uint64_t access, events, lost, lost_records, starts, stops, floods;
};

static int add_up(void *context, const json_t *record, int64_t time_ns) {
    struct totals *totals = context;
    const char *event = json_string_value(json_object_get(record, "event"));

    (void)time_ns;
    if (strcmp(event, "access") == 0) {
        const json_t *repeated = json_object_get(record, "repeated");
        totals->access++;
        totals->events += repeated ? (uint64_t)json_integer_value(repeated) : 1;
        totals->floods += json_is_true(json_object_get(record, "flood"));
    }
    totals->lost += (uint64_t)json_integer_value(json_object_get(record, "lost"));
    totals->lost_records += strcmp(event, "lost") == 0;
    totals->starts += strcmp(event, "start") == 0;
    totals->stops += strcmp(event, "stop") == 0;
    return 0;
}

static struct totals read_log(const char *folder) {
    struct totals totals = {0};
    struct gfs_audit_reading reading = {.until_ns = INT64_MAX, .each = add_up, .context = &totals};
    assert_int_equal(gfs_audit_read(folder, &reading, NULL), 0);
    assert_int_equal(reading.damaged, 0);
    return totals;
}

static struct totals finish(struct gfs_audit *audit, const char *folder) {
    assert_int_equal(gfs_audit_start(audit), 0);
    gfs_audit_stop(audit);
    gfs_audit_free(audit);
    return read_log(folder);
}

/* ---- losing ---- */

/* Without a writer: as if the disk hung. */
static void a_full_queue_loses_and_counts(void **state) {
    struct gfs_audit *audit = make(*state, SMALL_QUEUE);
    struct gfs_audit_status status;
    char line[1024];
    uint64_t taken = 0;
    size_t length = make_line("alice", line, sizeof line);

    for (int i = 0; i < 1000; i++)
        taken += gfs_audit_push(audit, line, length);
    gfs_audit_status(audit, &status);
    assert_int_equal(taken, SMALL_QUEUE / length);
    assert_int_equal(status.lost, 1000 - taken);
    struct totals totals = finish(audit, *state);
    assert_int_equal(totals.access, taken);
    assert_int_equal(totals.lost, 1000 - taken);
    assert_int_equal(totals.lost_records, 1);
    assert_int_equal(totals.starts, 1);
    assert_int_equal(totals.stops, 1);
}

static void what_could_not_be_made_is_lost(void **state) {
    struct gfs_audit *audit = make(*state, 0);
    assert_false(gfs_audit_push(audit, "", 0));
    assert_int_equal(finish(audit, *state).lost, 1);
}

struct pusher {
    struct gfs_audit *audit;
    uint64_t taken;
};

static void *push_many(void *context) {
    struct pusher *pusher = context;
    char line[1024];
    size_t length = make_line("alice", line, sizeof line);
    for (int i = 0; i < LINES; i++)
        pusher->taken += gfs_audit_push(pusher->audit, line, length);
    return NULL;
}

static void many_threads(void **state) {
    struct gfs_audit *audit = make(*state, 1 << 20);
    struct gfs_audit_status status;
    struct pusher pushers[THREADS];
    pthread_t threads[THREADS];
    uint64_t taken = 0;

    assert_int_equal(gfs_audit_start(audit), 0);
    for (int i = 0; i < THREADS; i++) {
        pushers[i] = (struct pusher){.audit = audit};
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, &pushers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        taken += pushers[i].taken;
    }
    gfs_audit_stop(audit);
    gfs_audit_status(audit, &status);
    gfs_audit_free(audit);
    struct totals totals = read_log(*state);
    assert_int_equal(totals.access, taken);
    assert_int_equal(totals.access + totals.lost, THREADS * LINES);
    assert_int_equal(status.written, taken);
    assert_int_equal(status.lost, totals.lost);
}

static void a_log_that_cannot_be_opened(void **state) {
    struct gfs_audit *audit = make("/nonexistent", 0);
    struct gfs_audit_status status;
    char line[1024];

    (void)state;
    assert_true(gfs_audit_push(audit, line, make_line("alice", line, sizeof line)));
    assert_int_equal(gfs_audit_start(audit), 0);
    gfs_audit_stop(audit);
    gfs_audit_status(audit, &status);
    assert_non_null(strstr(status.problem, "No such file"));
    assert_int_equal(status.written, 0);
    gfs_audit_free(audit);
}

/* ---- repetitions ---- */

static void deny(struct gfs_audit *audit, struct gfs_audit_key key, int64_t now_ns) {
    char line[1024];
    enum gfs_audit_merged merged = gfs_audit_merge(audit, &key, now_ns);
    const struct gfs_audit_event event = {.time_ns = now_ns, .error = 13, .flood = merged == GFS_AUDIT_FLOOD};
    if (merged != GFS_AUDIT_COUNTED)
        gfs_audit_push_denial(audit, &key, now_ns, line, gfs_audit_encode(&event, line, sizeof line));
}

static void equal_denials_are_counted(void **state) {
    struct gfs_audit *audit = make(*state, 0);
    for (int64_t i = 0; i < 1000; i++)
        deny(audit, (struct gfs_audit_key){.view = 1, .pid = 5, .name = "x"}, NOW + i);
    struct totals totals = finish(audit, *state);
    assert_int_equal(totals.events, 1000);
    assert_int_equal(totals.access, 2);
}

/* Each member makes another denial of it. */
static void different_denials_are_not(void **state) {
    struct gfs_audit *audit = make(*state, 0);
    static const struct gfs_audit_key keys[] = {
        {.view = 1},
        {.view = 1, .device = 1},
        {.view = 1, .inode = 1},
        {.view = 1, .folder = 1},
        {.view = 1, .pid = 1},
        {.view = 1, .operation = 1},
        {.view = 1, .error = 1},
        {.view = 1, .name = "x"},
        {.view = 1, .new_name = "x"},
        {.view = 2},
    };
    enum { KEYS = sizeof keys / sizeof keys[0] };
    for (size_t i = 0; i < KEYS; i++)
        deny(audit, keys[i], NOW);
    struct totals totals = finish(audit, *state);
    assert_int_equal(totals.access, KEYS);
    assert_int_equal(totals.floods, 0);
}

static void a_second_later_it_is_news(void **state) {
    struct gfs_audit *audit = make(*state, 0);
    for (int64_t i = 0; i < 30; i++)
        deny(audit, (struct gfs_audit_key){.view = 1}, NOW + i * GFS_NS_PER_S / 10);
    struct totals totals = finish(audit, *state);
    assert_int_equal(totals.events, 30);
    assert_int_equal(totals.access, 6); /* three seconds: the first, and the nine after it */
}

/* Ten thousand different ones of one user do not bury the one of another. */
static void a_flood_is_told_as_one(void **state) {
    struct gfs_audit *audit = make(*state, 0);
    for (int64_t i = 0; i < 10000; i++)
        deny(audit, (struct gfs_audit_key){.view = 1, .inode = (uint64_t)i}, NOW + i);
    deny(audit, (struct gfs_audit_key){.view = 2}, NOW);
    struct totals totals = finish(audit, *state);
    assert_int_equal(totals.events, 10001);
    assert_int_equal(totals.access, 200 + 2 + 1);
    assert_int_equal(totals.floods, 2);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_full_queue_loses_and_counts), TEST(what_could_not_be_made_is_lost), TEST(many_threads),
        TEST(a_log_that_cannot_be_opened),   TEST(equal_denials_are_counted),      TEST(different_denials_are_not),
        TEST(a_second_later_it_is_news),     TEST(a_flood_is_told_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
