/*
 * Lock requests that wait. Each waits in a thread of its own, in flock(2) or fcntl(2), so that no
 * thread that serves requests ever blocks on a lock.
 */
#ifndef GUILDFS_FS_OPS_LOCK_WAIT_H
#define GUILDFS_FS_OPS_LOCK_WAIT_H

#include "fs/call.h"

/* How many lock requests may wait at once: in the whole mount, and of one view, so that nobody
 * takes all of them away from the others. */
enum { GFS_LOCK_WAITERS_MAX = 1024, GFS_LOCK_WAITERS_OF_VIEW_MAX = 256 };

struct gfs_lock_waiters;

/* One lock request, as it goes to the backing file. */
struct gfs_lock_request {
    int fd;
    bool whole_file;   /* flock(2); else an OFD lock of fcntl(2) */
    struct flock lock; /* for flock(2) only l_type counts */
};

/* Asks the backing's filesystem. 0, -EAGAIN when not waiting and taken, -EINTR when waiting and a
 * signal came, or another negative errno, never -ENOSYS. */
int gfs_lock_request_run(const struct gfs_lock_request *request, bool wait) GFS_MUST_CHECK;

int gfs_lock_waiters_new(struct gfs_lock_waiters **out) GFS_MUST_CHECK;

/*
 * Ends every waiter with EINTR, and refuses new ones. The session must still be there, since the
 * waiters answer. false when a waiter did not return from the backing filesystem within some
 * seconds: it goes on using what it has. May be called again.
 */
bool gfs_lock_waiters_stop(struct gfs_lock_waiters *waiters);

/* After a stop that said true. */
void gfs_lock_waiters_free(struct gfs_lock_waiters *waiters);

/*
 * Waits for the lock in a new thread, which at the end calls done(context, status), with 0,
 * -EINTR after a FUSE interrupt, or another negative errno, and then answers req with it. `view`
 * is only compared. 0; or -ENOLCK when too many wait or no thread could be had, -EINTR at
 * shutdown: then nothing was started, and the caller answers.
 */
int gfs_lock_wait(struct gfs_lock_waiters *waiters, fuse_req_t req, const void *view,
                  const struct gfs_lock_request *request, void (*done)(void *context, int status),
                  void *context) GFS_MUST_CHECK;

#endif
