/* Denials that equal each other within a second: a fixed table, under the audit queue's lock. */
#ifndef GUILDFS_FS_AUDIT_REPEATS_H
#define GUILDFS_FS_AUDIT_REPEATS_H

#include "fs/audit_queue.h"

struct gfs_audit_repeats;
typedef bool gfs_audit_take(void *context, const char *line, size_t length);

struct gfs_audit_repeats *gfs_audit_repeats_new(void);
void gfs_audit_repeats_free(struct gfs_audit_repeats *repeats);

/* Counts one more of what began within the last second. */
enum gfs_audit_merged gfs_audit_repeats_count(struct gfs_audit_repeats *repeats, struct gfs_audit_key *key,
                                              int64_t now_ns);
/* From now on equal ones are counted. What gives way to it is handed to take. */
void gfs_audit_repeats_begin(struct gfs_audit_repeats *repeats, const struct gfs_audit_key *key, int64_t now_ns,
                             const char *line, size_t length, gfs_audit_take *take, void *context);
/* Hands over the counts of all whose second is over. */
void gfs_audit_repeats_flush(struct gfs_audit_repeats *repeats, int64_t now_ns, gfs_audit_take *take, void *context);
/* Whether anything has been counted that was not handed over. */
bool gfs_audit_repeats_pending(const struct gfs_audit_repeats *repeats);

#endif
