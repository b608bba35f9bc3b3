/* The parser of the case language: what it takes, and that it refuses the rest with file and line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "guildfs/clock.h"
#include "tests/cases/facts.h"

static char path[] = "/tmp/guildfs-case-XXXXXX";

static int make_file(void **state) {
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static int read_case(const char *text, struct case_file *file, struct gfs_error *err) {
    FILE *stream = fopen(path, "w");

    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
    return case_file_read(path, file, err);
}

#define WORLD                                                                                                          \
    "principal alice in physics:admin in chemistry\n"                                                                  \
    "share atlas kind volume group physics owner alice overwrite=upload quota=10K grace=5m\n"                          \
    "folder atlas/a\n"

static void everything_is_read(void **state) {
    struct case_file file;
    struct gfs_error err;

    (void)state;
    assert_int_equal(read_case("# a comment\n\n" WORLD "  file \"atlas/a/two words\" by alice pending # why not\n"
                               "grant group:chemistry share:atlas view, \n"
                               "principal bob suspended\n"
                               "expect bob create-excl atlas/a/'x y' deny EACCES\n"
                               "expect alice rename atlas/a to atlas/b allow",
                               &file, &err),
                     -EINVAL);
    /* "view," is a list with an empty word. */
    assert_non_null(strstr(err.message, ":7: "));

    assert_int_equal(read_case("# a comment\n\n" WORLD "  file \"atlas/a/two words\" by alice pending # why not\n"
                               "grant group:chemistry share:atlas view\n"
                               "principal bob suspended\n"
                               "expect bob create-excl atlas/a/'x y' deny EACCES\n"
                               "expect alice rename atlas/a to atlas/b allow",
                               &file, &err),
                     0);
    assert_int_equal(file.group_count, 2);
    assert_string_equal(file.principals[0].in[0].group, "physics");
    assert_int_equal(file.principals[0].in[0].role, GFS_ROLE_ADMIN);
    assert_int_equal(file.principals[0].in[1].role, GFS_ROLE_MEMBER);
    assert_true(file.principals[1].suspended);
    assert_int_equal(file.shares[0].kind, GFS_KIND_VOLUME);
    assert_true(file.shares[0].overwrite_upload);
    assert_int_equal(file.shares[0].quota_bytes, 10240);
    assert_int_equal(file.shares[0].grace_ns, 300 * GFS_NS_PER_S);
    assert_string_equal(file.shares[0].owner, "alice");
    assert_string_equal(file.items[1].path, "atlas/a/two words");
    assert_true(file.items[1].pending);
    assert_int_equal(file.grants[0].subject_kind, GFS_SUBJECT_GROUP);
    assert_int_equal(file.grants[0].perms, GFS_VIEW);
    assert_string_equal(file.expects[0].path, "atlas/a/x y");
    assert_true(file.expects[0].exclusive);
    assert_int_equal(file.expects[0].error, EACCES);
    assert_int_equal(file.expects[0].line, 9);
    assert_string_equal(file.expects[1].to, "atlas/b");
    assert_int_equal(file.expects[1].error, 0);
    case_file_free(&file);
}

