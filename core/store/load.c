/*
 * Handing the whole policy to a sink: one read transaction, one statement per table, columns read
 * in their order, nothing allocated per row.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store/db.h"
#include "core/store/rows.h"

struct loading {
    struct gfs_store *store;
    const struct gfs_model_sink *sink;
    void *context;
    struct gfs_error *err;
};

static int load_organizations(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, GFS_ROW_ORGANIZATION "ORDER BY o.id", load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_organization_row row;
        gfs_read_organization(&statement, &row);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = load->sink->organization(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_users(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, GFS_ROW_USER "ORDER BY id", load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_user_row row;
        gfs_read_user(&statement, &row);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = load->sink->user(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_organization_members(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, GFS_ROW_ORGANIZATION_MEMBER "ORDER BY organization_id, user_id",
                       load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_organization_member_row row;
        gfs_read_organization_member(&statement, &row);
        rc = load->sink->organization_member(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_groups(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, GFS_ROW_GROUP "ORDER BY id", load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_group_row row;
        gfs_read_group(&statement, &row);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = load->sink->group(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_memberships(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, GFS_ROW_MEMBERSHIP "ORDER BY group_id, user_id", load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_membership_row row;
        gfs_read_membership(&statement, &row);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = load->sink->membership(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_teams(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, GFS_ROW_TEAM "ORDER BY id", load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_team_row row;
        gfs_read_team(&statement, &row);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = load->sink->team(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_team_members(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, GFS_ROW_TEAM_MEMBER "ORDER BY rowid", load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_team_member_row row;
        gfs_read_team_member(&statement, &row);
        rc = load->sink->team_member(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* A project may have been moved into a younger one, so ids are no order; what stands in a cycle is
 * never reached. */
static int load_projects(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(
        &statement, load->store,
        "WITH RECURSIVE placed (id, depth) AS (SELECT id, 0 FROM projects WHERE parent_id IS NULL "
        "UNION ALL SELECT p.id, placed.depth + 1 FROM placed JOIN projects p ON p.parent_id = placed.id) "
        "SELECT p.id, p.organization_id, p.parent_id, p.uuid, p.name FROM placed "
        "JOIN projects p ON p.id = placed.id ORDER BY placed.depth, p.id",
        load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_project_row row;
        gfs_read_project(&statement, &row);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = load->sink->project(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_nodes(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, GFS_ROW_NODE "ORDER BY id", load->err);
    gfs_bind_text(&statement, load->store->path);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_node_row row;
        gfs_read_node(&statement, &row);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = load->sink->node(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_shares(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    /* A share is nested in an older one (the schema says so), so ids are an order. */
    gfs_statement_open(&statement, load->store, GFS_ROW_SHARE "ORDER BY id", load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_share_row row;
        gfs_read_share(&statement, &row);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = load->sink->share(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_grants(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, GFS_ROW_GRANT "ORDER BY id", load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_grant_row row;
        gfs_read_grant(&statement, &row);
        rc = load->sink->grant(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_tables(const struct loading *load) {
    static int (*const tables[])(const struct loading *load) = {
        load_organizations, load_users,       load_organization_members,
        load_groups,        load_memberships, load_teams,
        load_team_members,  load_projects,    load_nodes,
        load_shares,        load_grants,
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0]; i++)
        rc = tables[i](load);
    return rc;
}

int gfs_store_load(struct gfs_store *store, const struct gfs_model_sink *sink, void *context, uint64_t *generation,
                   struct gfs_error *err) {
    const struct loading load = {store, sink, context, err};
    uint64_t loaded = 0;
    bool own = sqlite3_get_autocommit(store->db); /* else this is part of a transaction that is open */
    int rc;

    if (err)
        err->code = 0; /* tells below who failed */
    rc = own ? gfs_db_exec(store, "BEGIN", err) : 0;
    if (rc == 0)
        rc = gfs_store_generation(store, &loaded, err); /* the first read: from here on nothing changes */
    if (rc == 0)
        rc = load_tables(&load);
    if (own)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    if (rc < 0 && err && err->code == 0)                       /* the sink */
        return gfs_error_set(err, -rc, "the policy in \"%s\" could not be taken in: %s", store->path, strerror(-rc));
    if (rc == 0)
        *generation = loaded;
    return rc;
}
