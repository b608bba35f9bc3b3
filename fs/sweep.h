/*
 * Looks through the processes of this host for descriptors and mappings of certain files of one FUSE
 * mount: those that the kernel serves by itself (data mode fast), and cannot be asked to close.
 *
 * A file is recognised by its handle (name_to_handle_at(2)), which for FUSE is the node id and the
 * generation. The kernel answers that from memory, whatever filesystem it is: nothing here asks a
 * filesystem, whose daemon may hang. Inode numbers would not do, since views share them.
 *
 * Looking at a process can hang nevertheless (its address space may be locked): so a thread looks,
 * and one that is stuck for a second is left behind with its process, which counts as not looked at.
 * Not seen: descriptors that are under way in a socket, and files that are registered with io_uring.
 */
#ifndef GUILDFS_FS_SWEEP_H
#define GUILDFS_FS_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guildfs/compiler.h"

struct gfs_sweep_found {
    pid_t process;
    uint64_t node; /* id */
    bool mapping;  /* else a descriptor */
    bool writes;   /* what is known when all files are looked for: open, or mapped, to write */
    char *path;    /* as /proc names it, or NULL; the list's */
};

struct gfs_sweep_result {
    struct gfs_sweep_found *found;
    size_t count;
    size_t unseen; /* processes that could not be looked at */
};

/*
 * Looks for nodes (ids, in ascending order; NULL: any) of the mount with this st_dev in all processes but this
 * one, or in one. The caller gives the result back by gfs_sweep_end(). Takes ten seconds at most. 0, or a negative
 * errno when /proc cannot be read or memory is out.
 */
int gfs_sweep(dev_t device, const uint64_t *nodes, size_t count, struct gfs_sweep_result *out) GFS_MUST_CHECK;
int gfs_sweep_one(dev_t device, const uint64_t *nodes, size_t count, pid_t process,
                  struct gfs_sweep_result *out) GFS_MUST_CHECK;

void gfs_sweep_end(struct gfs_sweep_result *result);

#endif