/* Each is the fourth line of a file, and wrong. */
static void mistakes_are_refused(void **state) {
    static const struct {
        const char *line, *says;
    } mistakes[] = {
        {"principle bob", "is no statement"},
        {"principal", "name is missing"},
        {"principal alice", "already"},
        {"principal bob in", "group is missing"},
        {"principal bob in physics:king", "is no role"},
        {"principal bob suspended now", "unexpected \"now\""},
        {"group", "name is missing"},
        {"share atlas", "already"},
        {"share b kind tape", "is no kind"},
        {"share b owner nobody", "has not been declared"},
        {"share b colour=blue", "is no option"},
        {"share b quota=lots", "no value that the option knows"},
        {"share b grace=10", "no value that the option knows"},
        {"share b overwrite=yes", "no value that the option knows"},
        {"share b state=gone", "no value that the option knows"},
        {"share b big", "unexpected \"big\""},
        {"grant alice share:atlas view", "is no subject"},
        {"grant user:bob share:atlas view", "has not been declared"},
        {"grant group:nobody share:atlas view", "has not been declared"},
        {"grant user:alice atlas view", "share:NAME"},
        {"grant user:alice share:b view", "share:NAME"},
        {"grant user:alice share:atlas look", "is no permission"},
        {"grant user:alice share:atlas", "a grant is"},
        {"file", "path is missing"},
        {"file b/x", "begins with no share"},
        {"file atlas/b/x", "has not been declared"},
        {"file atlas//x", "empty name"},
        {"file atlas/", "empty name"},
        {"file atlas", "already"},
        {"folder atlas/a", "already"},
        {"file atlas/x by", "missing"},
        {"file atlas/x by bob", "has not been declared"},
        {"file atlas/x by alice forever", "unexpected"},
        {"file 'atlas/x", "quote is not closed"},
        {"expect alice stat", "an expectation is"},
        {"expect bob stat atlas allow", "has not been declared"},
        {"expect alice look atlas allow", "is no operation"},
        {"expect alice move-out atlas/a allow", "part of a rename"},
        {"expect alice save atlas/a allow", "part of a rename"},
        {"expect alice rename atlas/a allow", "takes two paths"},
        {"expect alice stat atlas/a to atlas/b allow", "takes one path"},
        {"expect alice stat atlas/a", "outcome is missing"},
        {"expect alice stat atlas/a deny", "errno is missing"},
        {"expect alice stat atlas/a deny EWHATEVER", "is no errno"},
        {"expect alice stat atlas/a allow EACCES", "unexpected"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct case_file file;
        struct gfs_error err;
        char text[512], where[64];

        snprintf(text, sizeof(text), WORLD "%s\n", mistakes[i].line);
        snprintf(where, sizeof(where), "%s:4: ", path);
        if (read_case(text, &file, &err) != -EINVAL)
            fail_msg("taken: %s", mistakes[i].line);
        if (strncmp(err.message, where, strlen(where)) != 0 || !strstr(err.message, mistakes[i].says))
            fail_msg("%s: the error says \"%s\"", mistakes[i].line, err.message);
    }
}

static void a_missing_file_is_an_error(void **state) {
    struct case_file file;
    struct gfs_error err;

    (void)state;
    assert_int_equal(case_file_read("/nonexistent.case", &file, &err), -ENOENT);
}

static void facts_come_from_what_is_declared(void **state) {
    struct case_file file;
    struct gfs_error err;
    struct case_object object;

    (void)state;
    assert_int_equal(read_case("principal alice in physics\nprincipal bob\n"
                               "share atlas kind files quota=16\n"
                               "grant group:physics share:atlas view\n"
                               "grant everyone share:atlas upload,make-folder\n"
                               "folder atlas/a by bob pending\n"
                               "folder atlas/b by bob pending\n"
                               "file atlas/b/x by alice pending\n"
                               "folder atlas/c by bob pending\n"
                               "file atlas/c/x by bob pending\n",
                               &file, &err),
                     0);
    const struct case_principal *alice = case_find_principal(&file, "alice"), *bob = case_find_principal(&file, "bob");

    assert_true(case_object_find(&file, alice, "atlas", 5, &object));
    assert_int_equal(object.facts.effective, GFS_VIEW | GFS_UPLOAD | GFS_MAKE_FOLDER);
    assert_true(object.facts.share_root && object.facts.folder && object.facts.over_quota);
    assert_true(case_object_find(&file, bob, "atlas/a", 7, &object));
    assert_int_equal(object.facts.effective, GFS_UPLOAD | GFS_MAKE_FOLDER);
    assert_true(object.facts.own_pending && object.facts.own_listed);
    assert_true(case_object_find(&file, bob, "atlas/b", 7, &object));
    assert_true(!object.facts.own_pending && object.facts.own_listed);
    assert_true(case_object_find(&file, bob, "atlas/c", 7, &object));
    assert_true(object.facts.own_pending && object.facts.own_listed);
    assert_true(case_object_find(&file, alice, "atlas/a", 7, &object));
    assert_true(!object.facts.own_pending && !object.facts.own_listed);
    assert_false(case_object_find(&file, alice, "atlas/d", 7, &object));
    assert_true(case_reaches(&file, bob, "atlas/b/x"));
    case_file_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(a_missing_file_is_an_error),
        cmocka_unit_test(facts_come_from_what_is_declared),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
