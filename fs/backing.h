/*
 * Backing files. A struct gfs_backing stands for one inode of a node's filesystem, however many
 * views show it. It is named by device, inode and file handle (the handle carries the
 * filesystem's generation number, so that an inode number that is used again is another backing).
 *
 * Descriptors are a bounded cache: an O_PATH descriptor is opened by handle when it is needed and
 * kept in an LRU list; it is pinned while a request uses it, while the file is open, and when the
 * file was unlinked (then nothing could open it again). On filesystems without handles (overlayfs
 * without nfs_export) every backing keeps its descriptor. For passthrough the kernel knows the file
 * by a backing id, which is part of the cached descriptor: it comes with the first open, and goes
 * when the descriptor is closed.
 */
#ifndef GUILDFS_FS_BACKING_H
#define GUILDFS_FS_BACKING_H

#include <stdatomic.h>
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

/* What names a backing. */
struct gfs_backing_key {
    uint64_t device, inode;
    int32_t handle_type; /* -1: no handle, the descriptor is kept */
    uint8_t handle_size;
    uint8_t handle[GFS_HANDLE_BYTES];
};

/* There may be millions: the order of the fields leaves no gaps. */
struct gfs_backing {
    /* never changes */
    uint64_t device, inode;
    int32_t handle_type; /* as in the key, and so is the handle at the end */
    uint8_t handle_size;
    atomic_bool posix_locked; /* opens of it get a FLUSH, see ops/open.c */
    /* under the node stripe of (device, inode) */
    bool keep;              /* unlinked, or without handle: the descriptor is never closed before the end */
    bool mapped;            /* may have a writable mapping that nobody tells of (data mode fast) */
    int descriptor;         /* O_PATH, or -1 */
    int32_t backing_id;     /* of the descriptor, in the kernel, see passthrough.h; 0: none */
    unsigned pins;          /* users of the descriptor */
    unsigned writers;       /* handles open for writing, all views */
    struct gfs_node *nodes; /* the views' nodes of it */
    struct gfs_backing *next_in_bucket;
    struct gfs_backing *newer, *older; /* LRU list of unpinned descriptors */
    /* folders: coherence between views, see notify.h */
    uint64_t last_changer;                 /* view that last changed names in it */
    int64_t last_changed_ns, hot_until_ns; /* monotonic */
    /* never changes */
    uint8_t handle[];
};

/*
 * What a name in a folder stands for, and the key of its backing, without opening it. The two are
 * found by one call each, and whoever works on the folder behind the mount may put another file
 * there in between. Then the key names no file: its inode number is of the one, its handle of the
 * other. Such a backing shows what the first file was, and cannot be opened, since
 * gfs_backing_get() opens by the handle and compares the number.
 * -EOPNOTSUPP: what is there must be opened instead, for one because nothing has been opened on that
 * filesystem yet; fast: in a share whose regular files pass through. Other errors as for
 * gfs_stat_child().
 */
int gfs_backing_look(struct gfs_mount *mount, int folder_fd, const char *name, bool fast, struct stat *st,
                     struct gfs_backing_key *key) GFS_MUST_CHECK;
/* Opens what gfs_backing_look() has found; the caller owns *fd. Errors as for gfs_backing_get(). */
int gfs_backing_open(struct gfs_mount *mount, const struct gfs_backing_key *key, int *fd) GFS_MUST_CHECK;

/*
 * Borrows an O_PATH descriptor of the backing; give it back with gfs_backing_put().
 * 0 and *fd, or -ESTALE (gone behind the mount), -EMFILE, -EIO.
 */
int gfs_backing_get(struct gfs_mount *mount, struct gfs_backing *backing, int *fd) GFS_MUST_CHECK;
void gfs_backing_put(struct gfs_mount *mount, struct gfs_backing *backing);

/*
 * The backing id for passthrough of a backing that the caller has borrowed: one for all opens in
 * all views, since the kernel allows no second one for an inode while the first is in use. It ends
 * with the cached descriptor, so it stays while anybody has the backing borrowed. 0 and *id, or
 * what gfs_passthrough_open() says.
 */
int gfs_backing_passthrough(struct gfs_mount *mount, struct gfs_backing *backing, int32_t *id) GFS_MUST_CHECK;

#endif
