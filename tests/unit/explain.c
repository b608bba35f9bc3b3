#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guildfs/decision.h"

static const struct gfs_source sources[] = {
    {.perms = GFS_VIEW, .via = "group physics"},
    {.perms = GFS_UPLOAD, .via = "user alice"},
};

static void explain(const struct gfs_facts *facts, enum gfs_op op, char text[static 512]) {
    const struct gfs_decision decision = gfs_decide(facts, op);
    size_t length = gfs_decision_explain(&decision, facts, op, sources, 2, text, 512);

    assert_int_equal(length, strlen(text));
}

static void a_denial_names_what_is_missing_and_who_gave_what(void **state) {
    const struct gfs_facts facts = {.effective = GFS_VIEW | GFS_UPLOAD};
    char text[512];

    (void)state;
    explain(&facts, GFS_OP_OPEN_WRITE, text);
    assert_string_equal(text, "open-write: denied EACCES: missing delete on this file\n"
                              "needs: upload,delete\n"
                              "holds: view,upload\n"
                              "  group physics: view\n"
                              "  user alice: upload");
}

static void what_is_allowed_says_so(void **state) {
    const struct gfs_facts facts = {.effective = GFS_VIEW | GFS_UPLOAD, .own_pending = true};
    char text[512];

    (void)state;
    explain(&facts, GFS_OP_OPEN_WRITE, text);
    assert_string_equal(text, "open-write: allowed, on your own pending upload\n"
                              "needs: upload\n"
                              "holds: view,upload\n"
                              "  group physics: view\n"
                              "  user alice: upload");
}

static void first_line(const struct gfs_facts *facts, enum gfs_op op, const char *expected) {
    char text[512];

    explain(facts, op, text);
    *strchrnul(text, '\n') = '\0';
    assert_string_equal(text, expected);
}

static void every_reason_has_words(void **state) {
    struct gfs_facts facts = {.effective = GFS_UPLOAD};

    (void)state;
    first_line(&facts, GFS_OP_UNLINK, "unlink: denied ENOENT: it does not show without view");
    facts.effective = GFS_VIEW;
    first_line(&facts, GFS_OP_CHOWN, "chown: denied EPERM: nobody may do that");
    facts.folder = true;
    first_line(&facts, GFS_OP_CREATE, "create: denied EACCES: missing upload on this folder");
    facts.share_root = true;
    first_line(&facts, GFS_OP_CREATE, "create: denied EACCES: missing upload on the share's root folder");
    facts.archived = true;
    first_line(&facts, GFS_OP_CREATE, "create: denied EROFS: the share is archived");
    facts.archived = false;
    facts.over_quota = true;
    facts.effective = GFS_ALL_PERMS;
    first_line(&facts, GFS_OP_CREATE, "create: denied EDQUOT: the share's quota is used up");
    first_line(&facts, GFS_OP_COUNT, "unknown operation: denied EPERM: nobody may do that");
    facts.effective = GFS_VIEW | GFS_MAKE_FOLDER;
    facts.share_root = facts.over_quota = false;
    facts.own_pending = facts.own_listed = true;
    first_line(&facts, GFS_OP_CREATE, "create: denied EACCES: missing upload on your own new folder");
    first_line(&facts, GFS_OP_RMDIR, "rmdir: allowed, on your own new folder");
}

static void a_zeroed_decision_is_explained_as_denied(void **state) {
    const struct gfs_decision decision = {0};
    const struct gfs_facts facts = {0};
    char text[256];

    (void)state;
    gfs_decision_explain(&decision, &facts, GFS_OP_STAT, NULL, 0, text, sizeof(text));
    assert_string_equal(text, "stat: denied EACCES: no decision was made\n"
                              "needs: none\n"
                              "holds: none");
}

static void an_archive_says_what_is_left(void **state) {
    const struct gfs_facts facts = {.effective = GFS_ALL_PERMS, .archived = true};
    char text[512];

    (void)state;
    explain(&facts, GFS_OP_OPEN_READ, text);
    assert_non_null(strstr(text, "(archived: view and download at most)"));
}

/* As snprintf(3): the length that was needed, and never a byte beyond the buffer. */
static void small_buffers_are_cut(void **state) {
    const struct gfs_facts facts = {.effective = GFS_VIEW | GFS_UPLOAD};
    const struct gfs_decision decision = gfs_decide(&facts, GFS_OP_OPEN_WRITE);
    char whole[512];
    size_t length = gfs_decision_explain(&decision, &facts, GFS_OP_OPEN_WRITE, sources, 2, whole, sizeof(whole));

    (void)state;
    for (size_t size = 0; size <= length + 1; size++) {
        char *text = malloc(size + 1);
        assert_non_null(text);
        memset(text, '#', size + 1);
        assert_int_equal(
            gfs_decision_explain(&decision, &facts, GFS_OP_OPEN_WRITE, sources, 2, size ? text : NULL, size), length);
        assert_int_equal(text[size], '#');
        if (size > 0) {
            assert_int_equal(strlen(text), size - 1);
            assert_memory_equal(text, whole, size - 1);
        }
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_denial_names_what_is_missing_and_who_gave_what),
        cmocka_unit_test(what_is_allowed_says_so),
        cmocka_unit_test(every_reason_has_words),
        cmocka_unit_test(a_zeroed_decision_is_explained_as_denied),
        cmocka_unit_test(an_archive_says_what_is_left),
        cmocka_unit_test(small_buffers_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
