/*
 * What is left of files that were taken away: poisoning ends descriptors, and does not reach what a
 * process has mapped. A thread looks for processes that hold a doomed file (revoke.h). Where the share
 * says on_revoke=kill they are killed; else they are listed, and looked for again from time to time
 * until they have let go.
 *
 * A second after a change there is a late pass that poisons once more: the answer to a CREATE may lie
 * unprocessed in the kernel while its node is poisoned, when the process that waits for it gets no time;
 * then it binds the node anew.
 */
#ifndef GUILDFS_FS_REMNANTS_H
#define GUILDFS_FS_REMNANTS_H

#include "fs/holders.h"

struct gfs_remnants;

int gfs_remnants_new(struct gfs_remnants **out) GFS_MUST_CHECK;
int gfs_remnants_start(struct gfs_mount *mount, dev_t device) GFS_MUST_CHECK;
void gfs_remnants_stop(struct gfs_mount *mount); /* after gfs_revoker_stop() */
void gfs_remnants_free(struct gfs_remnants *remnants);

/* Takes over the list. */
void gfs_remnants_add(struct gfs_mount *mount, uint64_t generation, struct gfs_doomed_list *doomed);

/* What a process holds of a mount that died (crash.h): it is killed, or named until it ends. */
void gfs_remnants_add_old(struct gfs_mount *mount, dev_t device, const struct gfs_sweep_found *found, gfs_id user,
                          gfs_id share, bool kill);

/* Up to which generation all holders have been looked for, when `added` was added last. */
uint64_t gfs_remnants_settled(struct gfs_mount *mount, uint64_t added);

/* The processes that hold on to something, as they were found last. */
void gfs_remnants_visit(struct gfs_mount *mount, void (*visit)(void *context, const struct gfs_holder *holder),
                        void *context);

#endif
