/*
 * Adding a name to a folder, judged whole: the right to add, and what happens when the name is
 * taken, perhaps by something that the caller does not see. Shared by the mount, `guildfs check`
 * and the tests. Pure, like gfs_decide().
 */
#ifndef GUILDFS_ADD_H
#define GUILDFS_ADD_H

#include "guildfs/decision.h"

/*
 * op is create, tmpfile, symlink, mkdir or mknod; folder receives the name; taken is what has it
 * already, or NULL. exclusive matters to create alone: O_EXCL, and mknod of a regular file.
 *
 *  1. The folder is hidden: ENOENT.
 *  2. The caller sees what has the name: EEXIST. (O_CREAT without O_EXCL on it is no create, but
 *     an open of what exists: judge that instead.)
 *  3. The right to add; so who may add nothing learns nothing.
 *  4. The name is taken by something hidden: EEXIST, and EACCES for a create that is not
 *     exclusive, which would otherwise open it. Here alone does existence show, since the name
 *     cannot be given twice.
 */
struct gfs_decision gfs_decide_add(const struct gfs_facts *folder, const struct gfs_facts *taken, enum gfs_op op,
                                   bool exclusive) GFS_NONNULL(1);

/*
 * A hard link to item, in folder: the same order, with the right to link judged on the item. An
 * item that is absent (NULL) or hidden is ENOENT before all else.
 */
struct gfs_decision gfs_decide_link(const struct gfs_facts *item, const struct gfs_facts *folder,
                                    const struct gfs_facts *taken) GFS_NONNULL(2);

#endif
