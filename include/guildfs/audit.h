/*
 * The log of what people do on a mount: STORE/audit/files-N.jsonl, one JSON object a line, and the
 * files that it was before it was rotated, files-N.NUMBER.jsonl. A daemon takes the first N that no
 * other daemon holds, so that each file has one writer.
 *
 * A name can hold any byte but '/' and NUL. It is written so that no name can end its string or its
 * line, and nothing acts on a terminal that shows the file: control and direction characters are
 * escaped. A name that is no UTF-8 has U+FFFD for what is wrong in it, and the exact bytes in a
 * second member of the same name with "_base64" behind it.
 *
 * What is not said to be thread-safe belongs to one thread at a time.
 */
#ifndef GUILDFS_AUDIT_H
#define GUILDFS_AUDIT_H

#include <jansson.h>
#include <stddef.h>

#include "guildfs/clock.h"
#include "guildfs/decision.h"

#define GFS_AUDIT_LINE_SIZE (96 * 1024) /* every event fits, with paths of PATH_MAX */

/* ---- lines ---- */

/* Something that was done, or refused. Strings are borrowed; NULL where nothing is known. */
struct gfs_audit_event {
    int64_t time_ns; /* wall clock */
    uint64_t generation;
    const char *mount;     /* the mountpoint */
    const char *operation; /* a name of core/authz/op.c */
    int error;             /* positive errno; 0: allowed */
    enum gfs_reason reason;
    const char *user, *user_uuid, *share, *share_uuid;
    const char *path, *new_path; /* relative to the share, "." for its root */
    uint64_t inode;              /* of the backing item */
    int64_t pid;                 /* 0: not visible */
    uint32_t uid;                /* of the request, which need not be the user's */
    const char *process;
    gfs_perms needed, missing;
    const struct gfs_source *sources; /* what gave the user what */
    size_t source_count;
    bool truncates; /* an open that empties the file */
    bool replaces;  /* a rename over something that existed */
    bool handle;    /* on a file that was opened earlier */
    bool flood;     /* stands for more than can be told one by one */
};

/* The line, '\n' at its end, without a NUL. The length; 0 when it does not fit. Thread-safe. */
size_t gfs_audit_encode(const struct gfs_audit_event *event, char *line, size_t size) GFS_NONNULL(1, 2);

/* "start", "stop" of a daemon; "lost", with how many lines. */
size_t gfs_audit_encode_note(const char *event, int64_t time_ns, const char *mount, uint64_t count, char *line,
                             size_t size) GFS_NONNULL(1, 3, 5);

/* The line once more, for `count` events that differ from it in time alone, the last at until_ns. */
size_t gfs_audit_encode_repeated(const char *first, size_t length, uint64_t count, int64_t until_ns, char *line,
                                 size_t size) GFS_NONNULL(1, 5);

/* ---- writing ---- */

struct gfs_audit_file;

/*
 * Opens the log of a store for appending, and makes STORE/audit (0700) and the file (0600) where
 * there are none. A file that would grow beyond limit_bytes is rotated first; of the rotated ones
 * the newest `keep` stay. Errors of open(2); -EUSERS when a thousand daemons write already; -EINVAL when
 * something else than a file has the name.
 */
int gfs_audit_file_open(const char *store, int64_t limit_bytes, unsigned keep, struct gfs_audit_file **out,
                        struct gfs_error *err) GFS_NONNULL(1, 4) GFS_MUST_CHECK;
void gfs_audit_file_close(struct gfs_audit_file *file);

/*
 * Appends whole lines. *written says how many bytes of them are in the file for good, also when it
 * fails; a line is in it whole or not at all.
 */
int gfs_audit_file_append(struct gfs_audit_file *file, const char *lines, size_t length, size_t *written)
    GFS_NONNULL(1, 2, 4) GFS_MUST_CHECK;

/* To the disk, with fdatasync(2). Also notices that the file was removed, and begins another. */
int gfs_audit_file_sync(struct gfs_audit_file *file) GFS_NONNULL(1) GFS_MUST_CHECK;

/* ---- reading ---- */

struct gfs_audit_reading {
    int64_t since_ns, until_ns; /* events from this moment to that one, both included */
    /* 0, or a negative errno that ends the reading and is returned. */
    int (*each)(void *context, const json_t *record, int64_t time_ns);
    void *context;
    uint64_t damaged; /* filled in: lines that are no record, the end of a crash for instance */
};

/* Reads all files of a store, each from its oldest line on; a daemon may be writing. A store without
 * a log has no records. */
int gfs_audit_read(const char *store, struct gfs_audit_reading *reading, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;

/* The bytes of "path" or "new_path" as they are on the disk, ended by a NUL, to free(3); NULL when
 * there are none. */
char *gfs_audit_bytes(const json_t *record, const char *member) GFS_NONNULL(2);

/* The bytes for people: what a terminal could act on, and what is no UTF-8, as \xHH; a backslash
 * doubled. To free(3); NULL when memory is out. */
char *gfs_audit_shown(const char *bytes) GFS_NONNULL(1);

/* "2026-03-01T12:00:00.123456789Z" as the log has it. */
#define GFS_AUDIT_TIME_SIZE 32
void gfs_audit_time_format(int64_t ns, char text[static GFS_AUDIT_TIME_SIZE]);
int gfs_audit_time_parse(const char *text, int64_t *ns) GFS_MUST_CHECK;

#endif
