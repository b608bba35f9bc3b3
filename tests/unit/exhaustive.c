/*
 * Every cell of the contract: all 64 sets, every operation, every kind of object, every state of
 * the share. The answer is compared with a model that was written from the contract's text, in
 * other words than core/authz/op.c: it asks "what does the operation do to what is there?", and
 * not "which row is it?". It uses nothing of the program but the names of things.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guildfs/decision.h"

/* ---- the model ---- */

/* Who asks, and about what. */
struct scene {
    bool view, download, upload, rename, delete, make_folder;
    bool archived, overwrite_upload, over_quota;
    bool root, folder;
    bool mine, mine_but_filled; /* made by the caller, and in its grace; of a folder: something is in it */
};

static bool is_my_new_file(const struct scene *s) {
    return !s->archived && s->mine && !s->folder && s->upload;
}

static bool is_my_new_folder(const struct scene *s) {
    return !s->archived && s->mine && s->folder && s->make_folder;
}

static bool is_mine_to_see(const struct scene *s) {
    return is_my_new_file(s) || is_my_new_folder(s) ||
           (!s->archived && s->mine_but_filled && s->folder && s->make_folder);
}

static bool sees(const struct scene *s) {
    if (s->view)
        return true;
    if (s->root && !s->archived)
        return s->upload || s->make_folder;
    return is_mine_to_see(s);
}

/* Principle 1: what was shared is destroyed with Delete only; the option says that overwriting is
 * no destruction here. Principle 2: one's own new item is not yet shared. */
static bool may_overwrite_file(const struct scene *s) {
    return is_my_new_file(s) || (s->upload && (s->delete || s->overwrite_upload));
}

static bool may_retouch(const struct scene *s) {
    return is_my_new_folder(s) || may_overwrite_file(s);
}

static bool may_destroy_file(const struct scene *s) {
    return is_my_new_file(s) || s->delete;
}

static bool may_destroy_folder(const struct scene *s) {
    return is_my_new_folder(s) || s->delete;
}

static bool may_destroy_either(const struct scene *s) {
    return may_destroy_file(s) || is_my_new_folder(s);
}

enum nature {
    LOOKS = 1,   /* asks for nothing but to see it */
    ALTERS = 2,  /* what is stored would be different afterwards */
    ADDS = 4,    /* there would be more afterwards */
    FOR_NONE = 8 /* refused to everybody */
};

/* What an operation does, and whether this caller has the right. Returned by value, so that an
 * operation that is forgotten here has no right. */
struct answer {
    int nature;
    bool right;
    int refusal;
};

static struct answer looks(bool right) {
    return (struct answer){.nature = LOOKS, .right = right, .refusal = ENOENT};
}

static struct answer keeps(bool right) {
    return (struct answer){.right = right, .refusal = EACCES};
}

static struct answer alters(bool right) {
    return (struct answer){.nature = ALTERS, .right = right, .refusal = EACCES};
}

static struct answer adds(bool right) {
    return (struct answer){.nature = ALTERS | ADDS, .right = right, .refusal = EACCES};
}

static struct answer ask(const struct scene *s, enum gfs_op op) {
    const bool everything_to_swap = s->rename && s->upload && s->delete;
    const bool everything_to_link = s->upload && s->delete &&s->download;

