#include "guildfs/add.h"

#include <errno.h>

static struct gfs_decision refuse(enum gfs_reason reason, int error) {
    return (struct gfs_decision){.reason = reason, .error = error};
}

static bool seen(const struct gfs_facts *object) {
    return object && gfs_visible(object);
}

struct gfs_decision gfs_decide_add(const struct gfs_facts *folder, const struct gfs_facts *taken, enum gfs_op op,
                                   bool exclusive) {
    if (gfs_visible(folder) && seen(taken))
        return refuse(GFS_REASON_TAKEN, EEXIST);

    const struct gfs_decision decision = gfs_decide(folder, op);

    if (decision.allowed && taken)
        return refuse(GFS_REASON_TAKEN, op == GFS_OP_CREATE && !exclusive ? EACCES : EEXIST);
    return decision;
}

struct gfs_decision gfs_decide_link(const struct gfs_facts *item, const struct gfs_facts *folder,
                                    const struct gfs_facts *taken) {
    if (!seen(item) || !gfs_visible(folder))
        return refuse(GFS_REASON_HIDDEN, ENOENT);
    if (seen(taken))
        return refuse(GFS_REASON_TAKEN, EEXIST);

    const struct gfs_decision decision = gfs_decide(item, GFS_OP_LINK);

    if (decision.allowed && taken)
        return refuse(GFS_REASON_TAKEN, EEXIST);
    return decision;
}
