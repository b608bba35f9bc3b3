/* Users. They are never removed, only suspended. */
#ifndef GUILDFS_CORE_STORE_USER_H
#define GUILDFS_CORE_STORE_USER_H

#include "core/store/tx.h"

struct gfs_user_record {
    gfs_id id;                /* given by the store */
    const char *uuid;         /* given by the store */
    const char *name;         /* unique */
    const char *display_name; /* NULL: none */
    const char *email;        /* unique, whatever its case; NULL: none */
    uint32_t uid, gid;        /* GFS_NO_UID where there is none; a uid belongs to one user */
    bool suspended;
    bool system_admin; /* may administer every organization */
    enum gfs_plan plan;
    enum gfs_identity_source source;
    const char *external_id; /* the identity provider's id; unique; NULL: none */
    int64_t created_ns;      /* shown */
    int64_t updated_ns;      /* shown */
};

/* A user as one begins: active, without uid, on the team plan, local. */
static inline struct gfs_user_record gfs_user_record_default(const char *name) {
    return (struct gfs_user_record){.name = name, .uid = GFS_NO_UID, .gid = GFS_NO_UID, .plan = GFS_PLAN_TEAM};
}

int gfs_store_user_add(struct gfs_tx *tx, const struct gfs_user_record *user, gfs_id *id, struct gfs_error *err)
    GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
/* Writes every member that is not given by the store. */
int gfs_store_user_update(struct gfs_tx *tx, const struct gfs_user_record *user, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;

int gfs_store_user_load(struct gfs_store *store, const char *name, struct gfs_user_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
int gfs_store_user_load_id(struct gfs_store *store, gfs_id id, struct gfs_user_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 3) GFS_MUST_CHECK;
int gfs_store_user_load_uid(struct gfs_store *store, uint32_t uid, struct gfs_user_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 3) GFS_MUST_CHECK;
int gfs_store_user_load_email(struct gfs_store *store, const char *email, struct gfs_user_record **out,
                              struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;

/* Sorted by name. */
int gfs_store_user_list(struct gfs_store *store, int (*each)(void *context, const struct gfs_user_record *user),
                        void *context, struct gfs_error *err) GFS_NONNULL(1, 2) GFS_MUST_CHECK;

#endif