    switch (op) {
    case GFS_OP_STAT:
    case GFS_OP_LIST:
    case GFS_OP_READLINK:
    case GFS_OP_LISTXATTR:
        return looks(true);
    case GFS_OP_STATFS:
        return looks(s->view);
    case GFS_OP_OPEN_READ:
    case GFS_OP_GETXATTR:
    case GFS_OP_LOCK_SHARED:
        return keeps(s->download);
    case GFS_OP_LOCK_EXCLUSIVE:
        return keeps(may_overwrite_file(s));
    case GFS_OP_OPEN_WRITE:
    case GFS_OP_TRUNCATE:
        return alters(may_overwrite_file(s));
    case GFS_OP_OPEN_READ_WRITE:
        return alters(s->download && may_overwrite_file(s));
    case GFS_OP_FALLOCATE:
        return adds(may_overwrite_file(s));
    case GFS_OP_SETXATTR:
    case GFS_OP_REMOVEXATTR:
    case GFS_OP_CHMOD:
    case GFS_OP_UTIMENS:
        return alters(may_retouch(s));
    case GFS_OP_CREATE:
    case GFS_OP_TMPFILE:
    case GFS_OP_SYMLINK:
        return adds(s->upload);
    case GFS_OP_MKDIR:
        return adds(s->make_folder);
    case GFS_OP_UNLINK:
        return alters(may_destroy_file(s));
    case GFS_OP_RMDIR:
        return alters(may_destroy_folder(s));
    case GFS_OP_RENAME:
        return alters(s->rename || is_my_new_file(s) || is_my_new_folder(s));
    case GFS_OP_MOVE_OUT:
        return alters(may_destroy_either(s));
    case GFS_OP_MOVE_IN_FILE:
        return alters(s->upload);
    case GFS_OP_MOVE_IN_FOLDER:
        return alters(s->make_folder && s->upload);
    case GFS_OP_REPLACE: /* the old goes and something comes; of one's own new item nothing is lost */
        return alters(is_my_new_file(s) || is_my_new_folder(s) || (s->delete &&s->upload));
    case GFS_OP_SAVE:
        return alters(may_overwrite_file(s));
    case GFS_OP_EXCHANGE:
        return alters(everything_to_swap);
    case GFS_OP_LINK:
        return (struct answer){.nature = ALTERS, .right = everything_to_link, .refusal = EPERM};
    case GFS_OP_CHOWN:
    case GFS_OP_MKNOD:
    case GFS_OP_COUNT:
        break;
    }
    return (struct answer){.nature = FOR_NONE | ALTERS, .refusal = EPERM};
}

static int model(const struct scene *s, enum gfs_op op) {
    struct answer answer;
    struct scene cut = *s;

    if (s->archived)
        cut.upload = cut.rename = cut.delete = cut.make_folder = false;
    answer = ask(&cut, op);
    if (!sees(&cut))
        return ENOENT; /* principle 3, and no other question is answered before it */
    if (answer.nature & FOR_NONE)
        return answer.refusal;
    if ((answer.nature & ALTERS) && s->archived)
        return EROFS;
    if (!answer.right)
        return answer.refusal;
    return (answer.nature & ADDS) && s->over_quota ? EDQUOT : 0;
}

/* ---- the cells ---- */

enum { ROOT, EXISTING_FILE, EXISTING_FOLDER, MY_NEW_FILE, MY_NEW_FOLDER, MY_FILLED_FOLDER, OBJECTS };
enum { SETS = 64, STATES = 8 };

static const char *const object_names[OBJECTS] = {"share root",       "existing file",      "existing folder",
                                                  "own pending file", "own pending folder", "own filled folder"};

static struct scene make_scene(unsigned set, unsigned object, unsigned state) {
    return (struct scene){
        .view = set & GFS_VIEW,
        .download = set & GFS_DOWNLOAD,
        .upload = set & GFS_UPLOAD,
        .rename = set & GFS_RENAME,
        .delete = set & GFS_DELETE,
        .make_folder = set & GFS_MAKE_FOLDER,
        .archived = state & 1,
        .overwrite_upload = state & 2,
        .over_quota = state & 4,
        .root = object == ROOT,
        .folder = object == ROOT || object == EXISTING_FOLDER || object == MY_NEW_FOLDER || object == MY_FILLED_FOLDER,
        .mine = object == MY_NEW_FILE || object == MY_NEW_FOLDER,
        .mine_but_filled = object == MY_FILLED_FOLDER,
    };
}

static struct gfs_facts make_facts(const struct scene *s, unsigned set) {
    return (struct gfs_facts){
        .effective = (gfs_perms)set,
        .archived = s->archived,
        .overwrite_upload = s->overwrite_upload,
        .over_quota = s->over_quota,
        .share_root = s->root,
        .folder = s->folder,
        .own_pending = s->mine,
        .own_listed = s->folder && (s->mine || s->mine_but_filled),
    };
}

/* One cell. */
struct cell {
    unsigned set, object;
    enum gfs_op op;
    struct scene scene;
    struct gfs_facts facts;
};

