/*
 * The connection to the kernel: making it, mounting it, serving it, and ending it so that the
 * mount is gone in any case.
 */
#ifndef GUILDFS_FS_SESSION_H
#define GUILDFS_FS_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "fs/options.h"
#include "fs/signals.h"

/* Fills mount->session. No request arrives before it is mounted. */
int gfs_session_new(struct gfs_mount *mount, const struct gfs_daemon_options *options,
                    struct gfs_error *err) GFS_MUST_CHECK;

/* Mounts on mount->options.mountpoint. *device is the mount's st_dev. */
int gfs_session_mount(struct gfs_mount *mount, dev_t *device, struct gfs_error *err) GFS_MUST_CHECK;

/* Serves until the mount is gone or gfs_session_stop() is called. */
int gfs_session_serve(struct gfs_mount *mount, struct gfs_error *err) GFS_MUST_CHECK;

/*
 * Ends a session that is being served, from another thread.
 * 1. While requests are still served, the mount is unmounted as umount(8) does it: what programs
 *    wrote into mappings arrives. A busy mount is tried for one second.
 * 2. gfs_session_serve() is made to return; the caller then calls gfs_session_detach(), which
 *    takes a busy mount away from its users, ends what works on the mount, and calls
 *    gfs_signals_end().
 * 3. When that has not happened five seconds later (an operation hangs, on a dead file server,
 *    say), the mount is torn off by force, and the process ends with exit code 1.
 */
struct gfs_session_stop {
    /* set before the session is served */
    struct gfs_mount *mount;
    pthread_t server;
    dev_t device;
    void (*give_up)(void *context); /* called before the process ends by force */
    void *context;
    /* its own */
    _Atomic bool served; /* gfs_session_serve() has returned */
    pthread_t unmounter;
    _Atomic int unmounter_state;
};
void gfs_session_stop(struct gfs_session_stop *stop, struct gfs_signals *signals);

/* After gfs_session_serve(): takes the mount away if it is still there, and ends the connection:
 * from now on no thread waits for the kernel. */
void gfs_session_detach(struct gfs_session_stop *stop);

/* After that and gfs_signals_end(), when no thread uses the session any more: closes the
 * connection and frees the session. */
void gfs_session_close(struct gfs_session_stop *stop);

/* Frees a session that was never mounted; does nothing when there is none. */
void gfs_session_free(struct gfs_mount *mount);

#endif
