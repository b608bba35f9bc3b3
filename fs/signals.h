/*
 * Signals, taken by one thread that does nothing else: so what they set off runs in ordinary
 * code, and never in a thread that serves requests.
 *     SIGTERM, SIGINT  stop        SIGHUP  reload        SIGUSR1  report
 */
#ifndef GUILDFS_FS_SIGNALS_H
#define GUILDFS_FS_SIGNALS_H

#include <stdbool.h>

#include "guildfs/error.h"

struct gfs_signals;

struct gfs_signal_actions {
    void (*stop)(void *context, struct gfs_signals *signals); /* once, at the first signal */
    void (*reload)(void *context);
    void (*report)(void *context);
    void (*tick)(void *context); /* every tick_ms, unless that is 0; not while another action runs */
    int tick_ms;
    void *context;
};

/* Blocks them in this thread, and so in those that it starts: before there is a second one. */
int gfs_signals_block(struct gfs_error *err) GFS_MUST_CHECK;

int gfs_signals_start(const struct gfs_signal_actions *actions, struct gfs_signals **out,
                      struct gfs_error *err) GFS_MUST_CHECK;

/* For the stop action: waits until gfs_signals_end() is called. false: it was not, in that time. */
bool gfs_signals_await_end(struct gfs_signals *signals, int timeout_ms);

/* Ends the thread, and frees. An action that is running is waited for. */
void gfs_signals_end(struct gfs_signals *signals);

#endif
