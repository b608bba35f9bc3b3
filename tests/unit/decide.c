/* Single decisions worth a name. That all of them are right is exhaustive.c's business. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guildfs/decision.h"

static void zeroed_facts_are_denied_everything(void **state) {
    const struct gfs_facts facts = {0};

    (void)state;
    for (enum gfs_op op = 0; op <= GFS_OP_COUNT; op++) {
        const struct gfs_decision decision = gfs_decide(&facts, op);
        assert_false(decision.allowed);
        assert_int_equal(decision.reason, GFS_REASON_HIDDEN);
        assert_int_equal(gfs_decision_errno(&decision), -ENOENT);
    }
    assert_false(gfs_visible(&facts));
    assert_int_equal(gfs_access_bits(&facts), 0);
}

static void a_zeroed_decision_is_denied(void **state) {
    const struct gfs_decision decision = {0};
    const struct gfs_decision contradiction = {.reason = GFS_REASON_ALLOWED, .error = -5};

    (void)state;
    assert_int_equal(gfs_decision_errno(&decision), -EACCES);
    assert_int_equal(gfs_decision_errno(&contradiction), -EACCES);
}

static void what_no_grant_can_hold_is_not_held(void **state) {
    const struct gfs_facts facts = {.effective = 0xff};
    struct gfs_decision decision = gfs_decide(&facts, GFS_OP_CHOWN);

    (void)state;
    assert_false(decision.allowed);
    assert_int_equal(decision.error, EPERM);
    assert_int_equal(decision.reason, GFS_REASON_NEVER);
    decision = gfs_decide(&facts, GFS_OP_COUNT);
    assert_false(decision.allowed);
    decision = gfs_decide(&facts, (enum gfs_op) - 1);
    assert_false(decision.allowed);
}

static void a_denial_says_what_is_missing(void **state) {
    const struct gfs_facts facts = {.effective = GFS_VIEW | GFS_UPLOAD};
    const struct gfs_decision decision = gfs_decide(&facts, GFS_OP_OPEN_READ_WRITE);

    (void)state;
    assert_int_equal(decision.reason, GFS_REASON_MISSING);
    assert_int_equal(decision.needed, GFS_DOWNLOAD | GFS_UPLOAD | GFS_DELETE);
    assert_int_equal(decision.missing, GFS_DOWNLOAD | GFS_DELETE);
    assert_int_equal(decision.error, EACCES);
}

static void the_order_of_refusals(void **state) {
    struct gfs_facts facts = {.effective = GFS_VIEW, .archived = true, .over_quota = true, .folder = true};

    (void)state;
    /* never before archived, archived before missing, missing before quota. */
    assert_int_equal(gfs_decide(&facts, GFS_OP_MKNOD).reason, GFS_REASON_NEVER);
    assert_int_equal(gfs_decide(&facts, GFS_OP_MKDIR).reason, GFS_REASON_ARCHIVED);
    facts.archived = false;
    assert_int_equal(gfs_decide(&facts, GFS_OP_MKDIR).reason, GFS_REASON_MISSING);
    facts.effective |= GFS_MAKE_FOLDER;
    assert_int_equal(gfs_decide(&facts, GFS_OP_MKDIR).reason, GFS_REASON_QUOTA);
    assert_int_equal(gfs_decide(&facts, GFS_OP_MKDIR).error, EDQUOT);
    facts.over_quota = false;
    assert_int_equal(gfs_decide(&facts, GFS_OP_MKDIR).reason, GFS_REASON_ALLOWED);
    facts.effective = GFS_MAKE_FOLDER;
    assert_int_equal(gfs_decide(&facts, GFS_OP_MKNOD).reason, GFS_REASON_HIDDEN);
}

static void pending_counts_while_the_permission_lasts(void **state) {
    struct gfs_facts file = {.effective = GFS_UPLOAD, .own_pending = true};
    struct gfs_facts folder = {.effective = GFS_MAKE_FOLDER, .folder = true, .own_pending = true, .own_listed = true};

    (void)state;
    assert_true(gfs_own_pending(&file) && gfs_own_pending(&folder));
    assert_true(gfs_visible(&file) && gfs_visible(&folder));
    file.effective = GFS_MAKE_FOLDER;
    folder.effective = GFS_UPLOAD;
    assert_false(gfs_own_pending(&file) || gfs_own_pending(&folder));
    assert_false(gfs_visible(&file) || gfs_visible(&folder));
    file.effective = folder.effective = GFS_ALL_PERMS;
    file.archived = folder.archived = true;
    assert_false(gfs_own_pending(&file) || gfs_own_pending(&folder));
}

