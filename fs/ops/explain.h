/*
 * The text of user.guildfs.explain: what a person may do with an item, and why. No I/O.
 */
#ifndef GUILDFS_FS_OPS_EXPLAIN_H
#define GUILDFS_FS_OPS_EXPLAIN_H

#include <sys/types.h>

#include "guildfs/decision.h"

struct gfs_explanation {
    const char *user, *share; /* name, reference */
    mode_t mode;              /* the item's type */
    struct gfs_facts facts;
    const struct gfs_source *sources;
    size_t source_count;
    gfs_perms ceiling; /* GFS_ALL_PERMS: none */
    bool suspended;
    int64_t pending_until_ns; /* wall clock; GFS_NEVER while open for writing; 0: not pending */
};

/* The caller frees *text. 0 or -ENOMEM. Lines are separated by '\n', none at the end. */
int gfs_explanation_write(const struct gfs_explanation *explanation, char **text, size_t *length) GFS_MUST_CHECK;

#endif
