/* Shares. */
#ifndef GUILDFS_CORE_STORE_SHARE_H
#define GUILDFS_CORE_STORE_SHARE_H

#include "core/store/tx.h"

struct gfs_share_record {
    gfs_id id; /* given by the store */
    gfs_id organization;
    gfs_id group;            /* 0: in no group */
    gfs_id project;          /* 0: in no project */
    gfs_id parent;           /* the share around it; 0: none. Stays as it is for ever */
    gfs_id owner;            /* 0: nobody; a capsule has one */
    gfs_id node;             /* stays as it is for ever, like path */
    const char *uuid;        /* given by the store */
    const char *name;        /* unique among the shares of its group and kind; in no group: of its owner and kind */
    const char *title;       /* NULL: none */
    const char *description; /* NULL: none */
    const char *path;        /* relative to the node; NULL when adding: the share's own UUID */
    enum gfs_kind kind;      /* stays as it is for ever */
    enum gfs_share_state state;
    int64_t archived_ns;   /* shown: when it last went into the archive; 0: never */
    int64_t unarchived_ns; /* shown: when it last came back; 0: never */
    int64_t grace_ns;
    bool overwrite_upload;
    int64_t quota_bytes; /* 0: none */
    enum gfs_data_mode data_mode;
    enum gfs_share_audit audit;
    int64_t bin_days;   /* how long removed items are kept; 0: not at all */
    int64_t purge_days; /* items untouched for so long are removed; 0: never */
    enum gfs_on_revoke on_revoke;
    bool discoverable;       /* who has no right to it may see name, title and owner, and ask for access */
    int64_t published_ns;    /* since when everyone may read it; 0: it is not published */
    gfs_id published_by;     /* 0: nobody, or the system */
    const char *work_status; /* what its people say about it; NULL: nothing */
    gfs_id copied_from;      /* the share that it is a copy of; 0: none */
    bool permanent;          /* a copy that its former owner may not remove */
    gfs_id created_by;       /* 0: the system */
    int64_t created_ns;      /* shown */
    int64_t updated_ns;      /* shown */
    /* shown; NULL where there is none */
    const char *organization_name, *group_name, *project_name, *parent_name, *owner_name, *node_name;
    const char *node_path; /* shown: absolute */
};

/* A share as one begins: active, grace one hour, overwrite=delete, no quota, on the default node in
 * the default organization, data mode as its kind has it (fast: volume, image). */
struct gfs_share_record gfs_share_record_default(const char *name, enum gfs_kind kind);

/*
 * The directory is the caller's business. parent's node and a path inside parent's path are
 * required of a nested share. -EEXIST when a share has the directory or the name; -EINVAL when it
 * lies in, or around, a share that is not its parent.
 */
int gfs_store_share_add(struct gfs_tx *tx, const struct gfs_share_record *share, gfs_id *id, struct gfs_error *err)
    GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
/* Writes what may change. A change of state sets archived_ns or unarchived_ns. */
int gfs_store_share_update(struct gfs_tx *tx, const struct gfs_share_record *share, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;
/* Forgets the share and its authorizations; the directory stays. -EBUSY while shares are nested in it. */
int gfs_store_share_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) GFS_NONNULL(1) GFS_MUST_CHECK;

int gfs_store_share_load_id(struct gfs_store *store, gfs_id id, struct gfs_share_record **out, struct gfs_error *err)
    GFS_NONNULL(1, 3) GFS_MUST_CHECK;
/*
 * By reference: GROUP/KINDFOLDER/NAME ("genomics/files/atlas"), or NAME where only one share has
 * it, or the UUID. -ENOENT; -EINVAL when the name is not unique, and err lists references that are.
 */
int gfs_store_share_load(struct gfs_store *store, const char *reference, struct gfs_share_record **out,
                         struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;
/* A reference with a path in the share behind it: "atlas/2026/a.txt". *rest points into text, at
 * the path without a '/' before it; "" when there is none. */
int gfs_store_share_resolve(struct gfs_store *store, const char *text, struct gfs_share_record **out, const char **rest,
                            struct gfs_error *err) GFS_NONNULL(1, 2, 3, 4) GFS_MUST_CHECK;
/* Which shares; 0 means any. Sorted by group (none first), kind and name. */
struct gfs_share_filter {
    gfs_id organization, group, project, parent, owner, node;
};
int gfs_store_share_list(struct gfs_store *store, const struct gfs_share_filter *filter,
                         int (*each)(void *context, const struct gfs_share_record *share), void *context,
                         struct gfs_error *err) GFS_NONNULL(1, 2, 3) GFS_MUST_CHECK;

#endif
