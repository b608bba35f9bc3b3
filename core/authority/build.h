/* What the two halves of the builder share: builder.c takes the rows, index.c sorts them. */
#ifndef GUILDFS_CORE_AUTHORITY_BUILD_H
#define GUILDFS_CORE_AUTHORITY_BUILD_H

#include "core/authority/builder.h"
#include "core/authority/policy.h"

struct gfs_builder {
    struct gfs_policy *policy;
    struct gfs_step step; /* that makes it */
    int table;            /* the table that rows are taken of, so that an earlier one is noticed */
    char problem[256];

    struct gfs_list organizations, users, groups, teams, projects, shares, ceilings; /* records, by index */
    struct gfs_list ceiling_groups; /* gfs_id of each ceiling's group: groups come later */
    struct gfs_list nodes;          /* struct gfs_named: id and path */
    struct gfs_map node_by_id;
    struct gfs_list memberships; /* rows of lists, unsorted */
    struct gfs_list organization_memberships;
    struct gfs_list team_edges; /* struct gfs_pair: principal, team */
    struct gfs_list grants[GFS_PRINCIPAL_KINDS];
};

/* Everything that can only be made when all rows are there. 0 or -ENOMEM. */
int gfs_build_policy(struct gfs_builder *builder) GFS_MUST_CHECK;

#endif