/* What a folder holds of others takes back the rights, and leaves the sight. */
static void a_filled_folder_of_ones_own_shows_and_no_more(void **state) {
    const struct gfs_facts folder = {.effective = GFS_MAKE_FOLDER | GFS_UPLOAD, .folder = true, .own_listed = true};

    (void)state;
    assert_true(gfs_visible(&folder));
    assert_true(gfs_decide(&folder, GFS_OP_LIST).allowed);
    assert_true(gfs_decide(&folder, GFS_OP_CREATE).allowed);
    assert_int_equal(gfs_decide(&folder, GFS_OP_RMDIR).error, EACCES);
    assert_int_equal(gfs_decide(&folder, GFS_OP_STATFS).error, ENOENT);
}

static void access_bits_of_a_drop_box(void **state) {
    struct gfs_facts root = {.effective = GFS_UPLOAD, .folder = true, .share_root = true};
    struct gfs_facts file = {.effective = GFS_UPLOAD, .own_pending = true};

    (void)state;
    assert_int_equal(gfs_access_bits(&root), 7);
    root.share_root = false;
    assert_int_equal(gfs_access_bits(&root), 0);
    assert_int_equal(gfs_access_bits(&file), 2);
    file.own_pending = false;
    assert_int_equal(gfs_access_bits(&file), 0);
}

static void access_bits_let_the_right_errno_through(void **state) {
    struct gfs_facts folder = {.effective = GFS_VIEW | GFS_UPLOAD, .folder = true, .over_quota = true};

    (void)state;
    assert_int_equal(gfs_access_bits(&folder), 7); /* EDQUOT */
    folder.archived = true;
    assert_int_equal(gfs_access_bits(&folder), 7); /* EROFS */
    folder.effective = GFS_VIEW;
    assert_int_equal(gfs_access_bits(&folder), 7);
    folder.archived = false;
    assert_int_equal(gfs_access_bits(&folder), 5);
}

static void effective_is_the_union_cut_by_the_ceiling(void **state) {
    const struct gfs_source sources[] = {
        {.perms = GFS_VIEW, .via = "group physics"},
        {.perms = GFS_UPLOAD | GFS_DELETE, .via = "user"},
        {.perms = GFS_NOBODY | GFS_VIEW, .via = "a database that was tampered with"},
    };
    const gfs_perms reading = GFS_VIEW | GFS_DOWNLOAD;

    (void)state;
    assert_int_equal(gfs_effective(sources, 3, GFS_ALL_PERMS, false), GFS_VIEW | GFS_UPLOAD | GFS_DELETE);
    assert_int_equal(gfs_effective(sources, 1, GFS_ALL_PERMS, false), GFS_VIEW);
    assert_int_equal(gfs_effective(sources, 3, reading, false), GFS_VIEW);
    assert_int_equal(gfs_effective(sources, 3, 0, false), 0);
    assert_int_equal(gfs_effective(sources, 3, 0xff, false), GFS_VIEW | GFS_UPLOAD | GFS_DELETE);
    assert_int_equal(gfs_effective(sources, 3, GFS_ALL_PERMS, true), 0);
    assert_int_equal(gfs_effective(NULL, 0, GFS_ALL_PERMS, false), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_facts_are_denied_everything),
        cmocka_unit_test(a_zeroed_decision_is_denied),
        cmocka_unit_test(what_no_grant_can_hold_is_not_held),
        cmocka_unit_test(a_denial_says_what_is_missing),
        cmocka_unit_test(the_order_of_refusals),
        cmocka_unit_test(pending_counts_while_the_permission_lasts),
        cmocka_unit_test(a_filled_folder_of_ones_own_shows_and_no_more),
        cmocka_unit_test(access_bits_of_a_drop_box),
        cmocka_unit_test(access_bits_let_the_right_errno_through),
        cmocka_unit_test(effective_is_the_union_cut_by_the_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
