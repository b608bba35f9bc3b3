/* Reading the audit and the change feed. Writing: tx.h. */
#ifndef GUILDFS_CORE_STORE_AUDIT_H
#define GUILDFS_CORE_STORE_AUDIT_H

#include "core/store/tx.h"

/* Which rows. Zeroed: all of them. */
struct gfs_audit_filter {
    int64_t after_id;        /* only rows with a greater id */
    int64_t since_ns;        /* not before this time */
    gfs_id actor;            /* 0: anybody */
    const char *object_kind; /* NULL: anything */
    gfs_id object;           /* 0: any */
    int64_t limit;           /* 0: none */
};

/* Oldest first. */
int gfs_store_audit_list(struct gfs_store *store, const struct gfs_audit_filter *filter,
                         int (*each)(void *context, const struct gfs_audit_entry *entry), void *context,
                         struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;

struct gfs_change_record {
    uint64_t generation; /* the one that brought it */
    const char *entity;
    gfs_id id;
    enum gfs_change what;
};

/* What changed in the generations after `since`, in the order it was done. */
int gfs_store_change_list(struct gfs_store *store, uint64_t since,
                          int (*each)(void *context, const struct gfs_change_record *change), void *context,
                          struct gfs_error *err) GFS_NONNULL(1, 3) GFS_MUST_CHECK;

#endif
