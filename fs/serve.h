/*
 * Serving requests from /dev/fuse by few threads.
 *
 * Most of a small request's time is waking threads: the program's thread wakes ours, ours wakes the
 * program's. So one thread, the *leader*, does as much as it can: it takes a request, serves it
 * itself, and looks for the next one for a short while before it goes to sleep. How long it looks is
 * found out as the requests come (see gfs_poll_window in serve.c), and is nothing when they are rare.
 *
 * A request that takes long must not hold up the others. One more thread, the *watcher*, looks every
 * millisecond, while there are requests, whether the leader is still with the same one; then it
 * leads in the other's place, and the next thread watches. When requests queue up, the leader
 * offers the lead before it serves the one that it has.
 */
#ifndef GUILDFS_FS_SERVE_H
#define GUILDFS_FS_SERVE_H

#include "fs/mount.h"

/*
 * Serves until the session has exited or the mount is gone. A thread in here is woken by SIGUSR2 (with
 * a handler, without SA_RESTART) to see that the session has exited. Returns when no thread serves
 * any more. 0, -ENOMEM, -EAGAIN (no thread), or what reading the device ended with.
 */
int gfs_serve(struct fuse_session *session, unsigned max_threads) GFS_MUST_CHECK;

/*
 * For how long to look for the next request before sleeping. Like the halt polling of hypervisors: it
 * grows while requests follow each other closely, and rests for ever longer where looking was in
 * vain. All times in ns. For one thread at a time.
 */
struct gfs_poll_window {
    int64_t length_ns;
    unsigned rest, resting; /* sleeps for which it does not grow: next time, and still to come */
};
/* A request came while looking for it. */
void gfs_poll_window_hit(struct gfs_poll_window *window);
/* Another program took the processor meanwhile: whoever sends requests may want it, too. */
void gfs_poll_window_disturbed(struct gfs_poll_window *window);
/* It came after a sleep, this long after the last one was answered. */
void gfs_poll_window_missed(struct gfs_poll_window *window, int64_t waited_ns);

enum { GFS_POLL_MOST_NS = 100000 };

#endif
