/*
 * The start of the daemon, as others see it: who started it learns in one line whether it
 * serves. In the background form the parent waits, and ends with 0 only when the mount answers.
 */
#ifndef GUILDFS_FS_BACKGROUND_H
#define GUILDFS_FS_BACKGROUND_H

#include <stdatomic.h>
#include <stdbool.h>

#include "guildfs/error.h"

/* Where the outcome goes. Thread-safe: what is reported first counts, the rest is dropped. */
struct gfs_report {
    const char *program; /* before the error line */
    _Atomic int fd;      /* to the waiting parent, or standard error; -1: reported */
    bool to_parent;
};

/* Reports to standard error: for the foreground, and until gfs_background_enter(). */
void gfs_report_new(struct gfs_report *report, const char *program);

/*
 * Goes into the background: a child that is the leader of a session of its own, in "/", without
 * a terminal. Returns 0 in the child. In the parent it returns 1 when the child has reported or
 * died, or has said nothing for 60 seconds (then it is told to end), with the exit code for the
 * parent. The caller must be the only thread. Negative errno when it cannot fork.
 */
int gfs_background_enter(struct gfs_report *report, enum gfs_exit *parent_exit, struct gfs_error *err) GFS_MUST_CHECK;

void gfs_report_ready(struct gfs_report *report);
void gfs_report_failure(struct gfs_report *report, const struct gfs_error *err);
/* Whether anything has been reported. */
bool gfs_report_done(struct gfs_report *report);

/* Sends one line to the service manager that started us, see sd_notify(3). Does nothing when
 * there is none. */
void gfs_service_notify(const char *state);

/* How often the service manager wants to hear that all is well, in milliseconds: half of the time after which it
 * would kill us. 0: it does not. */
int gfs_service_watchdog_ms(void);

/* From now on standard error, and so the log, goes to the end of this file. Call it again after
 * the file was rotated away. */
int gfs_log_to_file(const char *file, struct gfs_error *err) GFS_MUST_CHECK;

#endif
