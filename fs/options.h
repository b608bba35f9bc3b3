/*
 * The command line of guildfsd, and of mount.guildfs as mount(8) calls it.
 *
 * The table of mount options is the one description of them: parsing and --help are driven by
 * it, and a test holds the manual page against it.
 */
#ifndef GUILDFS_FS_OPTIONS_H
#define GUILDFS_FS_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "fs/mount.h"
#include "guildfs/error.h"

enum gfs_options_action {
    GFS_OPTIONS_SERVE,
    GFS_OPTIONS_CHECK_ONLY, /* mount -f: look at the options, do nothing */
    GFS_OPTIONS_HELP,
    GFS_OPTIONS_VERSION,
};

struct gfs_daemon_options {
    enum gfs_options_action action;
    struct gfs_mount_options mount; /* store and mountpoint as given, not resolved */
    char *log_file;                 /* NULL: standard error, or syslog in the background */
    bool io_uring;                  /* wanted, when kernel and libfuse have it */
    bool no_exec, no_atime;         /* flags of the mount */
    bool uid_given, gid_given;
};

struct gfs_option {
    const char *name;
    const char *value;         /* what stands behind "=", in capitals; NULL for a word */
    const char *default_value; /* as shown; NULL: none */
    const char *help;          /* one line; NULL: a word of fstab(5) that changes nothing */
    int (*apply)(struct gfs_daemon_options *options, const char *value, struct gfs_error *err);
};

/* Ended by a NULL name. Static data. */
extern const struct gfs_option gfs_option_table[];

/* Whether this argv[0] is that of the mount helper: mount.guildfs or mount.fuse.guildfs. */
bool gfs_options_is_helper(const char *program);

/*
 * Fills *out from the command line, as far as it went when it fails; free it in any case.
 * -EINVAL: wrong usage, err names what is wrong; -ENOMEM.
 */
int gfs_options_parse(int argc, char **argv, struct gfs_daemon_options *out, struct gfs_error *err) GFS_MUST_CHECK;
void gfs_options_free(struct gfs_daemon_options *options);

/* The text of --help. */
void gfs_options_help(FILE *stream, bool helper);

#endif
