/*
 * Administration: the use cases. Each checks what it is given, asks whether the actor may
 * (core/admin/may.c, the one place), and does all its work in one transaction, which writes the
 * audit row and raises the generation as well. When it fails nothing has changed, on disk neither.
 *
 * All return 0 or a negative errno with err filled: EINVAL when what was written can never be right
 * (a bad name, a reference that means several shares), EPERM when the actor may not, ENOENT (no such user, group,
 * share), EEXIST, and what the store says (store.h, core/store/record.h). A struct gfs_store belongs to one thread at a
 * time.
 */
#ifndef GUILDFS_ADMIN_H
#define GUILDFS_ADMIN_H

#include "guildfs/model.h"
#include "guildfs/store.h"
#include "guildfs/uuid.h"

/* ---- who acts ---- */

struct gfs_actor {
    const char *user; /* the acting person's name; NULL: the system administrator (root) */
    char from[192];   /* where from, for the audit: "tty=/dev/pts/3 pid=77 host=x login=1000" */
};

/* Fills `from` with where this process was called from. */
void gfs_actor_origin(struct gfs_actor *actor) GFS_NONNULL(1);

/* 0 when the actor may administer the store; -ENOENT when there is no such person, -EPERM.
 * *acting (unless NULL) receives the person's id, 0 for the system administrator. */
