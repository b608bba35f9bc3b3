/*
 * Taking back what is already open. The refresher (change.c) says what has been lost and goes on to
 * the next change of the policy; threads of their own do what may take longer. The revoker:
 *
 *   1. files of fast shares that are open and may be no more: their descriptors are poisoned (poison.h);
 *   2. when the requests that began before the change have ended, once more, with what they may have
 *      opened meanwhile;
 *   3. pages and attributes of all other nodes of the shares concerned are forgotten.
 *
 * Meanwhile another looks for who holds on to something (remnants.h). A change is *settled* when all
 * this is done. A file that is *doomed* has a node that no lookup finds any more, and that stays until
 * nobody holds it, so that its id means this file and no other.
 */
#ifndef GUILDFS_FS_REVOKE_H
#define GUILDFS_FS_REVOKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guildfs/compiler.h"
#include "guildfs/model.h"

struct gfs_mount;
struct gfs_node;
struct gfs_revoker;

struct gfs_doomed {
    struct gfs_node *node;
    uint64_t id;
    uint64_t generation; /* of the policy that took it away */
    bool kill;           /* who holds it */
    bool fresh;          /* the late pass is to come */
    bool held;           /* somebody held it when it was last looked for */
};

struct gfs_doomed_list {
    struct gfs_doomed *list;
    size_t count, size;
    bool failed; /* memory was out: something is missing */
};

/* With the node's stripe locked. The node is dead from now on. */
void gfs_doom(struct gfs_doomed_list *list, struct gfs_node *node, bool kill);

void gfs_doomed_move(struct gfs_doomed_list *to, struct gfs_doomed_list *from);
/* Poisons them, or those of them that are fresh. What cannot be done is logged. */
void gfs_doomed_poison(struct gfs_mount *mount, const struct gfs_doomed_list *doomed, bool only_fresh);

int gfs_revoker_new(struct gfs_revoker **out) GFS_MUST_CHECK;
int gfs_revoker_start(struct gfs_mount *mount) GFS_MUST_CHECK;
void gfs_revoker_stop(struct gfs_mount *mount); /* after gfs_poison_stop() */
void gfs_revoker_free(struct gfs_revoker *revoker);

/* What is known at once to be open. Takes over the list. */
void gfs_revoke_open(struct gfs_mount *mount, struct gfs_doomed_list *doomed);
/* All the rest, when no request of before the change is left: what else is doomed, and the nodes (ids)
 * of which the kernel is to forget what it has. Takes over both. */
void gfs_revoke_rest(struct gfs_mount *mount, uint64_t generation, struct gfs_doomed_list *doomed, uint64_t *nodes,
                     size_t count);

/* Before a mount is taken away from those who use it: what passes through would go on without it. */
void gfs_revoke_everything(struct gfs_mount *mount);

/*
 * The store has been silent for too long. Who asks is refused; this ends what is open in fast shares,
 * which does not ask. Nobody is killed for it, whatever the share says: no right was taken away.
 */
void gfs_revoke_stale(struct gfs_mount *mount);

/* Up to which generation everything is settled, when `in_force` has been handed in. */
uint64_t gfs_revoker_settled(struct gfs_mount *mount, uint64_t in_force);

#endif
