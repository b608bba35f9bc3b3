/* The daemon's command line, and that the manual page names the options that there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/capabilities.h"
#include "fs/options.h"
#include "guildfs/clock.h"

enum { MAX_ARGUMENTS = 16 };

/* Splits at blanks, and parses. getopt_long(3) moves the pointers about, not the text. */
static int parse(const char *line, struct gfs_daemon_options *out, struct gfs_error *err) {
    char copy[512], *rest = copy, *argv[MAX_ARGUMENTS + 1];
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    *err = (struct gfs_error){.code = 0};
    while (rest && argc < MAX_ARGUMENTS)
        argv[argc++] = strsep(&rest, " ");
    argv[argc] = NULL;
    return gfs_options_parse(argc, argv, out, err);
}

static struct gfs_daemon_options accepted(const char *line) {
    struct gfs_daemon_options options;
    struct gfs_error err;
    if (parse(line, &options, &err) != 0)
        fail_msg("%s: %s", line, err.message);
    return options;
}

static void assert_refused(const char *line, const char *named) {
    struct gfs_daemon_options options;
    struct gfs_error err;
    if (parse(line, &options, &err) != -EINVAL)
        fail_msg("%s: accepted", line);
    if (!strstr(err.message, named))
        fail_msg("%s: the message does not name %s: %s", line, named, err.message);
    gfs_options_free(&options);
}

static void test_defaults(void **state) {
    (void)state;
    struct gfs_daemon_options options = accepted("guildfsd /store /mnt");
    assert_int_equal(options.action, GFS_OPTIONS_SERVE);
    assert_string_equal(options.mount.store, "/store");
    assert_string_equal(options.mount.mountpoint, "/mnt");
    assert_null(options.mount.user);
    assert_null(options.log_file);
    assert_int_equal(options.mount.uid, GFS_NO_UID);
    assert_int_equal(options.mount.gid, GFS_NO_UID);
    assert_int_equal(options.mount.attr_timeout_ns, GFS_NS_PER_S);
    assert_int_equal(options.mount.entry_timeout_ns, GFS_NS_PER_S);
    assert_int_equal(options.mount.watched_attr_ns, 3600 * GFS_NS_PER_S);
    assert_int_equal(options.mount.watched_file_attr_ns, 60 * GFS_NS_PER_S);
    assert_int_equal(options.mount.watched_entry_ns, 3600 * GFS_NS_PER_S);
    assert_int_equal(options.mount.watch, GFS_WATCH_AUTO);
    assert_int_equal(options.mount.stale_limit_ns, 30 * GFS_NS_PER_S);
    assert_int_equal(options.mount.max_threads, 10);
    assert_int_equal(options.mount.audit_bytes, 64 << 20);
    assert_int_equal(options.mount.audit_keep, 10);
    assert_false(options.io_uring);
    assert_false(options.mount.foreground);
    assert_false(options.mount.debug);
    assert_false(options.mount.read_only);
    gfs_options_free(&options);
}

