/*
 * A policy: what the store held at one generation, with integer indexes in the place of ids. It is
 * immutable once it is made, and counted: two snapshots that differ only in their moment (an
 * authorization ended between them) share one.
 *
 * The first policy after a whole load is built at once (builder.c); the next ones are made from it
 * in steps (delta.c), each of which shares with the one before all that did not change. Together
 * they are a family. Within a family an index, once given to something, is never given to anything
 * else; the record at it is NULL before the thing came and after it went. The maps from ids, names
 * and the like are one for the whole family and may tell an index that is not (or no longer) right
 * in a policy: so every lookup compares with the record.
 *
 * Principals, whoever an authorization can be given to, are a kind and an index in one number;
 * objects, what one can be given on, are a share or a project and its index.
 *
 * Whatever is a list is sorted by the number of what the row is about.
 */
#ifndef GUILDFS_CORE_AUTHORITY_POLICY_H
#define GUILDFS_CORE_AUTHORITY_POLICY_H

#include <stdatomic.h>

#include "core/authority/arena.h"
#include "core/authority/list.h"
#include "core/authority/map.h"
#include "core/authority/vector.h"
#include "guildfs/snapshot.h"

struct gfs_named {
    gfs_id id;
    const char *name;
};

struct gfs_project {
    gfs_id id;
    const char *name;
    uint32_t parent; /* the project around it; GFS_NONE */
};

struct gfs_organization {
    gfs_id id;
    const char *name;
    uint32_t ceiling; /* its number among the ceilings; GFS_NONE: none */
    gfs_perms group_admin_capsule_perms;
    gfs_perms organization_admin_perms;
};

struct gfs_ceiling {
    uint32_t group; /* whose members are not cut; GFS_NONE: nobody is exempt */
    gfs_perms perms;
};

/* Where a share stands, by index; GFS_NONE where it stands nowhere. */
struct gfs_share_links {
    uint32_t parent, project, organization, group, owner;
};

struct gfs_share_record {
    struct gfs_share share;
    struct gfs_share_links links;
};

/* Rows of lists. The first number is the key while the builder sorts them, and of no use later; the
 * second is what they are sorted by. */
struct gfs_membership { /* accepted ones only */
    uint32_t user;
    uint32_t group;
    int64_t expires_ns;
    enum gfs_role role;
};

struct gfs_organization_membership {
    uint32_t user;
    uint32_t organization;
    int64_t expires_ns;
    bool admin;
};

struct gfs_grant {
    uint32_t principal;
    uint32_t object;
    int64_t expires_ns;
    gfs_perms perms;
};

#define GFS_PRINCIPAL_KINDS 5u /* enum gfs_subject_kind */

struct gfs_family;

struct gfs_policy {
    atomic_uint holders; /* snapshots that use it */
    struct gfs_family *family;
    struct gfs_policy *newer; /* made from it; NULL */
    struct gfs_list garbage;  /* what the newer one does not share: freed with this one */
    uint64_t version;

    /* Records, by index. */
    struct gfs_vector organizations; /* struct gfs_organization */
    struct gfs_vector users;         /* struct gfs_user */
    struct gfs_vector groups;        /* struct gfs_group */
    struct gfs_vector teams;         /* struct gfs_named */
    struct gfs_vector projects;      /* struct gfs_project */
    struct gfs_vector shares;        /* struct gfs_share_record */
    struct gfs_vector ceilings;      /* struct gfs_ceiling, by number */

    struct gfs_map organization_by_id, user_by_id, group_by_id, team_by_id, project_by_id, share_by_id;
    struct gfs_map user_by_name, user_by_uuid, user_by_uid;

    /* Lists of rows, by index. */
    struct gfs_vector memberships;                 /* struct gfs_membership, by user */
    struct gfs_vector organization_memberships;    /* struct gfs_organization_membership, by user */
    struct gfs_vector grants[GFS_PRINCIPAL_KINDS]; /* struct gfs_grant, by kind and index of the principal */

    /* Lists of indexes. */
    struct gfs_vector teams_of[GFS_SUBJECT_TEAM + 1]; /* teams in which a user, group or team is directly */
    struct gfs_vector owned;                          /* shares by the user who owns them */
    struct gfs_vector capsules;                       /* capsules by group */
    struct gfs_vector shares_of_organization;         /* shares by organization */
    struct gfs_vector shares_of_project;              /* shares by project, directly */
    struct gfs_vector projects_in;                    /* projects by the project around them */
    struct gfs_vector children;                       /* shares by the share around them */
    struct gfs_vector ceilings_of_group;              /* ceilings by the group that is exempt */

    /* The other way round: who is touched by a change of a group, team or organization. */
    struct gfs_vector members;              /* users by group */
    struct gfs_vector organization_members; /* users by organization */
    struct gfs_vector team_members;         /* principals by team */

    struct gfs_vector nested;     /* const struct gfs_share *: the records of `children` */
    struct gfs_vector user_list;  /* one list, at 0: users in the order of their ids */
    struct gfs_vector share_list; /* one list, at 0: the shares that there are */
};

