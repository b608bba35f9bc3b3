/*
 * A snapshot: the whole policy at one generation, in memory, immutable. Everything that a
 * snapshot lends (records, rights, strings) lives exactly as long as the snapshot, which its
 * reader holds by gfs_authority_enter() (authority.h) or by having loaded it.
 * All functions here are thread-safe and take no lock, except that the first
 * gfs_snapshot_rights() of a user computes, allocates and publishes with one compare-and-swap.
 */
#ifndef GUILDFS_SNAPSHOT_H
#define GUILDFS_SNAPSHOT_H

#include <stddef.h>

#include "guildfs/decision.h"
#include "guildfs/model.h"

struct gfs_snapshot;

struct gfs_user {
    gfs_id id;
    const char *uuid, *name;
    uint32_t uid, gid;
    bool suspended;
};

struct gfs_group {
    gfs_id id, organization;
    const char *uuid, *name;
};

struct gfs_share {
    gfs_id id, organization, group, project, owner;
    const struct gfs_share *parent; /* the share around it, or NULL */
    const char *uuid, *name, *title;
    const char *node_path; /* absolute */
    const char *path;      /* relative to node_path */
    enum gfs_kind kind;
    bool archived, overwrite_upload;
    int64_t unarchived_ns, grace_ns, quota_bytes, created_ns;
    enum gfs_data_mode data_mode;
    enum gfs_share_audit audit;
    enum gfs_on_revoke on_revoke;
};

/* Loads the whole policy. The caller owns *out. */
struct gfs_store;
int gfs_snapshot_load(struct gfs_store *store, struct gfs_snapshot **out, struct gfs_error *err) GFS_MUST_CHECK;
void gfs_snapshot_free(struct gfs_snapshot *snapshot);

uint64_t gfs_snapshot_generation(const struct gfs_snapshot *snapshot);
size_t gfs_snapshot_memory(const struct gfs_snapshot *snapshot); /* bytes it holds */
/*
 * The moment that it stands for, wall clock: when it was loaded, or when the authority made it
 * because something ended. Who compares two snapshots asks each for the rights at its own moment:
 * asked at one time, they would agree on what has ended.
 */
int64_t gfs_snapshot_loaded_ns(const struct gfs_snapshot *snapshot);

/* Lookups. NULL when there is none. */
const struct gfs_user *gfs_snapshot_user(const struct gfs_snapshot *snapshot, gfs_id id);
const struct gfs_user *gfs_snapshot_user_by_name(const struct gfs_snapshot *snapshot, const char *name);
const struct gfs_user *gfs_snapshot_user_by_uid(const struct gfs_snapshot *snapshot, uint32_t uid);
const struct gfs_user *gfs_snapshot_user_by_uuid(const struct gfs_snapshot *snapshot, const char *uuid);
const struct gfs_group *gfs_snapshot_group(const struct gfs_snapshot *snapshot, gfs_id id);
const struct gfs_share *gfs_snapshot_share(const struct gfs_snapshot *snapshot, gfs_id id);
/* Users in the order of their ids: i from 0 to count - 1. */
size_t gfs_snapshot_user_count(const struct gfs_snapshot *snapshot);
const struct gfs_user *gfs_snapshot_user_at(const struct gfs_snapshot *snapshot, size_t i);
size_t gfs_snapshot_share_count(const struct gfs_snapshot *snapshot);
const struct gfs_share *gfs_snapshot_share_at(const struct gfs_snapshot *snapshot, size_t i);
/* Shares directly nested in one, as an array of *count. */
const struct gfs_share *const *gfs_snapshot_nested(const struct gfs_snapshot *snapshot, gfs_id share, size_t *count);

/* ---- what one user holds ---- */

/* Of one user, in one snapshot, at one time. Where one is taken, NULL may be given: it holds nothing. */
struct gfs_rights;

/*
 * What the user holds, computed at the first call and kept in the snapshot. Expired memberships
 * and authorizations at now_ns are left out; when now_ns has passed the moment at which the next
 * one ends, the rights are computed anew (the old ones stay valid for who holds them). NULL only
 * when the user does not exist or memory is out: the caller denies.
 */
const struct gfs_rights *gfs_snapshot_rights(const struct gfs_snapshot *snapshot, gfs_id user, int64_t now_ns);

/*
 * Whether what a user holds, the places and groups of the user, or a share in which the user holds
 * anything, may differ between two snapshots; for a user of the second. False only when it is known
 * that nothing does. Cheap.
 */
bool gfs_snapshot_may_differ(const struct gfs_snapshot *before, const struct gfs_snapshot *after, gfs_id user);

/* When the next membership or authorization of this user ends; GFS_NEVER. */
int64_t gfs_rights_until(const struct gfs_rights *rights);

/*
 * Effective permissions on one share: the union over user, groups, teams, organization and
 * everyone, on the share, the shares around it and its project; cut by ceiling and account.
 * 0 when there are none. One hash probe.
 */
gfs_perms gfs_rights_on(const struct gfs_rights *rights, gfs_id share);

/* What the user's view holds. A share shows in each group of the user that it belongs to or is
 * authorized to; else, when it reaches the user through "everyone" alone, under public; else
 * under my. A nested share shows by itself only where the share around it does not show. Only
 * shares with View, Upload or Make Folder (in an archived share: with View). */
enum gfs_place_kind { GFS_PLACE_GROUP, GFS_PLACE_MY, GFS_PLACE_PUBLIC };

struct gfs_place {
    enum gfs_place_kind kind;
    const struct gfs_group *group; /* NULL but for GFS_PLACE_GROUP */
    const struct gfs_share *share;
    const char *name; /* the share's name; "name~xxxxxxxx" (end of its UUID) when another share of
                         this folder has that name and an older id */
};

/* Sorted by (place kind, group name, share kind, name), names by bytes. */
const struct gfs_place *gfs_rights_places(const struct gfs_rights *rights, size_t *count);

/* The groups of which the user is an active member, sorted by name. */
struct gfs_group_of_user {
    const struct gfs_group *group;
    enum gfs_role role;
};
const struct gfs_group_of_user *gfs_rights_groups(const struct gfs_rights *rights, size_t *count);

/*
 * The sources of a user's permissions on a share, for the explanation: at most `size` are
 * written, the number that there are is returned. `via` strings are written into text (cut when
 * it is too small). ceiling and suspended receive what gfs_effective() needs.
 * Not on the fast path: it walks the user's authorizations.
 */
size_t gfs_snapshot_sources(const struct gfs_snapshot *snapshot, gfs_id user, gfs_id share, int64_t now_ns,
                            struct gfs_source *sources, size_t size, char *text, size_t text_size, gfs_perms *ceiling,
                            bool *suspended);

#endif