static void test_every_option(void **state) {
    (void)state;
    struct gfs_daemon_options options =
        accepted("guildfsd -f -o user=alice,uid=0,gid=4294967294,attr_timeout=0.25,entry_timeout=0,stale_limit=86400 "
                 "/store --debug -o max_threads=3,watch=yes,io_uring=auto,log=a\\,b\\\\c /mnt -o ro,noexec,noatime,"
                 "audit_size=2G,audit_keep=500");
    assert_true(options.mount.foreground);
    assert_true(options.mount.debug);
    assert_string_equal(options.mount.user, "alice");
    assert_int_equal(options.mount.uid, 0);
    assert_int_equal(options.mount.gid, 4294967294);
    assert_int_equal(options.mount.attr_timeout_ns, GFS_NS_PER_S / 4);
    assert_int_equal(options.mount.entry_timeout_ns, 0);
    /* what is given is a bound for what is watched, too */
    assert_int_equal(options.mount.watched_attr_ns, GFS_NS_PER_S / 4);
    assert_int_equal(options.mount.watched_file_attr_ns, GFS_NS_PER_S / 4);
    assert_int_equal(options.mount.watched_entry_ns, 0);
    assert_int_equal(options.mount.watch, GFS_WATCH_YES);
    assert_int_equal(options.mount.stale_limit_ns, 86400 * GFS_NS_PER_S);
    assert_int_equal(options.mount.max_threads, 3);
    assert_int_equal(options.mount.audit_bytes, 2LL << 30);
    assert_int_equal(options.mount.audit_keep, 500);
    assert_true(options.io_uring);
    assert_string_equal(options.log_file, "a,b\\c");
    assert_true(options.mount.read_only);
    assert_true(options.no_exec);
    assert_true(options.no_atime);
    assert_string_equal(options.mount.store, "/store");
    assert_string_equal(options.mount.mountpoint, "/mnt");
    gfs_options_free(&options);
}

static void test_last_one_counts(void **state) {
    (void)state;
    struct gfs_daemon_options options =
        accepted("guildfsd s m -o ro,noexec,user=alice,io_uring=auto -o rw,exec,user=bob,io_uring=no");
    assert_false(options.mount.read_only);
    assert_false(options.no_exec);
    assert_false(options.io_uring);
    assert_string_equal(options.mount.user, "bob");
    gfs_options_free(&options);
}

static void test_words_of_fstab(void **state) {
    (void)state;
    struct gfs_daemon_options options = accepted(
        "guildfsd s m -o defaults,rw,user,users,nouser,auto,noauto,nofail,_netdev,comment=a=b,x-systemd.automount,"
        "x-gvfs-name=A,X-mount.mkdir,exec,suid,nosuid,dev,nodev,atime,relatime,async,,");
    assert_null(options.mount.user); /* "user" alone is mount(8)'s word */
    assert_false(options.mount.read_only);
    assert_false(options.no_exec);
    gfs_options_free(&options);
}

static void test_wrong_usage(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"guildfsd", "the store is missing"},
        {"guildfsd s", "directory to mount on is missing"},
        {"guildfsd s m x", "too many: x"},
        {"guildfsd s m -x", "-x"},
        {"guildfsd s m --nonsense", "--nonsense"},
        {"guildfsd s m -o", "-o needs a value"},
        {"guildfsd s m -o bogus", "unknown option bogus"},
        {"guildfsd s m -o ro,bogus=1", "unknown option bogus"},
        {"guildfsd s m -o RO", "unknown option RO"},
        {"guildfsd s m -o usr=alice", "unknown option usr"},
        {"guildfsd s m -o remount,ro", "mount it anew"},
        {"guildfsd s m -o ro=1", "ro takes no value"},
        {"guildfsd s m -o attr_timeout", "attr_timeout=SECONDS"},
        {"guildfsd s m -o user=", "user="},
        {"guildfsd s m -o log=", "log="},
        {"guildfsd s m -o uid=1", "uid= needs user="},
        {"guildfsd s m -o gid=1", "gid= needs user="},
        {"guildfsd s m -o user=a,uid=-1", "uid=-1"},
        {"guildfsd s m -o user=a,uid=+1", "uid=+1"},
        {"guildfsd s m -o user=a,uid=4294967295", "uid=4294967295"},
        {"guildfsd s m -o user=a,uid=99999999999", "uid=99999999999"},
        {"guildfsd s m -o user=a,gid=1x", "gid=1x"},
        {"guildfsd s m -o attr_timeout=-1", "attr_timeout=-1"},
        {"guildfsd s m -o attr_timeout=", "attr_timeout="},
        {"guildfsd s m -o attr_timeout=1.", "attr_timeout=1."},
        {"guildfsd s m -o attr_timeout=.5", "attr_timeout=.5"},
        {"guildfsd s m -o attr_timeout=1e3", "attr_timeout=1e3"},
        {"guildfsd s m -o attr_timeout=nan", "attr_timeout=nan"},
        {"guildfsd s m -o entry_timeout=86401", "entry_timeout=86401"},
        {"guildfsd s m -o watch=on", "watch=on"},
        {"guildfsd s m -o stale_limit=99999999999999999999", "stale_limit="},
        {"guildfsd s m -o max_threads=0", "max_threads=0"},
        {"guildfsd s m -o audit_size=", "audit_size="},
        {"guildfsd s m -o audit_size=64", "audit_size=64"},
        {"guildfsd s m -o audit_size=63K", "audit_size=63K"},
        {"guildfsd s m -o audit_size=64KB", "audit_size=64KB"},
        {"guildfsd s m -o audit_size=1025G", "1025"},
        {"guildfsd s m -o audit_size=-1M", "audit_size=-1M"},
        {"guildfsd s m -o audit_size=99999999999999999999M", "audit_size=9"},
        {"guildfsd s m -o audit_keep=0", "audit_keep=0"},
        {"guildfsd s m -o audit_keep=501", "audit_keep=501"},
        {"guildfsd s m -o max_threads=1025", "max_threads=1025"},
        {"guildfsd s m -o io_uring=yes", "io_uring=yes"},
        {"mount.guildfs s m -o bogus", "unknown option bogus"},
        {"mount.guildfs s m -d", "-d"},
        {"mount.guildfs s m -t ext4", "ext4"},
        {"mount.guildfs s m -N ns", "-N"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i][0], cases[i][1]);
}