int gfs_may_administer(struct gfs_store *store, const struct gfs_actor *actor, gfs_id *acting, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;

/*
 * What is read comes as the store's records (core/store/user.h and so on). `each` functions lend
 * them for the call; a callback returns 0, or a negative errno that ends the walk and is returned.
 * `load` functions give the caller a record to free(3).
 */

/* ---- users ---- */

int gfs_admin_user_add(struct gfs_store *store, const struct gfs_actor *actor, const char *name, uint32_t uid,
                       uint32_t gid, struct gfs_error *err) GFS_MUST_CHECK;

struct gfs_user_change {
    bool set_uid, set_gid, set_suspended; /* which of the following are changed */
    uint32_t uid, gid;
    bool suspended;
};
int gfs_admin_user_set(struct gfs_store *store, const struct gfs_actor *actor, const char *name,
                       const struct gfs_user_change *change, struct gfs_error *err) GFS_MUST_CHECK;

struct gfs_user_record;
int gfs_admin_user_load(struct gfs_store *store, const struct gfs_actor *actor, const char *name,
                        struct gfs_user_record **out, struct gfs_error *err) GFS_MUST_CHECK;
int gfs_admin_user_each(struct gfs_store *store, const struct gfs_actor *actor,
                        int (*each)(void *context, const struct gfs_user_record *user), void *context,
                        struct gfs_error *err) GFS_MUST_CHECK;

/* ---- groups and members ---- */

int gfs_admin_group_add(struct gfs_store *store, const struct gfs_actor *actor, const char *name,
                        struct gfs_error *err) GFS_MUST_CHECK;

struct gfs_group_record;
int gfs_admin_group_load(struct gfs_store *store, const struct gfs_actor *actor, const char *name,
                         struct gfs_group_record **out, struct gfs_error *err) GFS_MUST_CHECK;
int gfs_admin_group_each(struct gfs_store *store, const struct gfs_actor *actor,
                         int (*each)(void *context, const struct gfs_group_record *group), void *context,
                         struct gfs_error *err) GFS_MUST_CHECK;

/* Makes the user an accepted member; a member already gets the role and the end given. The role
 * owner gives the group to the user. */
int gfs_admin_member_add(struct gfs_store *store, const struct gfs_actor *actor, const char *group, const char *user,
                         enum gfs_role role, int64_t expires_ns, struct gfs_error *err) GFS_MUST_CHECK;
int gfs_admin_member_remove(struct gfs_store *store, const struct gfs_actor *actor, const char *group, const char *user,
                            struct gfs_error *err) GFS_MUST_CHECK;

struct gfs_membership_record;
/* Of the group, or (group NULL) of the user in all groups. */
int gfs_admin_member_each(struct gfs_store *store, const struct gfs_actor *actor, const char *group, const char *user,
                          int (*each)(void *context, const struct gfs_membership_record *membership), void *context,
                          struct gfs_error *err) GFS_MUST_CHECK;

/* ---- shares ---- */

enum gfs_share_option {
    GFS_SET_OVERWRITE = 1 << 0,
    GFS_SET_GRACE = 1 << 1,
    GFS_SET_QUOTA = 1 << 2,
    GFS_SET_STATE = 1 << 3,
    GFS_SET_DATA = 1 << 4,
    GFS_SET_TITLE = 1 << 5,
    GFS_SET_OWNER = 1 << 6,
    GFS_SET_AUDIT = 1 << 7,
    GFS_SET_ON_REVOKE = 1 << 8,
};

struct gfs_share_options {
    unsigned set; /* of enum gfs_share_option: which of the following are changed */
    bool overwrite_upload;
    int64_t grace_ns, quota_bytes; /* quota 0: none */
    enum gfs_share_state state;
    enum gfs_data_mode data_mode;
    enum gfs_share_audit audit;
    enum gfs_on_revoke on_revoke;
    const char *title, *owner; /* borrowed; owner "": nobody */
};

/* "overwrite=upload": adds one option. -EINVAL with a message that says what is possible. */
int gfs_share_option_parse(const char *assignment, struct gfs_share_options *options,
                           struct gfs_error *err) GFS_MUST_CHECK;

struct gfs_new_share {
    const char *name;
    const char *group; /* NULL: none */
    enum gfs_kind kind;
    const char *node;      /* its name; NULL: "default" */
    const char *in;        /* SHARE/sub/path, to nest the share there; NULL */
    const char *directory; /* to adopt: an existing directory, any path; NULL */
    struct gfs_share_options options;
};

/*
 * Makes the share and its directory; or with `directory` makes that directory a share where it
 * lies. Then `in` is the share in which it lies, and `node` is not used. A directory is refused
 * when it holds the store or lies in it (but below data/), lies in or around another share
 * (without `in`), or is a symlink.
 * uuid receives the share's, which every function here takes for a reference.
 */
int gfs_admin_share_add(struct gfs_store *store, const struct gfs_actor *actor, const struct gfs_new_share *share,
                        char uuid[static GFS_UUID_SIZE], struct gfs_error *err) GFS_MUST_CHECK;

/* reference: NAME when one share alone is called so, else GROUP/KINDFOLDER/NAME. */
int gfs_admin_share_set(struct gfs_store *store, const struct gfs_actor *actor, const char *reference,
                        const struct gfs_share_options *options, struct gfs_error *err) GFS_MUST_CHECK;

struct gfs_share_record;
int gfs_admin_share_load(struct gfs_store *store, const struct gfs_actor *actor, const char *reference,
                         struct gfs_share_record **out, struct gfs_error *err) GFS_MUST_CHECK;
/* Of the group; or all of them (group NULL). */
int gfs_admin_share_each(struct gfs_store *store, const struct gfs_actor *actor, const char *group,
                         int (*each)(void *context, const struct gfs_share_record *share), void *context,
                         struct gfs_error *err) GFS_MUST_CHECK;

/* ---- authorizations ---- */

/*
 * subject: "user:NAME", "group:NAME", "team:NAME", "organization:NAME" or "everyone". reference: as
 * above, "share:" before it if liked.
 * Adds perms to what the subject has. An authorization has one end: where the one that is there
 * ends at another time than expires_ns, and gives something that is not in perms, -EEXIST, since
 * that would silently be prolonged or cut short.
 */
int gfs_admin_grant(struct gfs_store *store, const struct gfs_actor *actor, const char *subject, const char *reference,
                    gfs_perms perms, int64_t expires_ns, struct gfs_error *err) GFS_MUST_CHECK;
/* Takes perms away; the authorization goes with its last permission. -ENOENT when it gives none of
 * them. */
int gfs_admin_revoke(struct gfs_store *store, const struct gfs_actor *actor, const char *subject, const char *reference,
                     gfs_perms perms, struct gfs_error *err) GFS_MUST_CHECK;

struct gfs_grant_record;
int gfs_admin_grant_each(struct gfs_store *store, const struct gfs_actor *actor, const char *reference,
                         int (*each)(void *context, const struct gfs_grant_record *grant), void *context,
                         struct gfs_error *err) GFS_MUST_CHECK;

/* ---- the audit ---- */

struct gfs_audit_entry;
/* What was administered from since_ns on, oldest first. */
int gfs_admin_audit_each(struct gfs_store *store, const struct gfs_actor *actor, int64_t since_ns,
                         int (*each)(void *context, const struct gfs_audit_entry *entry), void *context,
                         struct gfs_error *err) GFS_MUST_CHECK;

#endif
