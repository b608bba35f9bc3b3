/* Words of enumerations that more than one entity stores. Internal to core/store. */
#ifndef GUILDFS_CORE_STORE_WORDS_H
#define GUILDFS_CORE_STORE_WORDS_H

#include "core/store/db.h"

extern const struct gfs_words gfs_plan_words;
extern const struct gfs_words gfs_source_words;
extern const struct gfs_words gfs_user_status_words; /* by bool suspended */
extern const struct gfs_words gfs_role_words;
extern const struct gfs_words gfs_membership_status_words;
extern const struct gfs_words gfs_kind_words;
extern const struct gfs_words gfs_share_state_words;
extern const struct gfs_words gfs_overwrite_words; /* by bool overwrite_upload */
extern const struct gfs_words gfs_data_mode_words;
extern const struct gfs_words gfs_share_audit_words;
extern const struct gfs_words gfs_on_revoke_words;

/* A new UUID, as an error of the store when the system gives none. */
int gfs_store_uuid(char *uuid, struct gfs_error *err) GFS_MUST_CHECK;

#endif
