/* One change of the policy, between the files that deal with it: change.c and change_names.c. */
#ifndef GUILDFS_FS_CHANGE_H
#define GUILDFS_FS_CHANGE_H

#include "fs/mount.h"
#include "fs/view.h"

struct gfs_notices;

struct gfs_change {
    struct gfs_mount *mount;
    const struct gfs_snapshot *before, *after;
    int64_t before_ns, now_ns;   /* at which each of the two is asked: what has ended between them counts as lost */
    struct gfs_notices *notices; /* of names */
    bool view_differs;           /* in a share that shows: what it hides is not what it hid when it showed last */
    bool any_tree;               /* some tree is marked */
};

/* Forgets the names of groups, kinds and shares that came, went or stand for something else in a view. */
void gfs_change_names(struct gfs_change *change, struct gfs_view *view);

/* Whether some folder became a share inside another, or stopped being it: its name then stands for another node. */
bool gfs_change_of_nesting(const struct gfs_change *change);

#endif