static void test_mount_helper(void **state) {
    (void)state;
    assert_true(gfs_options_is_helper("/sbin/mount.guildfs"));
    assert_true(gfs_options_is_helper("mount.fuse.guildfs"));
    assert_false(gfs_options_is_helper("/usr/sbin/guildfsd"));
    assert_false(gfs_options_is_helper("/mount.guildfs/guildfsd"));

    /* as mount(8) calls it */
    struct gfs_daemon_options options =
        accepted("/sbin/mount.guildfs /store /mnt -n -v -o rw,nosuid,user=alice,_netdev,exec,suid,dev -t fuse.guildfs");
    assert_int_equal(options.action, GFS_OPTIONS_SERVE);
    assert_false(options.mount.foreground);
    assert_string_equal(options.mount.user, "alice");
    gfs_options_free(&options);

    options = accepted("mount.guildfs s m -f"); /* "fake", not "foreground" */
    assert_int_equal(options.action, GFS_OPTIONS_CHECK_ONLY);
    assert_false(options.mount.foreground);
    gfs_options_free(&options);

    options = accepted("mount.guildfs s m -o bogus,ro -s"); /* sloppy, wherever it stands */
    assert_true(options.mount.read_only);
    gfs_options_free(&options);
}

static void test_help_and_version_need_no_operands(void **state) {
    (void)state;
    struct gfs_daemon_options options = accepted("guildfsd --help");
    assert_int_equal(options.action, GFS_OPTIONS_HELP);
    gfs_options_free(&options);
    options = accepted("guildfsd -V s");
    assert_int_equal(options.action, GFS_OPTIONS_VERSION);
    gfs_options_free(&options);
}

static void test_help_names_every_option(void **state) {
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    gfs_options_help(stream, false);
    fclose(stream);
    for (const struct gfs_option *option = gfs_option_table; option->name; option++) {
        char wanted[128];
        if (!option->help)
            snprintf(wanted, sizeof wanted, " %s ", option->name);
        else
            snprintf(wanted, sizeof wanted, "\n  %s%s%s ", option->name, option->value ? "=" : "",
                     option->value ? option->value : "");
        if (!strstr(text, wanted))
            fail_msg("--help does not show \"%s\"", wanted);
    }
    free(text);
}

