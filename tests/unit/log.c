#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "guildfs/log.h"

/* Standard error goes into a file while a test runs. */
struct capture {
    int saved, file;
};

static void begin(struct capture *capture) {
    capture->saved = dup(STDERR_FILENO);
    capture->file = memfd_create("log", MFD_CLOEXEC);
    assert_true(capture->saved >= 0 && capture->file >= 0);
    /* As logs are opened: every write at the end. */
    assert_int_equal(fcntl(capture->file, F_SETFL, O_APPEND), 0);
    assert_true(dup2(capture->file, STDERR_FILENO) >= 0);
}

/* What was written. The caller frees it. */
static char *end(struct capture *capture) {
    off_t size = lseek(capture->file, 0, SEEK_END);
    char *text = calloc((size_t)size + 1, 1);

    dup2(capture->saved, STDERR_FILENO);
    close(capture->saved);
    assert_non_null(text);
    assert_int_equal(pread(capture->file, text, (size_t)size, 0), size);
    close(capture->file);
    return text;
}

#define assert_log(expected, ...)                                                                                      \
    do {                                                                                                               \
        struct capture capture_;                                                                                       \
        begin(&capture_);                                                                                              \
        gfs_log(GFS_LOG_NOTICE, __VA_ARGS__);                                                                          \
        char *text_ = end(&capture_);                                                                                  \
        assert_string_equal(text_, expected);                                                                          \
        free(text_);                                                                                                   \
    } while (0)

static void a_line_has_priority_event_and_pairs(void **state) {
    (void)state;
    assert_log("<5>event=mounted mountpoint=\"/mnt/guild\" views=3\n", "mounted", "mountpoint=%s views=%d",
               "/mnt/guild", 3);
    assert_log("<5>event=started pid=1 done=yes\n", "started", "pid=%d done=yes", 1);
}

static void a_name_cannot_forge_a_line(void **state) {
    (void)state;
    assert_log("<5>event=denied name=\"x\\n<3>event=granted user=\\\"root\\\"\" op=\"unlink\"\n", "denied",
               "name=%s op=%s", "x\n<3>event=granted user=\"root\"", "unlink");
    assert_log("<5>event=e a=\"\\\\\\\" b=\\\"\" c=\"\"\n", "e", "a=%s c=%s", "\\\" b=\"", "");
    assert_log("<5>event=e a=\"\\x1b[2J\\x0d\\t\\xc2\\x85\\x7f\"\n", "e", "a=%s", "\x1b[2J\r\t\xc2\x85\x7f");
}

static const char *volatile no_name; /* the compiler must not see that it is NULL */

static void every_length_is_understood(void **state) {
    (void)state;
    assert_log("<5>event=e a=-1 b=4294967295 c=-5000000000 d=18446744073709551615 e=-7 f=9\n", "e",
               "a=%d b=%u c=%ld d=%" PRIu64 " e=%zd f=%zu", -1, UINT32_MAX, -5000000000L, UINT64_MAX, (ssize_t)-7,
               (size_t)9);
    assert_log("<5>event=e a=ff b=0644 c=007 d=   7 e=255 f=65535\n", "e", "a=%x b=%04o c=%03d d=%4d e=%hhu f=%hu",
               255u, 0644u, 7, 7, (unsigned char)255, (unsigned short)65535);
    assert_log("<5>event=e t=-9223372036854775808 u=1 v=\"abc\" w=\"x\" p=100%\n", "e",
               "t=%" PRId64 " u=%i v=%.*s w=%c p=100%%", INT64_MIN, 1, 3, "abcdef", 'x');
    assert_log("<5>event=e a=\"(null)\" b=2\n", "e", "a=%s b=%d", no_name, 2);
}

static void a_precision_bounds_what_is_read(void **state) {
    const char unterminated[3] = {'a', 'b', 'c'};

    (void)state;
    assert_log("<5>event=e a=\"abc\" b=1\n", "e", "a=%.*s b=%d", 3, unterminated, 1);
}

static void a_long_line_is_cut_whole(void **state) {
    char name[5000];
    struct capture capture;

    (void)state;
    memset(name, '\n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    begin(&capture);
    gfs_log(GFS_LOG_ERROR, "long", "name=%s after=%d", name, 1);
    gfs_log(GFS_LOG_ERROR, "next", "n=%d", 2);
    char *text = end(&capture);
    char *newline = strchr(text, '\n');

    assert_non_null(newline);
    assert_true(newline - text < 2048);
    assert_true(newline - text > 2000);
    /* The value ends in its quote, and no escape is cut in two. */
    assert_memory_equal(newline - 3, "\\n\"", 3);
    assert_string_equal(newline + 1, "<3>event=next n=2\n");
    free(text);
}

static void levels_are_kept(void **state) {
    struct capture capture;

    (void)state;
    assert_int_equal(gfs_log_level(), GFS_LOG_NOTICE);
    begin(&capture);
    gfs_log(GFS_LOG_INFO, "quiet", "n=%d", 1);
    gfs_log(GFS_LOG_DEBUG, "quiet", "n=%d", 1);
    gfs_log_set_level(GFS_LOG_INFO);
    gfs_log(GFS_LOG_INFO, "heard", "n=%d", 2);
    gfs_log(GFS_LOG_DEBUG, "quiet", "n=%d", 1);
    gfs_log_set_level(GFS_LOG_ERROR);
    gfs_log(GFS_LOG_WARNING, "quiet", "n=%d", 1);
    gfs_log(GFS_LOG_ERROR, "heard", "n=%d", 3);
    gfs_log_set_level(GFS_LOG_NOTICE);
    char *text = end(&capture);
    assert_string_equal(text, "<6>event=heard n=2\n<3>event=heard n=3\n");
    free(text);
}

enum { THREADS = 4, LINES = 500 };

static void *write_lines(void *argument) {
    for (int i = 0; i < LINES; i++)
        gfs_log(GFS_LOG_NOTICE, "many", "thread=%s line=%d", (const char *)argument, i);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state) {
    static char names[THREADS][2] = {"a", "b", "c", "d"};
    pthread_t threads[THREADS];
    struct capture capture;
    int lines = 0;

    (void)state;
    begin(&capture);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char *text = end(&capture);
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        char thread;
        int number, length = 0;
        assert_int_equal(sscanf(line, "<5>event=many thread=\"%c\" line=%d%n", &thread, &number, &length), 2);
        assert_int_equal(length, strlen(line));
    }
    assert_int_equal(lines, THREADS * LINES);
    free(text);
}

static void a_closed_standard_error_is_no_failure(void **state) {
    struct capture capture;

    (void)state;
    begin(&capture);
    close(STDERR_FILENO);
    gfs_log(GFS_LOG_ERROR, "lost", "n=%d", 1);
    char *text = end(&capture);
    assert_string_equal(text, "");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_priority_event_and_pairs),
        cmocka_unit_test(a_name_cannot_forge_a_line),
        cmocka_unit_test(every_length_is_understood),
        cmocka_unit_test(a_precision_bounds_what_is_read),
        cmocka_unit_test(a_long_line_is_cut_whole),
        cmocka_unit_test(levels_are_kept),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(a_closed_standard_error_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
