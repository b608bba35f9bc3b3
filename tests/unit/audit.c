/* The audit log: no name can forge a line, every byte comes back, rotation and crashes lose no whole line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guildfs/audit.h"

static char line[GFS_AUDIT_LINE_SIZE];

/* ---- a folder of one's own ---- */

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

static void path_in(const char *folder, const char *name, char path[static PATH_MAX]) {
    snprintf(path, PATH_MAX, "%s/audit/%s", folder, name);
}

static void write_raw(const char *folder, const char *name, const char *text) {
    char path[PATH_MAX];
    path_in(folder, name, path);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* ---- lines ---- */

static json_t *encoded(const struct gfs_audit_event *event) {
    size_t length = gfs_audit_encode(event, line, sizeof line);
    assert_true(length > 2);
    /* One line, and nothing in it that a terminal or an editor would act on. */
    for (size_t i = 0; i < length - 1; i++)
        assert_true((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
    assert_int_equal(line[length - 1], '\n');
    assert_null(memmem(line, length, "\xc2\x9b", 2)); /* CSI of eight bits */
    json_error_t why;
    json_t *record = json_loadb(line, length - 1, JSON_REJECT_DUPLICATES, &why);
    if (!record)
        fail_msg("%s: %.*s", why.text, (int)length, line);
    return record;
}

static void assert_comes_back(const char *path) {
    const struct gfs_audit_event event = {.operation = "unlink", .path = path, .new_path = path, .user = "alice"};
    json_t *record = encoded(&event);
    char *first = gfs_audit_bytes(record, "path"), *second = gfs_audit_bytes(record, "new_path");

    assert_string_equal(first, path);
    assert_string_equal(second, path);
    assert_string_equal(json_string_value(json_object_get(record, "user")), "alice");
    assert_string_equal(json_string_value(json_object_get(record, "event")), "access");
    free(first);
    free(second);
    json_decref(record);
}

static void names_come_back(void **state) {
    static const char *const names[] = {
        "plain",
        "",
        ".",
        "a\"b",
        "a\\b",
        "a\\",
        "x\n{\"event\":\"access\"}",
        "\",\"user\":\"root\",\"x\":\"",
        "\r",
        "\t\b\f",
        "\x1b[2J\x1b]0;title\x07",
        "\x7f",
        "\xc2\x9b"
        "2J",
        "\xff\xfe",
        "a\xffz",
        "\xc3\xa4\xc3\xb6",
        "\xc0\xaf",
        "\xe2\x80\xa8\xe2\x80\xa9",
        "\xe2\x80\xae"
        "gpj.exe",
        "\xef\xbb\xbf",
        "\xed\xa0\x80",
        "\xed\xb2\x80",
        "\xf0\x9f\x98\x80",
        "\xf4\x90\x80\x80",
        "\xf0\x80\x80\xaf",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xef\xbf\xbd",
        "\xef\xbf\xbe",
        "\\u0000",
        "\x01\x02\x1f",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_comes_back(names[i]);
}

/* Random bytes, more often those that have a meaning somewhere. */
static void any_name_comes_back(void **state) {
    static const char likely[] = "\"\\\n{}:,\x1b\xc2\x9b\xe2\x80\xae\xf0\x9f\xff";
    uint64_t generator = 20261125;
    char name[64];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t length = 0;
        for (; length < sizeof name - 1; length++) {
            generator = generator * 6364136223846793005u + 1442695040888963407u;
            unsigned value = (unsigned)(generator >> 40);
            if (value % 23 == 0)
                break;
            name[length] = value & 0x10000 ? likely[value % (sizeof likely - 1)] : (char)(value % 255 + 1);
        }
        name[length] = '\0';
        assert_comes_back(name);
    }
}

/* jq and others see the members; only what is no UTF-8 has the exact bytes beside it. */
static void exact_bytes_only_where_needed(void **state) {
    (void)state;
    json_t *record = encoded(&(struct gfs_audit_event){.path = "\xc3\xa4", .process = "\xff"});
    assert_string_equal(json_string_value(json_object_get(record, "path")), "\xc3\xa4");
    assert_null(json_object_get(record, "path_base64"));
    assert_string_equal(json_string_value(json_object_get(record, "process")), "\xef\xbf\xbd");
    assert_string_equal(json_string_value(json_object_get(record, "process_base64")), "/w==");
    assert_true(json_is_null(json_object_get(record, "user")));
    json_decref(record);
}

static void the_longest_event_fits(void **state) {
    static char path[PATH_MAX];
    struct gfs_source sources[16];

    (void)state;
    memset(path, '\xff', sizeof path - 1);
    assert_comes_back(path);
    memset(path, '\n', sizeof path - 1);
    assert_comes_back(path);
    for (size_t i = 0; i < 16; i++)
        sources[i] = (struct gfs_source){.perms = GFS_ALL_PERMS, .via = path + PATH_MAX - 128};
    json_t *record = encoded(&(struct gfs_audit_event){
        .path = path, .new_path = path, .mount = path + PATH_MAX / 2, .sources = sources, .source_count = 16});
    json_decref(record);
    assert_int_equal(gfs_audit_encode(&(struct gfs_audit_event){.path = path}, line, 1000), 0);
}

static void members(void **state) {
    const struct gfs_source source = {.perms = GFS_VIEW | GFS_UPLOAD, .via = "group lab"};
    const struct gfs_audit_event event = {.time_ns = 1774958400123456789,
                                          .generation = 7,
                                          .operation = "unlink",
                                          .error = EACCES,
                                          .reason = GFS_REASON_MISSING,
                                          .pid = 77,
                                          .uid = 60001,
                                          .needed = GFS_DELETE,
                                          .missing = GFS_DELETE,
                                          .sources = &source,
                                          .source_count = 1,
                                          .handle = true,
                                          .inode = UINT64_C(1) << 62};
    static const char wanted[] =
        "{\"time\":\"2026-03-31T12:00:00.123456789Z\",\"event\":\"access\",\"outcome\":\"denied\",\"error\":\"EACCES\","
        "\"reason\":\"missing\",\"operation\":\"unlink\",\"user\":null,\"user_uuid\":null,\"uid\":60001,\"pid\":77,"
        "\"process\":null,\"share\":null,\"share_uuid\":null,\"path\":null,\"inode\":4611686018427387904,\"handle\":"
        "true,"
        "\"needed\":[\"delete\"],\"missing\":[\"delete\"],"
        "\"authorizations\":[{\"via\":\"group "
        "lab\",\"perms\":[\"view\",\"upload\"]}],\"generation\":7,\"mount\":null}\n";
    char again[2048];

    (void)state;
    size_t length = gfs_audit_encode(&event, line, sizeof line);
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(line, wanted, length);
    size_t longer = gfs_audit_encode_repeated(line, length, 41, event.time_ns + 5, again, sizeof again);
    json_t *record = json_loadb(again, longer, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_integer_value(json_object_get(record, "repeated")), 41);
    assert_string_equal(json_string_value(json_object_get(record, "until")), "2026-03-31T12:00:00.123456794Z");
    assert_string_equal(json_string_value(json_object_get(record, "operation")), "unlink");
    json_decref(record);
    assert_int_equal(gfs_audit_encode_repeated(line, length, 41, 0, again, length), 0);
}

static void times(void **state) {
    static const int64_t moments[] = {0, 1, 999999999, 1774958400123456789, 9189072000000000001};
    static const char *const bad[] = {"", "2026", "2026-03-31T12:00:00Z", "2026-03-31T12:00:00.123456789",
                                      "+026-03-31T12:00:00.123456789Z"};
    char text[GFS_AUDIT_TIME_SIZE];
    int64_t back = 5;

    (void)state;
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        gfs_audit_time_format(moments[i], text);
        assert_int_equal(gfs_audit_time_parse(text, &back), 0);
        assert_int_equal(back, moments[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(gfs_audit_time_parse(bad[i], &back), -EINVAL);
}

/* ---- files ---- */

struct seen {
    uint64_t count, sum, last;
    bool ordered;
};

static int see(void *context, const json_t *record, int64_t time_ns) {
    struct seen *seen = context;
    uint64_t number = (uint64_t)json_integer_value(json_object_get(record, "generation"));

    (void)time_ns;
    seen->count++;
    seen->sum += number;
    seen->ordered = seen->ordered && number > seen->last;
    seen->last = number;
    return 0;
}

static struct seen read_all(const char *folder, uint64_t *damaged) {
    struct seen seen = {.ordered = true};
    struct gfs_audit_reading reading = {.until_ns = INT64_MAX, .each = see, .context = &seen};

    assert_int_equal(gfs_audit_read(folder, &reading, NULL), 0);
    *damaged = reading.damaged;
    return seen;
}

static struct gfs_audit_file *opened(const char *folder, int64_t limit, unsigned keep) {
    struct gfs_audit_file *file = NULL;
    struct gfs_error err;
    if (gfs_audit_file_open(folder, limit, keep, &file, &err))
        fail_msg("%s", err.message);
    return file;
}

/* Lines with the numbers from..to as generation, all in one append. */
static int append(struct gfs_audit_file *file, uint64_t from, uint64_t to, size_t *written) {
    char *lines = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&lines, &size);
    for (uint64_t i = from; i <= to; i++) {
        size_t length = gfs_audit_encode(&(struct gfs_audit_event){.generation = i, .path = "x"}, line, sizeof line);
        fwrite(line, 1, length, stream);
    }
    fclose(stream);
    int rc = gfs_audit_file_append(file, lines, size, written);
    free(lines);
    return rc;
}

static off_t size_of(const char *folder, const char *name) {
    char path[PATH_MAX];
    struct stat st;
    path_in(folder, name, path);
    return stat(path, &st) ? -1 : st.st_size;
}

static void only_root_reads_it(void **state) {
    char path[PATH_MAX];
    struct stat st;
    struct gfs_audit_file *file = opened(*state, 1 << 20, 3);

    path_in(*state, "files-0.jsonl", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    path_in(*state, "", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
    gfs_audit_file_close(file);
}

/* In batches of any size: every line is in one file, no file but one of a single line is too large. */
static void rotation_loses_nothing(void **state) {
    struct gfs_audit_file *file = opened(*state, 10000, 400);
    uint64_t next = 1, damaged = 0;
    size_t written = 0;

    for (uint64_t batch = 1; batch <= 100; batch += 7) {
        assert_int_equal(append(file, next, next + batch - 1, &written), 0);
        next += batch;
    }
    gfs_audit_file_close(file);
    file = opened(*state, 10000, 400); /* goes on where it was */
    assert_int_equal(append(file, next, next + 99, &written), 0);
    gfs_audit_file_close(file);
    assert_true(size_of(*state, "files-0.000001.jsonl") > 5000);
    for (unsigned i = 1; i < 20; i++) {
        char name[64];
        snprintf(name, sizeof name, "files-0.%06u.jsonl", i);
        assert_true(size_of(*state, name) <= 10000);
    }
    struct seen seen = read_all(*state, &damaged);
    assert_int_equal(damaged, 0);
    assert_int_equal(seen.last, next + 99);
    assert_int_equal(seen.count, seen.last);
    assert_true(seen.ordered);
}

struct appender {
    const char *folder;
    _Atomic bool ended;
};

static void *append_many(void *context) {
    struct appender *appender = context;
    struct gfs_audit_file *file = opened(appender->folder, 2000, 400);
    char text[1024];
    size_t written;

    for (uint64_t i = 1; i <= 1500; i++) {
        size_t length = gfs_audit_encode(&(struct gfs_audit_event){.generation = i, .path = "x"}, text, sizeof text);
        assert_int_equal(gfs_audit_file_append(file, text, length, &written), 0);
    }
    gfs_audit_file_close(file);
    atomic_store(&appender->ended, true);
    return NULL;
}

/* Whoever reads meanwhile sees the first lines up to some one, without a gap. */
static void reading_while_it_rotates(void **state) {
    struct appender appender = {.folder = *state};
    pthread_t thread;
    uint64_t damaged;
    bool last = false;

    assert_int_equal(pthread_create(&thread, NULL, append_many, &appender), 0);
    do {
        last = atomic_load(&appender.ended);
        struct seen seen = read_all(*state, &damaged);
        assert_true(seen.ordered);
        assert_int_equal(seen.count, seen.last);
        assert_in_range(damaged, 0, 1); /* what is just being written */
    } while (!last);
    pthread_join(thread, NULL);
    assert_int_equal(read_all(*state, &damaged).last, 1500);
}

static void the_oldest_go(void **state) {
    struct gfs_audit_file *file = opened(*state, 1000, 2);
    size_t written = 0;
    uint64_t damaged = 0;

    for (uint64_t i = 1; i <= 50; i++)
        assert_int_equal(append(file, i, i, &written), 0);
    gfs_audit_file_close(file);
    unsigned files = 0;
    for (unsigned i = 1; i <= 50; i++) {
        char name[64];
        snprintf(name, sizeof name, "files-0.%06u.jsonl", i);
        files += size_of(*state, name) >= 0;
    }
    assert_int_equal(files, 2);
    struct seen seen = read_all(*state, &damaged);
    assert_int_equal(seen.last, 50);
    assert_in_range(seen.count, 3, 15);
    assert_int_equal(seen.sum, (50 + 50 - seen.count + 1) * seen.count / 2); /* the last ones, without a gap */
}

/* Two daemons: two files; the lock goes with the process that holds it, so its file is used again. */
static void one_writer_for_a_file(void **state) {
    struct gfs_audit_file *one = opened(*state, 1 << 20, 2), *other = opened(*state, 1 << 20, 2);
    size_t written = 0;
    uint64_t damaged = 0;

    assert_int_equal(append(one, 1, 5, &written), 0);
    assert_int_equal(append(other, 6, 9, &written), 0);
    assert_true(size_of(*state, "files-1.jsonl") > 0);
    gfs_audit_file_close(one);
    one = opened(*state, 1 << 20, 2);
    assert_int_equal(append(one, 10, 10, &written), 0);
    assert_int_equal(size_of(*state, "files-2.jsonl"), -1);
    gfs_audit_file_close(one);
    gfs_audit_file_close(other);
    assert_int_equal(read_all(*state, &damaged).sum, 55);
}

/* What a crash left is no record, and swallows none. */
static void half_a_line(void **state) {
    struct gfs_audit_file *file = opened(*state, 1 << 20, 2);
    size_t written = 0;
    uint64_t damaged = 0;

    assert_int_equal(append(file, 1, 3, &written), 0);
    gfs_audit_file_close(file);
    write_raw(*state, "files-0.jsonl", "{\"time\":\"2026-03-31T12:00:00.12");
    assert_int_equal(read_all(*state, &damaged).sum, 6);
    assert_int_equal(damaged, 1);
    file = opened(*state, 1 << 20, 2);
    assert_int_equal(append(file, 4, 4, &written), 0);
    gfs_audit_file_close(file);
    assert_int_equal(read_all(*state, &damaged).sum, 10);
    assert_int_equal(damaged, 1);
}

static void other_things_are_no_records(void **state) {
    uint64_t damaged = 0;

    gfs_audit_file_close(opened(*state, 1 << 20, 2));
    write_raw(*state, "files-0.jsonl",
              "[]\n\nnull\n{\"time\":5}\n{\"time\":\"2026-03-31T12:00:00.123456789Z\",\"time\":1}\n");
    write_raw(*state, "files-x.jsonl", "no log\n");
    write_raw(*state, "files-00.jsonl", "no log\n");
    write_raw(*state, "files-0.1.jsonl", "no log\n");
    assert_int_equal(read_all(*state, &damaged).count, 0);
    assert_int_equal(damaged, 5);
}

/* A full disk, played by a limit of the file's size: whole lines or nothing, and it goes on later. */
static void a_full_disk(void **state) {
    struct gfs_audit_file *file = opened(*state, 1 << 20, 2);
    struct rlimit before, small = {.rlim_cur = 2000};
    size_t written = 0, more = 0;
    uint64_t damaged = 0;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = append(file, 1, 50, &written);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, -EFBIG);
    assert_in_range(written, 1000, 2000);
    assert_int_equal(size_of(*state, "files-0.jsonl"), written);
    struct seen seen = read_all(*state, &damaged);
    assert_int_equal(damaged, 0);
    assert_in_range(seen.count, 3, 49);
    assert_int_equal(append(file, seen.last + 1, 50, &more), 0);
    gfs_audit_file_close(file);
    assert_int_equal(read_all(*state, &damaged).sum, 50 * 51 / 2);
    assert_int_equal(damaged, 0);
}

static void a_file_that_was_removed(void **state) {
    struct gfs_audit_file *file = opened(*state, 1 << 20, 2);
    char path[PATH_MAX];
    size_t written = 0;
    uint64_t damaged = 0;

    path_in(*state, "files-0.jsonl", path);
    assert_int_equal(append(file, 1, 1, &written), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(gfs_audit_file_sync(file), 0);
    assert_int_equal(append(file, 2, 2, &written), 0);
    gfs_audit_file_close(file);
    assert_int_equal(read_all(*state, &damaged).sum, 2);
}

static void no_file_in_its_place(void **state) {
    struct gfs_audit_file *file = NULL;
    struct gfs_error err;
    char path[PATH_MAX];

    gfs_audit_file_close(opened(*state, 1 << 20, 2));
    path_in(*state, "files-0.jsonl", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(gfs_audit_file_open(*state, 1 << 20, 2, &file, &err), -EINVAL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(gfs_audit_file_open(*state, 1 << 20, 2, &file, &err), -ELOOP);
    assert_non_null(strstr(err.message, "audit"));
}

static void from_when_to_when(void **state) {
    struct gfs_audit_file *file = opened(*state, 1 << 20, 2);
    size_t written;

    for (int64_t i = 1; i <= 9; i++) {
        size_t length =
            gfs_audit_encode(&(struct gfs_audit_event){.time_ns = i, .generation = (uint64_t)i}, line, sizeof line);
        assert_int_equal(gfs_audit_file_append(file, line, length, &written), 0);
    }
    gfs_audit_file_close(file);
    struct seen seen = {0};
    struct gfs_audit_reading reading = {.since_ns = 3, .until_ns = 5, .each = see, .context = &seen};
    assert_int_equal(gfs_audit_read(*state, &reading, NULL), 0);
    assert_int_equal(seen.sum, 3 + 4 + 5);
}

static void no_log_has_no_records(void **state) {
    uint64_t damaged = 0;
    assert_int_equal(read_all(*state, &damaged).count, 0);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_back),
        cmocka_unit_test(any_name_comes_back),
        cmocka_unit_test(exact_bytes_only_where_needed),
        cmocka_unit_test(the_longest_event_fits),
        cmocka_unit_test(members),
        cmocka_unit_test(times),
        ON_DISK(only_root_reads_it),
        ON_DISK(rotation_loses_nothing),
        ON_DISK(reading_while_it_rotates),
        ON_DISK(the_oldest_go),
        ON_DISK(one_writer_for_a_file),
        ON_DISK(half_a_line),
        ON_DISK(other_things_are_no_records),
        ON_DISK(a_full_disk),
        ON_DISK(a_file_that_was_removed),
        ON_DISK(no_file_in_its_place),
        ON_DISK(from_when_to_when),
        ON_DISK(no_log_has_no_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