/* In words, for a failure. Until the next call. */
static const char *describe(const struct cell *cell) {
    static char text[160];
    char perms[GFS_PERMS_TEXT_SIZE];

    gfs_perms_format((gfs_perms)cell->set, perms);
    snprintf(text, sizeof(text), "%s of %s with %s%s%s%s",
             cell->op < GFS_OP_COUNT ? gfs_op_name(cell->op) : "no operation", object_names[cell->object], perms,
             cell->scene.archived ? ", archived" : "", cell->scene.overwrite_upload ? ", overwrite=upload" : "",
             cell->scene.over_quota ? ", over quota" : "");
    return text;
}

typedef void check(const struct cell *cell);

static size_t for_each_cell(check *each) {
    size_t cells = 0;

    for (unsigned set = 0; set < SETS; set++)
        for (unsigned object = 0; object < OBJECTS; object++)
            for (unsigned state = 0; state < STATES; state++)
                for (enum gfs_op op = 0; op <= GFS_OP_COUNT; op++) { /* and one that is no operation */
                    struct cell cell = {.set = set, .object = object, .op = op};
                    cell.scene = make_scene(set, object, state);
                    cell.facts = make_facts(&cell.scene, set);
                    each(&cell);
                    cells++;
                }
    return cells;
}

/* ---- what is checked in each ---- */

static void check_model(const struct cell *cell) {
    const struct scene *scene = &cell->scene;
    const struct gfs_facts *facts = &cell->facts;
    const enum gfs_op op = cell->op;
    const struct gfs_decision decision = gfs_decide(facts, op);
    const int expected = model(scene, op), found = -gfs_decision_errno(&decision);

    if (found != expected)
        fail_msg("%s: the decision is %d, the model says %d", describe(cell), found, expected);
    if (decision.allowed != (expected == 0) || (decision.reason == GFS_REASON_ALLOWED) != decision.allowed)
        fail_msg("%s: the decision contradicts itself", describe(cell));
}

static void decisions_agree_with_the_model(void **state) {
    (void)state;
    size_t cells = for_each_cell(check_model);

    printf("%zu cells of the contract\n", cells);
    assert_int_equal(cells, SETS * OBJECTS * STATES * (GFS_OP_COUNT + 1));
}

/* `missing` is what would have to be given, all of it and no more. */
static void check_missing(const struct cell *cell) {
    const struct gfs_facts *facts = &cell->facts;
    const enum gfs_op op = cell->op;
    const struct gfs_decision decision = gfs_decide(facts, op);
    struct gfs_facts given = *facts;

    if ((decision.missing & facts->effective & (facts->archived ? GFS_VIEW | GFS_DOWNLOAD : GFS_ALL_PERMS)))
        fail_msg("%s: something is missing that is held", describe(cell));
    if ((decision.missing & decision.needed) != decision.missing)
        fail_msg("%s: something is missing that is not needed", describe(cell));
    /* In an archive nothing can be given that would help an exclusive lock. */
    if (decision.reason != GFS_REASON_MISSING || facts->archived)
        return;
    given.effective |= decision.missing;
    if (gfs_decide(&given, op).reason == GFS_REASON_MISSING)
        fail_msg("%s: still missing something with all that was missing", describe(cell));
    for (gfs_perms bit = 1; bit < GFS_ALL_PERMS; bit = (gfs_perms)(bit << 1)) {
        /* Upload makes one's own file pending, and then less is needed: it may come in for others. */
        if (!(decision.missing & bit) || facts->own_pending || facts->own_listed)
            continue;
        given.effective = (facts->effective | decision.missing) & (gfs_perms)~bit;
        if (gfs_decide(&given, op).reason == GFS_REASON_ALLOWED)
            fail_msg("%s: not all that was missing is needed", describe(cell));
    }
}

static void missing_is_exact(void **state) {
    (void)state;
    for_each_cell(check_missing);
}

/*
 * `needed` is what a handle must go on holding (fs/guard.c), so it must be neither too little nor
 * too much: with it alone, on an item that shows, the operation is allowed, and with less it is not.
 */
