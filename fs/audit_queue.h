/*
 * The queue between requests and the one thread that writes the log of the mount. It has a fixed
 * size; a line that finds no room is lost, and counted, so that no request ever waits for a disk.
 *
 * What is refused in a loop would push everything else out. So a denial that equals one of the
 * present second is only counted: the log has the first one, and then a line that says how many
 * more there were. And a user has 20 lines of denials a second, 200 of them in advance; what goes
 * beyond is counted together, whatever it was.
 */
#ifndef GUILDFS_FS_AUDIT_QUEUE_H
#define GUILDFS_FS_AUDIT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guildfs/error.h"

struct gfs_audit;

struct gfs_audit_options {
    const char *store, *mount; /* copied */
    int64_t limit_bytes;       /* of a file, before it is rotated */
    unsigned keep;             /* rotated files */
    size_t queue_bytes;        /* 0: 4 MiB */
};

int gfs_audit_new(const struct gfs_audit_options *options, struct gfs_audit **out) GFS_MUST_CHECK;
/* Starts the writer. Until it runs, lines gather in the queue. */
int gfs_audit_start(struct gfs_audit *audit) GFS_MUST_CHECK;
/* Writes what is in the queue, and ends the writer; leaves it behind when the disk hangs. */
void gfs_audit_stop(struct gfs_audit *audit);
void gfs_audit_free(struct gfs_audit *audit);

/* A whole line. false: there is no room, and the line is counted as lost. */
bool gfs_audit_push(struct gfs_audit *audit, const char *line, size_t length);

/* What makes two denials equal. All of it is compared; unused bytes are 0. */
struct gfs_audit_key {
    uint64_t view, device, inode, folder;
    int64_t pid;
    int32_t operation, error;
    char name[256], new_name[256];
};

enum gfs_audit_merged {
    GFS_AUDIT_FIRST,   /* to be pushed with its key */
    GFS_AUDIT_COUNTED, /* with one that was pushed */
    GFS_AUDIT_FLOOD,   /* to be pushed with its key, which has changed: it stands for all that is
                          refused to the user now, so the line must not tell of one thing */
};
enum gfs_audit_merged gfs_audit_merge(struct gfs_audit *audit, struct gfs_audit_key *key, int64_t now_ns);
void gfs_audit_push_denial(struct gfs_audit *audit, const struct gfs_audit_key *key, int64_t now_ns, const char *line,
                           size_t length);

struct gfs_audit_status {
    uint64_t written, lost, merged; /* lines; denials counted with an equal one */
    char problem[256];              /* why the log cannot be written; "" when it can */
};
void gfs_audit_status(struct gfs_audit *audit, struct gfs_audit_status *out);

#endif
