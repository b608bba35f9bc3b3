/*
 * The watch, as the files that make it up see it: watch.c (the thread, and how long things may be
 * kept), watch_add.c (which filesystems), watch_event.c (what an event means). Nobody else includes
 * this.
 */
#ifndef GUILDFS_FS_WATCHED_H
#define GUILDFS_FS_WATCHED_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/fanotify.h>

#include "fs/notify.h"
#include "fs/watch.h"

enum { GFS_WATCHED_MAX = 256 };

/* How the inode number stands in a filesystem's file handles. */
struct gfs_handle_form {
    int32_t type;
    uint8_t size_min, offset, bytes;
};

struct gfs_watched_type {
    const char *name;
    uint32_t magic;
    struct gfs_handle_form forms[2];
};

enum gfs_watched_state { GFS_WATCHED_UNKNOWN, GFS_WATCHED_OFF, GFS_WATCHED_ON };

/* A filesystem in use. Filled by one thread, then published by `state`; never changes after that. */
struct gfs_watched {
    _Atomic enum gfs_watched_state state;
    uint64_t device;
    uint32_t fsid[2];
    const struct gfs_watched_type *type; /* NULL: not one that is trusted */
    char *path;                          /* of the folder by which it was met; NULL: not known */
    const char *reason;                  /* why it is off; static */
};

struct gfs_watch {
    /* never changes */
    int events; /* fanotify; -1 */
    int events_error;
    int wake; /* eventfd */
    pthread_t thread;
    bool runs;
    /* any thread */
    _Atomic bool stopping, lost;
    _Atomic bool forgets_names; /* the kernel can be made to forget all names at once */
    _Atomic bool behind;        /* events were lost a moment ago: nothing is kept for long */
    _Atomic uint64_t event_count, overflow_count;
    _Atomic size_t count; /* slots taken */
    struct gfs_watched filesystems[GFS_WATCHED_MAX];
    /* the thread's own */
    int64_t overflow_ns, lost_ns; /* monotonic, of the last */
    bool refused;                 /* the store was too old to serve from, at the last look */
};

/* ---- watch_add.c ---- */

/* The inode number in a handle. False: not a handle of this type. */
bool gfs_watched_inode(const struct gfs_watched_type *type, int32_t handle_type, const uint8_t *handle, uint32_t size,
                       uint64_t *inode);

/* ---- watch_event.c ---- */

/* Tells the views of what the events in the buffer are about. True: events were lost. */
bool gfs_watch_take(struct gfs_mount *mount, const void *buffer, size_t size, struct gfs_notices *notices);

#endif
