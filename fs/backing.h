/*
 * Backing files. A struct gfs_backing stands for one inode of a node's filesystem, however many
 * views show it. It is named by device, inode and file handle (the handle carries the
 * filesystem's generation number, so that an inode number that is used again is another backing).
 *
 * Descriptors are a bounded cache: an O_PATH descriptor is opened by handle when it is needed and
 * kept in an LRU list; it is pinned while a request uses it, while the file is open, and when the
 * file was unlinked (then nothing could open it again). On filesystems without handles (overlayfs
 * without nfs_export) every backing keeps its descriptor.
 */
#ifndef GUILDFS_FS_BACKING_H
#define GUILDFS_FS_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "guildfs/item.h"
#include "guildfs/model.h"

struct gfs_mount;
struct gfs_node;

enum { GFS_HANDLE_BYTES = 32 }; /* ext4 8, xfs 8 to 24, btrfs 20 to 40 (the long form is not asked for), tmpfs 12 */

struct gfs_backing {
    /* never changes */
    uint64_t device, inode;
    int32_t handle_type; /* -1: no handle, the descriptor is kept */
    uint8_t handle_size;
    uint8_t handle[GFS_HANDLE_BYTES];
    /* under the node stripe of (device, inode) */
    int descriptor; /* O_PATH, or -1 */
    unsigned pins;  /* users of the descriptor */
    bool keep;      /* unlinked, or without handle: never closed before the end */
    struct gfs_node *nodes;              /* the views' nodes of it */
    struct gfs_backing *next_in_bucket;
    struct gfs_backing *newer, *older;   /* LRU list of unpinned descriptors */
    unsigned writers;                    /* handles open for writing, all views */
    /* folders: coherence between views, see notify.h */
    uint64_t last_changer; /* view that last changed names in it */
    int64_t last_changed_ns, hot_until_ns; /* monotonic */
};

/*
 * Borrows an O_PATH descriptor of the backing; give it back with gfs_backing_put().
 * 0 and *fd, or -ESTALE (gone behind the mount), -EMFILE, -EIO.
 */
int gfs_backing_get(struct gfs_mount *mount, struct gfs_backing *backing, int *fd) GFS_MUST_CHECK;
void gfs_backing_put(struct gfs_mount *mount, struct gfs_backing *backing);

#endif
