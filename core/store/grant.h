/* Authorizations (grants): one row per subject and object. */
#ifndef GUILDFS_CORE_STORE_GRANT_H
#define GUILDFS_CORE_STORE_GRANT_H

#include "core/store/tx.h"

struct gfs_grant_record {
    gfs_id id; /* given by the store */
    enum gfs_subject_kind subject_kind;
    gfs_id subject; /* 0 for everyone */
    enum gfs_object_kind object_kind;
    gfs_id object;
    gfs_perms perms;                        /* replaces what is there: adding to it is the caller's business */
    int64_t expires_ns;                     /* GFS_NEVER */
    bool may_grant;                         /* the subject may authorize others to the object */
    gfs_id granted_by;                      /* 0: the system */
    int64_t created_ns;                     /* shown */
    int64_t updated_ns;                     /* shown */
    const char *subject_name, *object_name; /* shown; the first is NULL for everyone */
};

/* Adds, or changes what the subject has on the object. */
int gfs_store_grant_put(struct gfs_tx *tx, const struct gfs_grant_record *grant, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* Of the key (the four members subject and object) in `grant`. -ENOENT. */
int gfs_store_grant_remove(struct gfs_tx *tx, const struct gfs_grant_record *grant, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* Same key. -ENOENT. */
int gfs_store_grant_load(struct gfs_store *store, const struct gfs_grant_record *key, struct gfs_grant_record **out,
                         struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;

/* On one object; sorted by kind and name of the subject. */
int gfs_store_grant_list_object(struct gfs_store *store, enum gfs_object_kind kind, gfs_id object,
                                int (*each)(void *context, const struct gfs_grant_record *grant), void *context,
                                struct gfs_error *err) GFS_NONNULL(1, 4) GFS_MUST_CHECK;
/* To one subject; sorted by kind and name of the object. */
int gfs_store_grant_list_subject(struct gfs_store *store, enum gfs_subject_kind kind, gfs_id subject,
                                 int (*each)(void *context, const struct gfs_grant_record *grant), void *context,
                                 struct gfs_error *err) GFS_NONNULL(1, 4) GFS_MUST_CHECK;

#endif
