#include "core/cli/question.h"

#include <errno.h>
#include <string.h>

#include "core/cli/object.h"
#include "guildfs/add.h"
#include "guildfs/clock.h"
#include "guildfs/rename.h"

/* A path with the folder that it stands in. */
struct place {
    struct cli_location location, folder_location;
    struct cli_object object, folder;
    bool has_folder; /* false for the root of a share */
};

static struct gfs_decision not_there(void) {
    return (struct gfs_decision){.reason = GFS_REASON_HIDDEN, .needed = GFS_VIEW, .missing = GFS_VIEW, .error = ENOENT};
}

static const struct gfs_facts *seen_facts(const struct cli_object *object) {
    return object->exists && object->reachable ? &object->facts : NULL;
}

static bool adds_name(enum gfs_op op) {
    return op == GFS_OP_CREATE || op == GFS_OP_TMPFILE || op == GFS_OP_SYMLINK || op == GFS_OP_MKDIR ||
           op == GFS_OP_MKNOD;
}

static bool takes_two(enum gfs_op op) {
    return op == GFS_OP_RENAME || op == GFS_OP_EXCHANGE || op == GFS_OP_LINK;
}

static int look_up(const struct cli_viewpoint *viewpoint, const char *path, bool count_quota, struct place *place,
                   struct gfs_error *err) {
    int rc = cli_locate(viewpoint->snapshot, viewpoint->rights, path, &place->location, err);
    if (rc == 0)
        rc = cli_object_look(viewpoint, &place->location, false, &place->object, err);
    place->has_folder = rc == 0 && *place->location.path != '\0';
    if (!place->has_folder)
        return rc;
    place->folder_location = place->location;
    char *slash = strrchr(place->folder_location.path, '/');
    *(slash ? slash : place->folder_location.path) = '\0';
    return cli_object_look(viewpoint, &place->folder_location, count_quota, &place->folder, err);
}

/* Whether every folder on the way to the path is there and shows: the kernel walks the path before
 * it asks anybody. The root of a share stands in no folder of a share. */
static bool has_reachable_folder(const struct place *place) {
    return place->has_folder && place->folder.exists && place->folder.reachable && place->folder.facts.folder &&
           gfs_visible(&place->folder.facts);
}

/* What no file operation can do, whoever asks: the roots of shares, and what lies between shares. */
static struct gfs_decision never(int error) {
    return (struct gfs_decision){
        .reason = GFS_REASON_NEVER, .needed = GFS_NOBODY, .missing = GFS_NOBODY, .error = error};
}

static void judge_add(const struct place *place, bool exclusive, struct cli_answer *answer) {
    const bool root = !place->has_folder;
    answer->facts = root ? place->object.facts : place->folder.facts;
    if (root ? !gfs_visible(&answer->facts) : !has_reachable_folder(place))
        answer->decision = not_there();
    else if (root)
        answer->decision = (struct gfs_decision){.reason = GFS_REASON_TAKEN, .error = EEXIST};
    else
        answer->decision = gfs_decide_add(&answer->facts, seen_facts(&place->object), answer->op, exclusive);
}

static void judge_pair(const struct place *source, const struct place *target, struct cli_answer *answer) {
    const struct gfs_facts *item = seen_facts(&source->object), *taken = seen_facts(&target->object);
    answer->facts = source->object.facts;
    if (!item || !gfs_visible(item) || (target->has_folder && !has_reachable_folder(target))) {
        answer->decision = not_there();
        return;
    }
    if (!source->has_folder || !target->has_folder || source->location.share != target->location.share) {
        answer->decision = never(EXDEV);
        return;
    }
    if (answer->op == GFS_OP_LINK) {
        answer->decision = gfs_decide_link(item, &target->folder.facts, taken);
        return;
    }
    const struct gfs_rename rename = {
        .source = item,
        .target_folder = &target->folder.facts,
        .target = taken,
        .same_folder = strcmp(source->folder_location.path, target->folder_location.path) == 0,
        .exchange = answer->op == GFS_OP_EXCHANGE,
    };
    const struct gfs_rename_verdict verdict = gfs_decide_rename(&rename);
    answer->decision = verdict.decision;
    answer->op = verdict.op;
    if (verdict.object)
        answer->facts = *verdict.object;
}

static void judge_item(const struct place *place, struct cli_answer *answer) {
    const struct gfs_facts *facts = seen_facts(&place->object);
    answer->facts = place->object.facts;
    answer->decision = facts ? gfs_decide(facts, answer->op) : not_there();
}

static int judge(const struct cli_viewpoint *viewpoint, const struct cli_question *question, bool exclusive,
                 struct cli_answer *answer, struct gfs_error *err) {
    struct place item = {0}, target = {0};
    bool grows = gfs_op_rule(answer->op).grows;
    int rc = look_up(viewpoint, question->path, grows, &item, err);
    if (rc == 0 && grows && !adds_name(answer->op))
        rc = cli_object_look(viewpoint, &item.location, true, &item.object, err);
    if (rc == 0 && question->to)
        rc = look_up(viewpoint, question->to, grows, &target, err);
    if (rc < 0)
        return rc;
    answer->share = item.location.share;
    if (adds_name(answer->op))
        judge_add(&item, exclusive, answer);
    else if (question->to)
        judge_pair(&item, &target, answer);
    else
        judge_item(&item, answer);
    return 0;
}

/* "create-excl" is create with O_EXCL: the same operation, another answer where the name is taken. */
static int parse_op(const char *name, enum gfs_op *op, bool *exclusive, struct gfs_error *err) {
    *exclusive = strcmp(name, "create-excl") == 0;
    return gfs_op_parse(*exclusive ? "create" : name, op, err);
}

static int parse(const struct cli_question *question, enum gfs_op *op, bool *exclusive, struct gfs_error *err) {
    int rc = parse_op(question->op, op, exclusive, err);
    if (rc == 0 && question->to && !takes_two(*op))
        rc = gfs_error_set(err, EINVAL, "the operation %s takes one path; --to is for rename, exchange and link",
                           question->op);
    return rc;
}

int cli_question_check(const struct cli_question *question, struct gfs_error *err) {
    enum gfs_op op;
    bool exclusive;
    return parse(question, &op, &exclusive, err);
}

int cli_ask(const struct gfs_snapshot *snapshot, const struct cli_question *question, struct cli_answer *out,
            struct gfs_error *err) {
    struct cli_answer answer = {0};
    bool exclusive = false;
    int rc = parse(question, &answer.op, &exclusive, err);
    if (rc < 0)
        return rc;
    answer.user = gfs_snapshot_user_by_name(snapshot, question->user);
    if (!answer.user)
        return gfs_error_set(err, ENOENT, "there is no user \"%s\"; guildfs user list lists the users", question->user);
    struct cli_viewpoint viewpoint = {.snapshot = snapshot, .user = answer.user, .now_ns = gfs_now_ns()};
    viewpoint.rights = gfs_snapshot_rights(snapshot, answer.user->id, viewpoint.now_ns);
    if (!viewpoint.rights)
        return gfs_error_set(err, ENOMEM, "out of memory");
    rc = judge(&viewpoint, question, exclusive, &answer, err);
    if (rc == 0)
        *out = answer;
    return rc;
}
