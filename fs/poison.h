/*
 * Poisoning: ending the descriptors of files that pass through (data mode fast), of which the
 * kernel asks nothing any more.
 *
 * When the kernel is told of a node id with another generation, it takes the inode that it has for
 * somebody else's: it marks it bad, and every later call on it gets EIO (fuse_stale_inode() in
 * fs/fuse/inode.c). There is no notice that says so; it must be the answer to a question. So the
 * daemon asks itself: a thread opens a hidden folder of its own mount, the *door*, and lists it. Each
 * entry is one of the nodes, with a new generation. A listing tells of thousands with one answer.
 *
 * The door has no fixed name and is in no listing. Only that one thread finds it, while it is
 * poisoning: the answer to everybody else is that there is no such file. What it finds there is never
 * used; the kernel forgets it when the door is closed, since it may keep nothing of it.
 *
 * The thread reaches the mount by a clone of it (open_tree(2)), so that the mount can be unmounted
 * meanwhile. It may hang, when all who serve requests do: whoever wants something poisoned waits
 * with a deadline.
 */
#ifndef GUILDFS_FS_POISON_H
#define GUILDFS_FS_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guildfs/compiler.h"

struct fuse_ctx;
struct gfs_call;
struct gfs_mount;
struct gfs_node;
struct gfs_poison;

int gfs_poison_new(struct gfs_poison **out) GFS_MUST_CHECK;
int gfs_poison_start(struct gfs_mount *mount, dev_t device) GFS_MUST_CHECK;
/* After the connection has been ended, so that the thread hangs in it no more. */
void gfs_poison_stop(struct gfs_mount *mount);
void gfs_poison_free(struct gfs_poison *poison);

/*
 * Poisons nodes that no lookup finds any more (gfs_node_kill()), each time with a generation that none
 * of them had. Waits two seconds at most. 0, and the array is used no more, and neither are the nodes;
 * -ETIMEDOUT: it may happen later, and the nodes are needed until gfs_poison_idle(); -EBUSY: the thread
 * still hangs in an earlier call; -ENXIO: the mount cannot be reached by its mountpoint; -ENOMEM.
 */
int gfs_poison(struct gfs_mount *mount, struct gfs_node *const *nodes, size_t count) GFS_MUST_CHECK;
bool gfs_poison_idle(struct gfs_mount *mount);

/* ---- for the dispatcher ---- */

/* Whether the request is the thread's own, while it is poisoning: such ones are answered without a policy. */
bool gfs_poison_asks(struct gfs_mount *mount, const struct fuse_ctx *who);

/* The door, when the one who may find it looks it up; else NULL. */
struct gfs_node *gfs_poison_find_door(struct gfs_mount *mount, const struct gfs_node *folder, const char *name,
                                      const struct fuse_ctx *who);
/* Answers a listing of the door from its number `first` on. */
void gfs_poison_list(struct gfs_call *call, size_t size, off_t first);

#endif
