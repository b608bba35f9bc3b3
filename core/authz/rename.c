#include "guildfs/rename.h"

#include <errno.h>
#include <stddef.h>

static struct gfs_decision absent(void) {
    return (struct gfs_decision){.reason = GFS_REASON_HIDDEN, .needed = GFS_VIEW, .missing = GFS_VIEW, .error = ENOENT};
}

static struct gfs_decision taken(int error) {
    return (struct gfs_decision){.reason = GFS_REASON_TAKEN, .error = error};
}

static struct gfs_rename_verdict judge(const struct gfs_facts *object, enum gfs_op op) {
    return (struct gfs_rename_verdict){
        .decision = object ? gfs_decide(object, op) : absent(), .op = op, .object = object};
}

static struct gfs_rename_verdict refuse_taken(const struct gfs_facts *target, enum gfs_op op, int error) {
    return (struct gfs_rename_verdict){.decision = taken(error), .op = op, .object = target};
}

static bool hidden(const struct gfs_facts *object) {
    return !object || !gfs_visible(object);
}

static struct gfs_rename_verdict decide_exchange(const struct gfs_rename *rename) {
    const struct gfs_rename_verdict at_source = judge(rename->source, GFS_OP_EXCHANGE);
    const struct gfs_rename_verdict at_target = judge(rename->target, GFS_OP_EXCHANGE);

    /* What is hidden at the target comes before what is refused at the source. */
    if (at_source.decision.allowed || (!hidden(rename->source) && hidden(rename->target)))
        return at_target;
    return at_source;
}

/* Over what exists. */
static struct gfs_rename_verdict decide_target(const struct gfs_rename *rename, bool save) {
    enum gfs_op op = save ? GFS_OP_SAVE : GFS_OP_REPLACE;

    if (!gfs_visible(rename->target))
        return refuse_taken(rename->target, op, rename->no_replace ? EEXIST : EACCES);
    return judge(rename->target, op);
}

struct gfs_rename_verdict gfs_decide_rename(const struct gfs_rename *rename) {
    if (rename->exchange)
        return decide_exchange(rename);
    if (hidden(rename->source))
        return judge(rename->source, rename->same_folder ? GFS_OP_RENAME : GFS_OP_MOVE_OUT);
    if (rename->no_replace && !hidden(rename->target))
        return refuse_taken(rename->target, GFS_OP_REPLACE, EEXIST);

    const bool folder = rename->source->folder;
    const bool save = rename->target && !folder && gfs_own_pending(rename->source);
    struct gfs_rename_verdict verdict = {.decision = {.allowed = true}};

    if (!rename->same_folder)
        verdict = judge(rename->source, GFS_OP_MOVE_OUT);
    else if (!save)
        verdict = judge(rename->source, GFS_OP_RENAME);
    if (verdict.decision.allowed && !rename->same_folder)
        verdict = judge(rename->target_folder, folder ? GFS_OP_MOVE_IN_FOLDER : GFS_OP_MOVE_IN_FILE);
    if (verdict.decision.allowed && rename->target)
        verdict = decide_target(rename, save);
    return verdict;
}
