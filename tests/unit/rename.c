/*
 * Operations of several steps: rename, exchange, add, link. Every combination of a source, a
 * target folder and a target, for all 64 sets, against a model that says the outcome in words of
 * the contract; and the order of refusals, case by case.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guildfs/add.h"
#include "guildfs/rename.h"

enum { ABSENT, FILE_, FOLDER, MY_FILE, MY_FOLDER, ITEMS };

static const char *const item_names[ITEMS] = {"nothing", "a file", "a folder", "my file", "my folder"};

struct world {
    gfs_perms perms;
    bool archived, overwrite_upload;
};

static struct gfs_facts facts_of(const struct world *world, int item) {
    return (struct gfs_facts){
        .effective = world->perms,
        .archived = world->archived,
        .overwrite_upload = world->overwrite_upload,
        .folder = item == FOLDER || item == MY_FOLDER,
        .own_pending = item == MY_FILE || item == MY_FOLDER,
        .own_listed = item == MY_FOLDER,
    };
}

/* ---- the model ---- */

static bool has(const struct world *world, gfs_perms perms) {
    const gfs_perms left = world->archived ? world->perms & (GFS_VIEW | GFS_DOWNLOAD) : world->perms;

    return (left & perms) == perms;
}

static bool mine(const struct world *world, int item) {
    return (item == MY_FILE && has(world, GFS_UPLOAD)) || (item == MY_FOLDER && has(world, GFS_MAKE_FOLDER));
}

static bool shows(const struct world *world, int item) {
    return item != ABSENT && (has(world, GFS_VIEW) || mine(world, item));
}

/* The target goes: is its going allowed, and what comes in its place? */
static int model_target(const struct world *world, int source, int target, bool no_replace) {
    if (target == ABSENT)
        return 0;
    if (!shows(world, target))
        return no_replace ? EEXIST : EACCES;
    if (mine(world, target))
        return 0;
    if (source == MY_FILE && mine(world, source) && world->overwrite_upload)
        return has(world, GFS_UPLOAD) ? 0 : EACCES;
    return has(world, GFS_UPLOAD | GFS_DELETE) ? 0 : EACCES;
}

static int model_rename(const struct world *world, int source, int target, bool same_folder, bool no_replace) {
    const bool is_folder = source == FOLDER || source == MY_FOLDER;
    const bool saves = source == MY_FILE && mine(world, source) && target != ABSENT;

    if (!shows(world, source))
        return ENOENT;
    if (no_replace && shows(world, target))
        return EEXIST;
    if (world->archived)
        return EROFS;
    if (same_folder && !saves && !mine(world, source) && !has(world, GFS_RENAME))
        return EACCES;
    if (!same_folder && !mine(world, source) && !has(world, GFS_DELETE))
        return EACCES;
    if (!same_folder && !has(world, is_folder ? GFS_MAKE_FOLDER | GFS_UPLOAD : GFS_UPLOAD))
        return EACCES;
    return model_target(world, source, target, no_replace);
}

static int model_exchange(const struct world *world, int source, int target) {
    if (!shows(world, source) || !shows(world, target))
        return ENOENT;
    if (world->archived)
        return EROFS;
    return has(world, GFS_RENAME | GFS_UPLOAD | GFS_DELETE) ? 0 : EACCES;
}

static int model_link(const struct world *world, int source, int target) {
    if (!shows(world, source))
        return ENOENT;
    if (shows(world, target))
        return EEXIST;
    if (world->archived)
        return EROFS;
    if (!has(world, GFS_UPLOAD | GFS_DELETE | GFS_DOWNLOAD))
        return EPERM;
    return target == ABSENT ? 0 : EEXIST;
}

/* ---- all combinations ---- */

static struct world make_world(unsigned i) {
    return (struct world){.perms = i & 63, .archived = i & 64, .overwrite_upload = i & 128};
}

#define WORLDS 256

static void check_rename(const struct world *world, int source, int target, unsigned flags) {
    /* The target folder is one that shows: a share's root. */
    struct gfs_facts source_facts = facts_of(world, source), target_facts = facts_of(world, target);
    struct gfs_facts folder_facts = facts_of(world, FOLDER);
    const bool same_folder = flags & 1, no_replace = flags & 2;

    folder_facts.share_root = true;
    const struct gfs_rename rename = {
        .source = source == ABSENT ? NULL : &source_facts,
        .target_folder = same_folder ? NULL : &folder_facts,
        .target = target == ABSENT ? NULL : &target_facts,
        .same_folder = same_folder,
        .no_replace = no_replace,
    };
    const struct gfs_rename_verdict verdict = gfs_decide_rename(&rename);
    int found = -gfs_decision_errno(&verdict.decision);
    int expected = model_rename(world, source, target, same_folder, no_replace);

    if (found != expected) {
        char perms[GFS_PERMS_TEXT_SIZE];
        gfs_perms_format(world->perms, perms);
        fail_msg("%s to %s%s%s with %s%s%s: the decision is %d, the model says %d", item_names[source],
                 item_names[target], same_folder ? "" : " elsewhere", no_replace ? ", no replace" : "", perms,
                 world->archived ? ", archived" : "", world->overwrite_upload ? ", overwrite=upload" : "", found,
                 expected);
    }
}

