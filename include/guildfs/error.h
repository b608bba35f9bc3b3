/*
 * Errors.
 *
 * Inside the program a function returns 0 or a negative errno, and leaves its out-parameters
 * untouched when it fails. A denial is no error: it is a struct gfs_decision (decision.h) until
 * the guard turns it into an errno. Paths that a person reads the outcome of (configuration,
 * administration, the command line) also fill a struct gfs_error with one line that says what
 * is wrong and what to do about it.
 */
#ifndef GUILDFS_ERROR_H
#define GUILDFS_ERROR_H

#include "guildfs/compiler.h"

/* Exit codes of every program of the project. */
enum gfs_exit {
    GFS_EXIT_DONE = 0,
    GFS_EXIT_FAILED = 1,
    GFS_EXIT_USAGE = 2,
    GFS_EXIT_DENIED = 3,
};

struct gfs_error {
    int code;           /* positive errno; 0 while nothing went wrong */
    char message[1024]; /* one line of UTF-8, no newline at its end, always terminated */
};

/*
 * Fills err (which may be NULL) and returns -code, so that a caller can write
 * `return gfs_error_set(err, EINVAL, "...")`. Control characters that a formatted argument
 * brings along are replaced by '?', so that a name cannot forge a second line.
 */
int gfs_error_set(struct gfs_error *err, int code, const char *format, ...) GFS_PRINTF(3, 4);

/* Puts "context: " before the message that is there. Returns -err->code. */
int gfs_error_prefix(struct gfs_error *err, const char *format, ...) GFS_PRINTF(2, 3) GFS_NONNULL(1);

#endif