/* All vectors of a policy, and how many: for what is done to each. */
#define GFS_POLICY_VECTORS 32u
size_t gfs_policy_vectors(struct gfs_policy *policy, struct gfs_vector *out[static GFS_POLICY_VECTORS]);
#define GFS_POLICY_MAPS 9u
void gfs_policy_maps(struct gfs_policy *policy, struct gfs_map *out[static GFS_POLICY_MAPS]);

/* What the policies of a family share. */
struct gfs_family {
    struct gfs_policy *oldest; /* of those that still use memory; linked to newer ones */
    struct gfs_list blocks;    /* void *: what the whole load made */
    struct gfs_arena strings;  /* of it */
    atomic_size_t bytes;       /* of everything, rights included */
    uint64_t steps;
    uint32_t gone; /* indexes whose thing went */
    bool spoiled;  /* a step failed: the maps tell what is in no policy, and no step may follow */
};

/* Frees it when no snapshot uses it, nor an older one of the family. One thread at a time. */
void gfs_policy_drop(struct gfs_policy *policy);

/* When the next membership or authorization after now_ns ends; GFS_NEVER. Looks at all of them. */
int64_t gfs_policy_next_end(const struct gfs_policy *policy, int64_t now_ns);

static inline const struct gfs_organization *gfs_policy_organization(const struct gfs_policy *policy, uint32_t i) {
    return gfs_vector_record(&policy->organizations, i);
}
static inline const struct gfs_user *gfs_policy_user(const struct gfs_policy *policy, uint32_t i) {
    return gfs_vector_record(&policy->users, i);
}
static inline const struct gfs_group *gfs_policy_group(const struct gfs_policy *policy, uint32_t i) {
    return gfs_vector_record(&policy->groups, i);
}
static inline const struct gfs_named *gfs_policy_team(const struct gfs_policy *policy, uint32_t i) {
    return gfs_vector_record(&policy->teams, i);
}
static inline const struct gfs_project *gfs_policy_project(const struct gfs_policy *policy, uint32_t i) {
    return gfs_vector_record(&policy->projects, i);
}
static inline const struct gfs_share_record *gfs_policy_share_record(const struct gfs_policy *policy, uint32_t i) {
    return gfs_vector_record(&policy->shares, i);
}
static inline const struct gfs_share *gfs_policy_share(const struct gfs_policy *policy, uint32_t i) {
    return gfs_vector_record(&policy->shares, i); /* the record begins with it */
}
static inline const struct gfs_share_links *gfs_policy_links(const struct gfs_policy *policy, uint32_t share) {
    return &gfs_policy_share_record(policy, share)->links;
}
static inline const struct gfs_ceiling *gfs_policy_ceiling(const struct gfs_policy *policy, uint32_t i) {
    return gfs_vector_record(&policy->ceilings, i);
}

/* The ceiling that a share's organization has, or GFS_NONE. */
static inline uint32_t gfs_policy_ceiling_of(const struct gfs_policy *policy, uint32_t share) {
    uint32_t organization = gfs_policy_links(policy, share)->organization;
    return organization == GFS_NONE ? GFS_NONE : gfs_policy_organization(policy, organization)->ceiling;
}

/* Makes the array of the shares nested in one, from `children` and the records. 0 or -ENOMEM. */
int gfs_policy_put_nested(struct gfs_policy *policy, struct gfs_step *step, uint32_t share) GFS_MUST_CHECK;

/* By id: the index, or GFS_NONE when there is none in this policy. */
uint32_t gfs_policy_find_organization(const struct gfs_policy *policy, gfs_id id);
uint32_t gfs_policy_find_user(const struct gfs_policy *policy, gfs_id id);
uint32_t gfs_policy_find_group(const struct gfs_policy *policy, gfs_id id);
uint32_t gfs_policy_find_team(const struct gfs_policy *policy, gfs_id id);
uint32_t gfs_policy_find_project(const struct gfs_policy *policy, gfs_id id);
uint32_t gfs_policy_find_share(const struct gfs_policy *policy, gfs_id id);

/* Principals: a kind in the three upper bits. Lists hold fewer rows than the others can number. */
static inline uint32_t gfs_principal(enum gfs_subject_kind kind, uint32_t index) {
    return index == GFS_NONE ? GFS_NONE : (uint32_t)kind << 29 | index;
}
static inline enum gfs_subject_kind gfs_principal_kind(uint32_t principal) {
    return (enum gfs_subject_kind)(principal >> 29);
}
static inline uint32_t gfs_principal_index(uint32_t principal) {
    return principal & (UINT32_MAX >> 3);
}

/* Objects: a project's number is odd. */
static inline uint32_t gfs_object(enum gfs_object_kind kind, uint32_t index) {
    return index == GFS_NONE ? GFS_NONE : index << 1 | (kind == GFS_OBJECT_PROJECT ? 1 : 0);
}
static inline bool gfs_object_is_project(uint32_t object) {
    return (object & 1) != 0;
}

static inline struct gfs_cell gfs_policy_grants(const struct gfs_policy *policy, enum gfs_subject_kind kind,
                                                uint32_t index) {
    return gfs_vector_at(&policy->grants[kind], index);
}

#endif
