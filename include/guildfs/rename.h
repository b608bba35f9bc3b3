/*
 * rename(2) and its kin, judged whole. A rename is two or three operations of the contract on two
 * or three objects; which ones, and in what order, stands here and in core/authz/rename.c, so
 * that the mount, `guildfs check` and the tests cannot come to different answers.
 *
 * Pure, like gfs_decide(). What is not judged here: that both names lie in one share (else EXDEV,
 * before anything else), that RENAME_WHITEOUT is EINVAL, and what the backing filesystem says
 * itself (ENOTEMPTY, EISDIR, ENOTDIR).
 */
#ifndef GUILDFS_RENAME_H
#define GUILDFS_RENAME_H

#include "guildfs/decision.h"

struct gfs_rename {
    const struct gfs_facts *source;        /* the item; NULL when there is none */
    const struct gfs_facts *target_folder; /* the folder that receives it; not read when same_folder */
    const struct gfs_facts *target;        /* what has the new name already; NULL when it is free */
    bool same_folder;
    bool no_replace; /* RENAME_NOREPLACE */
    bool exchange;   /* RENAME_EXCHANGE */
};

struct gfs_rename_verdict {
    struct gfs_decision decision;   /* allowed, or the first refusal */
    enum gfs_op op;                 /* the operation that was refused, or the last one judged */
    const struct gfs_facts *object; /* on which; one of the pointers above, NULL when there is no such item */
};

/*
 * The order, and why it gives nothing away:
 *
 *  1. A source that is absent or hidden is ENOENT, the same for both, before anything is said
 *     about the target.
 *  2. RENAME_NOREPLACE on a target that the caller sees is EEXIST, as the kernel answers by itself.
 *  3. The right at the source: rename in the same folder, move-out to another. A save (the source
 *     is a pending file of one's own, the target exists) needs no rename.
 *  4. The right at the target folder, when it is another one: move-in-file or move-in-folder.
 *  5. The right at the target, when it exists: save for a pending file of one's own, else replace.
 *     A target that is hidden cannot be replaced, whatever permissions there are: the name is
 *     taken, EACCES (EEXIST with RENAME_NOREPLACE). That the name is taken shows only to who
 *     passed 3 and 4 and could have found out by creating it.
 *
 * RENAME_EXCHANGE: either of the two absent or hidden is ENOENT; then the right to exchange, on
 * the source and on the target.
 */
struct gfs_rename_verdict gfs_decide_rename(const struct gfs_rename *rename) GFS_NONNULL(1);

#endif
