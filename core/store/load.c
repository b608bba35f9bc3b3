/*
 * Handing the whole policy to a sink: one read transaction, one statement per table, columns read
 * in their order, nothing allocated per row.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store/db.h"
#include "core/store/words.h"

struct loading {
    struct gfs_store *store;
    const struct gfs_model_sink *sink;
    void *context;
    struct gfs_error *err;
};

static int load_organizations(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store,
                       "SELECT o.id, o.uuid, o.name, p.ceiling_group_id, p.ceiling_perms, p.group_admin_capsule_perms, "
                       "p.organization_admin_perms FROM organizations o JOIN policies p ON p.organization_id = o.id "
                       "ORDER BY o.id",
                       load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_organization_row row;
        row.id = gfs_column_id(&statement);
        row.uuid = gfs_column_need(&statement);
        row.name = gfs_column_need(&statement);
        row.ceiling_group = gfs_column_id(&statement);
        row.ceiling_perms = (gfs_perms)gfs_column_int(&statement);
        row.group_admin_capsule_perms = (gfs_perms)gfs_column_int(&statement);
        row.organization_admin_perms = (gfs_perms)gfs_column_int(&statement);
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

    gfs_statement_open(&statement, load->store, "SELECT id, uuid, name, uid, gid, status FROM users ORDER BY id",
                       load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_user_row row;
        row.id = gfs_column_id(&statement);
        row.uuid = gfs_column_need(&statement);
        row.name = gfs_column_need(&statement);
        row.uid = gfs_column_uid(&statement);
        row.gid = gfs_column_uid(&statement);
        row.suspended = gfs_column_word(&statement, &gfs_user_status_words) != 0;
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

    /* The model has no inactive members: they count for nothing. */
    gfs_statement_open(
        &statement, load->store,
        "SELECT organization_id, user_id, admin, expires_ns FROM organization_members WHERE status = 'active' "
        "ORDER BY organization_id, user_id",
        load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_organization_member_row row;
        row.organization = gfs_column_id(&statement);
        row.user = gfs_column_id(&statement);
        row.admin = gfs_column_int(&statement) != 0;
        row.expires_ns = gfs_column_end(&statement);
        rc = load->sink->organization_member(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int load_groups(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, load->store, "SELECT id, organization_id, uuid, name FROM groups ORDER BY id",
                       load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_group_row row;
        row.id = gfs_column_id(&statement);
        row.organization = gfs_column_id(&statement);
        row.uuid = gfs_column_need(&statement);
        row.name = gfs_column_need(&statement);
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

    gfs_statement_open(&statement, load->store,
                       "SELECT group_id, user_id, role, status, expires_ns FROM memberships ORDER BY group_id, user_id",
                       load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_membership_row row;
        row.group = gfs_column_id(&statement);
        row.user = gfs_column_id(&statement);
        row.role = (enum gfs_role)gfs_column_word(&statement, &gfs_role_words);
        row.status = (enum gfs_membership_status)gfs_column_word(&statement, &gfs_membership_status_words);
        row.expires_ns = gfs_column_end(&statement);
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

    gfs_statement_open(&statement, load->store, "SELECT id, organization_id, uuid, name FROM teams ORDER BY id",
                       load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_team_row row;
        row.id = gfs_column_id(&statement);
        row.organization = gfs_column_id(&statement);
        row.uuid = gfs_column_need(&statement);
        row.name = gfs_column_need(&statement);
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

    gfs_statement_open(&statement, load->store,
                       "SELECT team_id, group_id, user_id, nested_id FROM team_members ORDER BY rowid", load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_team_member_row row;
        row.team = gfs_column_id(&statement);
        row.group = gfs_column_id(&statement);
        row.user = gfs_column_id(&statement);
        row.nested = gfs_column_id(&statement);
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
        row.id = gfs_column_id(&statement);
        row.organization = gfs_column_id(&statement);
        row.parent = gfs_column_id(&statement);
        row.uuid = gfs_column_need(&statement);
        row.name = gfs_column_need(&statement);
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

    gfs_statement_open(
        &statement, load->store,
        "SELECT id, uuid, name, iif(path LIKE '/%', path, rtrim(?1, '/') || '/' || path) FROM nodes ORDER BY id",
        load->err);
    gfs_bind_text(&statement, load->store->path);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_node_row row;
        row.id = gfs_column_id(&statement);
        row.uuid = gfs_column_need(&statement);
        row.name = gfs_column_need(&statement);
        row.path = gfs_column_need(&statement);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = load->sink->node(load->context, &row);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static void read_share(struct gfs_statement *statement, struct gfs_share_row *row) {
    row->id = gfs_column_id(statement);
    row->organization = gfs_column_id(statement);
    row->group = gfs_column_id(statement);
    row->project = gfs_column_id(statement);
    row->parent = gfs_column_id(statement);
    row->owner = gfs_column_id(statement);
    row->node = gfs_column_id(statement);
    row->uuid = gfs_column_need(statement);
    row->name = gfs_column_need(statement);
    row->title = gfs_column_need(statement);
    row->path = gfs_column_need(statement);
    row->kind = (enum gfs_kind)gfs_column_word(statement, &gfs_kind_words);
    row->state = (enum gfs_share_state)gfs_column_word(statement, &gfs_share_state_words);
    row->unarchived_ns = gfs_column_moment(statement);
    row->grace_ns = gfs_column_int(statement);
    row->overwrite_upload = gfs_column_word(statement, &gfs_overwrite_words) != 0;
    row->quota_bytes = gfs_column_moment(statement);
    row->data_mode = (enum gfs_data_mode)gfs_column_word(statement, &gfs_data_mode_words);
    row->on_revoke = (enum gfs_on_revoke)gfs_column_word(statement, &gfs_on_revoke_words);
    row->created_ns = gfs_column_int(statement);
    row->audit = (enum gfs_share_audit)gfs_column_word(statement, &gfs_share_audit_words);
}

static int load_shares(const struct loading *load) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    /* A share is nested in an older one (the schema says so), so ids are an order. */
    gfs_statement_open(
        &statement, load->store,
        "SELECT id, organization_id, group_id, project_id, parent_id, owner_id, node_id, uuid, name, title, "
        "path, kind, state, unarchived_ns, grace_ns, overwrite, quota_bytes, data_mode, on_revoke, created_ns, "
        "audit "
        "FROM shares ORDER BY id",
        load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_share_row row;
        read_share(&statement, &row);
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

    gfs_statement_open(
        &statement, load->store,
        "SELECT id, subject_kind, subject_id, object_kind, object_id, perms, expires_ns FROM grants ORDER BY id",
        load->err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_grant_row row;
        row.id = gfs_column_id(&statement);
        row.subject_kind = (enum gfs_subject_kind)gfs_column_int(&statement);
        row.subject = gfs_column_id(&statement);
        row.object_kind = (enum gfs_object_kind)gfs_column_int(&statement);
        row.object = gfs_column_id(&statement);
        row.perms = (gfs_perms)gfs_column_int(&statement);
        row.expires_ns = gfs_column_end(&statement);
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