/* ---- the manual page ---- */

static char *read_page(void) {
    static char page[64 * 1024];
    FILE *file = fopen(MANUAL_PAGE, "re");
    assert_non_null(file);
    size_t size = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    page[size] = '\0';
    return page;
}

/* The part between this heading and the next one. */
static char *section(char *page, const char *heading) {
    char line[64];
    snprintf(line, sizeof line, "\n# %s\n", heading);
    char *start = strstr(page, line);
    assert_non_null(start);
    start += strlen(line);
    char *end = strstr(start, "\n# ");
    assert_non_null(end);
    end[1] = '\0';
    return start;
}

/* "*uid=*_N_" for an option that is explained, "*rw*" for a word that is only listed. */
static void write_markup(const struct gfs_option *option, char *out, size_t size) {
    const char *escape = option->name[0] == '_' ? "\\" : ""; /* else it would begin underlined text */
    if (option->value)
        snprintf(out, size, "*%s=*_%s_", option->name, option->value);
    else
        snprintf(out, size, "*%s%s*", escape, option->name);
}

/* Whether the paragraphs of this option, up to the blank line, say "Default VALUE". */
static bool shows_default(const char *option, const char *value) {
    char wanted[64];
    const char *end = strstr(option, "\n\n");
    snprintf(wanted, sizeof wanted, "efault %s", value);
    const char *found = strstr(option, wanted);
    return end && found && found < end;
}

static void test_manual_page_names_every_option(void **state) {
    (void)state;
    const char *options = section(read_page(), "MOUNT OPTIONS");
    for (const struct gfs_option *option = gfs_option_table; option->name; option++) {
        char markup[128];
        write_markup(option, markup, sizeof markup);
        if (!strstr(options, markup))
            fail_msg("the manual page lacks %s", markup);
        if (option->default_value && !shows_default(strstr(options, markup), option->default_value))
            fail_msg("the manual page lacks the default %s of %s", option->default_value, option->name);
    }
}

/* Every paragraph of that section that begins with "*name" must be an option. */
static void test_manual_page_names_nothing_else(void **state) {
    (void)state;
    const char *options = section(read_page(), "MOUNT OPTIONS");
    size_t count = 0;
    for (const char *at = strstr(options, "\n*"); at; at = strstr(at + 1, "\n*")) {
        char name[64];
        bool known = false;
        if (sscanf(at, "\n*%63[a-z_]", name) != 1)
            continue;
        for (const struct gfs_option *option = gfs_option_table; option->name; option++)
            known = known || (option->help && strcmp(option->name, name) == 0);
        if (!known)
            fail_msg("the manual page explains %s, which is no option", name);
        count++;
    }
    assert_true(count > 5);
}

static void test_manual_page_names_the_capabilities(void **state) {
    (void)state;
    const char *text = section(read_page(), "CAPABILITIES");
    for (const struct gfs_capability *kept = gfs_capabilities_kept; kept->name; kept++) {
        char row[64];
        snprintf(row, sizeof row, "\n|  %s\n", kept->name);
        if (!strstr(text, row))
            fail_msg("the manual page lacks %s", kept->name);
    }
    size_t rows = 0, kept = 0;
    for (const char *at = strstr(text, "\n|  CAP_"); at; at = strstr(at + 1, "\n|  CAP_"))
        rows++;
    while (gfs_capabilities_kept[kept].name)
        kept++;
    assert_int_equal(rows, kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_option),
        cmocka_unit_test(test_last_one_counts),
        cmocka_unit_test(test_words_of_fstab),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_mount_helper),
        cmocka_unit_test(test_help_and_version_need_no_operands),
        cmocka_unit_test(test_help_names_every_option),
        cmocka_unit_test(test_manual_page_names_every_option),
        cmocka_unit_test(test_manual_page_names_nothing_else),
        cmocka_unit_test(test_manual_page_names_the_capabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