static void check_exchange_and_link(const struct world *world, int source, int target) {
    struct gfs_facts source_facts = facts_of(world, source), target_facts = facts_of(world, target);
    struct gfs_facts folder_facts = facts_of(world, FOLDER);

    folder_facts.share_root = true;
    const struct gfs_rename exchange = {
        .source = source == ABSENT ? NULL : &source_facts,
        .target = target == ABSENT ? NULL : &target_facts,
        .same_folder = true,
        .exchange = true,
    };
    const struct gfs_rename_verdict verdict = gfs_decide_rename(&exchange);
    if (-gfs_decision_errno(&verdict.decision) != model_exchange(world, source, target))
        fail_msg("exchange of %s and %s with %#x: %d", item_names[source], item_names[target], world->perms,
                 gfs_decision_errno(&verdict.decision));

    const struct gfs_decision link = gfs_decide_link(exchange.source, &folder_facts, exchange.target);
    /* Who sees nothing of the folder gets no further. */
    int expected = gfs_visible(&folder_facts) ? model_link(world, source, target) : ENOENT;
    if (-gfs_decision_errno(&link) != expected)
        fail_msg("link of %s to %s with %#x: %d", item_names[source], item_names[target], world->perms,
                 gfs_decision_errno(&link));
}

/* A file does not replace a folder, nor a folder a file: the kernel refuses before anybody is asked. */
static bool kernel_refuses(int source, int target) {
    const bool folders = source == FOLDER || source == MY_FOLDER, onto_folder = target == FOLDER || target == MY_FOLDER;

    return source != ABSENT && target != ABSENT && folders != onto_folder;
}

static void renames_agree_with_the_model(void **state) {
    size_t cells = 0;

    (void)state;
    for (unsigned i = 0; i < WORLDS; i++) {
        const struct world world = make_world(i);
        for (int source = 0; source < ITEMS; source++)
            for (int target = 0; target < ITEMS; target++) {
                for (unsigned flags = 0; flags < 4 && !kernel_refuses(source, target); flags++, cells++)
                    check_rename(&world, source, target, flags);
                check_exchange_and_link(&world, source, target);
                cells += 2;
            }
    }
    printf("%zu renames, exchanges and links\n", cells);
}

static void a_hidden_source_tells_nothing_of_the_target(void **state) {
    const struct gfs_facts hidden = {.effective = GFS_RENAME | GFS_DELETE};
    struct gfs_rename rename = {.source = &hidden, .same_folder = true};
    const struct gfs_rename_verdict without = gfs_decide_rename(&rename);

    (void)state;
    rename.target = &hidden;
    const struct gfs_rename_verdict with = gfs_decide_rename(&rename);
    rename.source = NULL;
    const struct gfs_rename_verdict absent = gfs_decide_rename(&rename);

    assert_int_equal(without.decision.error, ENOENT);
    assert_int_equal(with.decision.error, ENOENT);
    assert_int_equal(absent.decision.error, ENOENT);
    assert_int_equal(absent.decision.reason, with.decision.reason);
}

static void the_verdict_names_the_step(void **state) {
    struct gfs_facts source = {.effective = GFS_VIEW | GFS_DELETE};
    struct gfs_facts folder = {.effective = GFS_VIEW | GFS_DELETE, .folder = true};
    struct gfs_facts target = source;
    struct gfs_rename rename = {.source = &source, .target_folder = &folder, .target = &target};
    struct gfs_rename_verdict verdict;

    (void)state;
    verdict = gfs_decide_rename(&rename);
    assert_int_equal(verdict.op, GFS_OP_MOVE_IN_FILE);
    assert_ptr_equal(verdict.object, &folder);
    assert_int_equal(verdict.decision.missing, GFS_UPLOAD);

    source.effective = GFS_VIEW;
    verdict = gfs_decide_rename(&rename);
    assert_int_equal(verdict.op, GFS_OP_MOVE_OUT);
    assert_ptr_equal(verdict.object, &source);

    source.effective = folder.effective = GFS_VIEW | GFS_DELETE | GFS_UPLOAD;
    verdict = gfs_decide_rename(&rename);
    assert_int_equal(verdict.op, GFS_OP_REPLACE);
    assert_ptr_equal(verdict.object, &target);

    rename.same_folder = true;
    verdict = gfs_decide_rename(&rename);
    assert_int_equal(verdict.op, GFS_OP_RENAME);

    source.own_pending = true;
    verdict = gfs_decide_rename(&rename);
    assert_int_equal(verdict.op, GFS_OP_SAVE);
    assert_ptr_equal(verdict.object, &target);

    rename.target = NULL;
    verdict = gfs_decide_rename(&rename);
    assert_true(verdict.decision.allowed);
    assert_int_equal(verdict.op, GFS_OP_RENAME);
}

