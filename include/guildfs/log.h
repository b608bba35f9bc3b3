/*
 * The log: one key=value line per event on standard error (or syslog when the daemon is in the
 * background), with the <N> priority prefix that journald understands. Values are quoted and
 * escaped, so that no file name can forge a line. File contents are never logged. Thread-safe:
 * one write(2) per line.
 */
#ifndef GUILDFS_LOG_H
#define GUILDFS_LOG_H

#include <stdbool.h>

#include "guildfs/compiler.h"

enum gfs_log_level { GFS_LOG_ERROR = 3, GFS_LOG_WARNING = 4, GFS_LOG_NOTICE = 5, GFS_LOG_INFO = 6, GFS_LOG_DEBUG = 7 };

/* Lines above this level are dropped. Default GFS_LOG_NOTICE. May be called at any time. */
void gfs_log_set_level(enum gfs_log_level level);
enum gfs_log_level gfs_log_level(void);

/* From now on lines go to syslog(3) under this identity, instead of standard error. */
void gfs_log_use_syslog(const char *ident) GFS_NONNULL(1);

/*
 * gfs_log(GFS_LOG_NOTICE, "mounted", "mountpoint=%s views=%d", dir, n) writes
 * `<5>event=mounted mountpoint="/mnt/guild" views=3`. The format is a list of key=conversion
 * pairs, separated by one space; a %s value is quoted. At most 2048 bytes; longer ones are cut.
 */
void gfs_log(enum gfs_log_level level, const char *event, const char *format, ...) GFS_PRINTF(3, 4) GFS_NONNULL(2, 3);

#endif
