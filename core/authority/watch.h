/* The wake-up: tells when the database file of a store was written to. */
#ifndef GUILDFS_CORE_AUTHORITY_WATCH_H
#define GUILDFS_CORE_AUTHORITY_WATCH_H

#include <stdbool.h>

#include "guildfs/compiler.h"

/* Watches a store's directory. A descriptor for poll(2), or a negative errno of inotify. */
int gfs_watch_open(const char *directory) GFS_MUST_CHECK;

struct gfs_watch_news {
    bool written; /* the database may have changed */
    bool lost;    /* the directory is gone or was moved: the descriptor tells nothing any more */
};

/* Takes all that has happened so far. */
struct gfs_watch_news gfs_watch_read(int fd);

#endif