static void check_needed(const struct cell *cell) {
    const struct scene *scene = &cell->scene;
    const struct gfs_facts *facts = &cell->facts;
    const enum gfs_op op = cell->op;
    const struct gfs_decision decision = gfs_decide(facts, op);
    const bool looking = ask(scene, op).nature == LOOKS && op != GFS_OP_STATFS;
    struct gfs_facts given = *facts;

    if (!decision.allowed)
        return;
    if (!looking && (decision.needed & facts->effective) != decision.needed)
        fail_msg("%s: allowed without what is needed", describe(cell));
    given.effective = decision.needed | (looking ? 0 : GFS_VIEW);
    if (!gfs_decide(&given, op).allowed)
        fail_msg("%s: denied with all that is needed", describe(cell));
    for (gfs_perms bit = 1; bit < GFS_ALL_PERMS && !looking; bit = (gfs_perms)(bit << 1)) {
        given.effective = (gfs_perms)((decision.needed | GFS_VIEW) & ~bit);
        if ((decision.needed & bit) && gfs_decide(&given, op).allowed)
            fail_msg("%s: allowed with less than is needed", describe(cell));
    }
}

static void needed_is_exact(void **state) {
    (void)state;
    for_each_cell(check_needed);
}

/* More permissions never take anything away, nor does an item that becomes one's own pending one. */
static void check_monotonic(const struct cell *cell) {
    const struct gfs_facts *facts = &cell->facts;
    const enum gfs_op op = cell->op;
    struct gfs_facts more = *facts;

    if (!gfs_decide(facts, op).allowed)
        return;
    for (unsigned bit = 1; bit < SETS; bit <<= 1) {
        more.effective = (gfs_perms)(facts->effective | bit);
        if (!gfs_decide(&more, op).allowed)
            fail_msg("%s: lost with one permission more", describe(cell));
    }
    more = *facts;
    more.own_pending = !facts->share_root;
    more.own_listed = more.own_pending && facts->folder;
    if (!gfs_decide(&more, op).allowed)
        fail_msg("%s: lost when the item is one's own pending one", describe(cell));
}

static void more_is_never_less(void **state) {
    (void)state;
    for_each_cell(check_monotonic);
}

/* ---- the mode bits ---- */

/* What the kernel will be told, for each object and set, again from the text. */
static unsigned model_bits(const struct scene *s) {
    struct scene cut = *s;

    if (s->archived)
        cut.upload = cut.rename = cut.delete = cut.make_folder = false;
    if (!sees(&cut))
        return 0;
    bool reads = s->folder || cut.download;
    bool writes = s->folder ? cut.upload || cut.make_folder || (cut.view && (cut.rename || cut.delete))
                            : may_overwrite_file(&cut);
    return (reads ? 4u : 0) | (writes || s->archived ? 2u : 0) | (reads ? 1u : 0);
}

static void check_bits(const struct cell *cell) {
    const struct scene *scene = &cell->scene;
    const struct gfs_facts *facts = &cell->facts;
    const enum gfs_op op = cell->op;
    const unsigned bits = gfs_access_bits(facts);

    if (bits != model_bits(scene))
        fail_msg("%s: the bits are %u, the model says %u", describe(cell), bits, model_bits(scene));
    if (gfs_visible(facts) != gfs_decide(facts, GFS_OP_STAT).allowed)
        fail_msg("%s: what shows and what stat says differ", describe(cell));
    /* What the kernel would refuse by a bit must not be what the contract allows. */
    bool by_write_bit = op == GFS_OP_CREATE || op == GFS_OP_MKDIR || op == GFS_OP_OPEN_WRITE || op == GFS_OP_TRUNCATE;
    if (by_write_bit && facts->folder == (op == GFS_OP_CREATE || op == GFS_OP_MKDIR) && gfs_decide(facts, op).allowed &&
        !(bits & 2))
        fail_msg("%s: allowed, but there is no w bit", describe(cell));
}

static void bits_agree_with_the_model(void **state) {
    (void)state;
    for_each_cell(check_bits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions_agree_with_the_model),
        cmocka_unit_test(missing_is_exact),
        cmocka_unit_test(needed_is_exact),
        cmocka_unit_test(more_is_never_less),
        cmocka_unit_test(bits_agree_with_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