static void a_hidden_target_folder_is_not_there(void **state) {
    const struct gfs_facts source = {.effective = GFS_UPLOAD, .own_pending = true};
    const struct gfs_facts folder = {.effective = GFS_UPLOAD, .folder = true};
    const struct gfs_rename rename = {.source = &source, .target_folder = &folder};

    (void)state;
    assert_int_equal(gfs_decide_rename(&rename).decision.error, ENOENT);
}

/* ---- adding ---- */

static int add(gfs_perms perms, bool folder_shows, int taken, enum gfs_op op, bool exclusive) {
    const struct world world = {.perms = perms};
    struct gfs_facts folder = facts_of(&world, FOLDER), taken_facts = facts_of(&world, taken);

    folder.share_root = folder_shows;
    const struct gfs_decision decision = gfs_decide_add(&folder, taken == ABSENT ? NULL : &taken_facts, op, exclusive);
    return -gfs_decision_errno(&decision);
}

static void names_that_are_free(void **state) {
    (void)state;
    assert_int_equal(add(GFS_UPLOAD, true, ABSENT, GFS_OP_CREATE, false), 0);
    assert_int_equal(add(GFS_UPLOAD, true, ABSENT, GFS_OP_SYMLINK, false), 0);
    assert_int_equal(add(GFS_UPLOAD, true, ABSENT, GFS_OP_MKDIR, false), EACCES);
    assert_int_equal(add(GFS_VIEW, true, ABSENT, GFS_OP_CREATE, true), EACCES);
    assert_int_equal(add(GFS_UPLOAD, false, ABSENT, GFS_OP_CREATE, true), ENOENT);
    assert_int_equal(add(GFS_ALL_PERMS, true, ABSENT, GFS_OP_MKNOD, true), EPERM);
}

static void names_that_something_hidden_has(void **state) {
    (void)state;
    assert_int_equal(add(GFS_UPLOAD, true, FILE_, GFS_OP_CREATE, false), EACCES);
    assert_int_equal(add(GFS_UPLOAD, true, FILE_, GFS_OP_CREATE, true), EEXIST);
    assert_int_equal(add(GFS_UPLOAD, true, FOLDER, GFS_OP_SYMLINK, false), EEXIST);
    assert_int_equal(add(GFS_UPLOAD, true, FILE_, GFS_OP_TMPFILE, false), EEXIST);
    assert_int_equal(add(GFS_MAKE_FOLDER, true, FILE_, GFS_OP_MKDIR, false), EEXIST);
    /* Who may not add anything does not learn that the name is taken. */
    assert_int_equal(add(GFS_MAKE_FOLDER, true, FILE_, GFS_OP_CREATE, true), EACCES);
    assert_int_equal(add(GFS_UPLOAD, true, FILE_, GFS_OP_MKDIR, false), EACCES);
    assert_int_equal(add(GFS_UPLOAD, false, FILE_, GFS_OP_CREATE, true), ENOENT);
    assert_int_equal(add(GFS_UPLOAD, true, FILE_, GFS_OP_MKNOD, true), EPERM);
}

static void names_that_something_visible_has(void **state) {
    (void)state;
    assert_int_equal(add(GFS_VIEW, true, FILE_, GFS_OP_CREATE, true), EEXIST);
    assert_int_equal(add(GFS_VIEW, true, FOLDER, GFS_OP_MKDIR, false), EEXIST);
    assert_int_equal(add(GFS_UPLOAD, true, MY_FILE, GFS_OP_CREATE, true), EEXIST);
    /* A folder that does not show is not reached, whatever is in it. */
    assert_int_equal(add(GFS_UPLOAD, false, MY_FILE, GFS_OP_CREATE, true), ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renames_agree_with_the_model),
        cmocka_unit_test(a_hidden_source_tells_nothing_of_the_target),
        cmocka_unit_test(the_verdict_names_the_step),
        cmocka_unit_test(a_hidden_target_folder_is_not_there),
        cmocka_unit_test(names_that_are_free),
        cmocka_unit_test(names_that_something_hidden_has),
        cmocka_unit_test(names_that_something_visible_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
