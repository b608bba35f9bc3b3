/*
 * Walks everything that gives a user permissions: the one place that says who counts as whom and
 * what an authorization reaches. The fast tables, the places and the explanation are made from
 * the same walk, so that they cannot disagree.
 */
#ifndef GUILDFS_CORE_AUTHORITY_WALK_H
#define GUILDFS_CORE_AUTHORITY_WALK_H

#include "core/authority/policy.h"

/* The time in which an answer holds: from the last end before it to the next one. */
struct gfs_window {
    int64_t since_ns, until_ns;
};

static inline struct gfs_window gfs_window_open(void) {
    return (struct gfs_window){.since_ns = INT64_MIN, .until_ns = INT64_MAX};
}

static inline void gfs_window_narrow(struct gfs_window *window, struct gfs_window by) {
    if (by.since_ns > window->since_ns)
        window->since_ns = by.since_ns;
    if (by.until_ns < window->until_ns)
        window->until_ns = by.until_ns;
}

/* Whether what ends at end_ns still counts; narrows the window accordingly. */
static inline bool gfs_window_counts(struct gfs_window *window, int64_t end_ns, int64_t now_ns) {
    bool counts = end_ns > now_ns;
    if (counts && end_ns < window->until_ns)
        window->until_ns = end_ns;
    if (!counts && end_ns > window->since_ns)
        window->since_ns = end_ns;
    return counts;
}

static inline bool gfs_window_holds(const struct gfs_window *window, int64_t now_ns) {
    return window->since_ns <= now_ns && now_ns < window->until_ns;
}

enum gfs_giver {
    GFS_GIVER_OWNER,              /* the share's owner: the user */
    GFS_GIVER_USER,               /* an authorization of the user's own */
    GFS_GIVER_GROUP,              /* one of a group */
    GFS_GIVER_TEAM,               /* one of a team */
    GFS_GIVER_ORGANIZATION,       /* one of an organization */
    GFS_GIVER_EVERYONE,           /* one of everyone */
    GFS_GIVER_GROUP_ADMIN,        /* the role in a group */
    GFS_GIVER_ORGANIZATION_ADMIN, /* the role in an organization */
};

/* One source of permissions and the shares that it reaches. */
struct gfs_reach {
    enum gfs_giver giver;
    uint32_t who;           /* index of the group, team or organization; else GFS_NONE */
    uint32_t object;        /* what the authorization was given on, by number; GFS_NONE for owner and roles */
    gfs_perms perms;        /* never 0 */
    const uint32_t *shares; /* valid during the call */
    size_t count;
};

struct gfs_walk {
    const struct gfs_policy *policy;
    int64_t now_ns;
    /* Called for each source. Not 0 ends the walk, which returns it. */
    int (*reached)(void *context, const struct gfs_reach *reach);
    void *context;
    struct gfs_window window; /* narrowed by the walk */
    struct gfs_list reach;    /* uint32_t: shares that one authorization reaches; freed by the walk */
    /* Left out, because a table that many users share answers for it (rights.c). */
    bool without_everyone;
    uint32_t without_organization; /* GFS_NONE: none is left out */
};

/* Appends a share and what is nested in it; or the shares of a project and of the projects in it.
 * 0 or -ENOMEM. */
int gfs_reach_object(const struct gfs_policy *policy, uint32_t object, struct gfs_list *shares) GFS_MUST_CHECK;

/* All sources of one user, who is not suspended. 0, -ENOMEM, or what reached() returned. */
int gfs_walk_user(struct gfs_walk *walk, uint32_t user) GFS_MUST_CHECK;

/* The authorizations of one organization, or of everyone. */
int gfs_walk_organization(struct gfs_walk *walk, uint32_t organization) GFS_MUST_CHECK;
int gfs_walk_everyone(struct gfs_walk *walk) GFS_MUST_CHECK;

#endif
