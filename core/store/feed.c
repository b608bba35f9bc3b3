/*
 * Handing over what changed: in one read transaction, the rows of the policy that the feed names, as
 * they stand now. Each is handed over once, however often it changed, and in the order of the
 * tables in which a row refers only to rows of tables before it: so whatever it refers to is known.
 */
#include <errno.h>
#include <string.h>

#include "core/store/rows.h"
#include "guildfs/store.h"

struct feeding {
    struct gfs_store *store;
    const struct gfs_change_sink *sink;
    void *context;
    struct gfs_error *err;
    uint64_t since;
};

struct key {
    gfs_id first, other;
    int64_t kinds;
};

typedef int hand_over(const struct feeding *feeding, const struct key *key);

/* Begins reading the row that an id names. *there is false when it is gone. */
static int open_row(const struct feeding *feeding, struct gfs_statement *statement, const char *sql, gfs_id first,
                    gfs_id second, bool *there) {
    gfs_statement_open(statement, feeding->store, sql, feeding->err);
    gfs_bind_int(statement, first);
    if (second != 0)
        gfs_bind_int(statement, second);
    int rc = gfs_statement_step(statement);
    *there = rc == 1;
    return rc < 0 ? rc : 0;
}

static int hand_organization(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_organization_row row = {0};
    bool there;
    int rc = open_row(feeding, &statement, GFS_ROW_ORGANIZATION "WHERE o.id = ?1", key->first, 0, &there);
    if (rc == 0 && there)
        gfs_read_organization(&statement, &row);
    rc = gfs_statement_failed(&statement);
    return rc < 0 ? rc : feeding->sink->organization(feeding->context, key->first, there ? &row : NULL);
}

static int hand_user(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_user_row row = {0};
    bool there;
    int rc = open_row(feeding, &statement, GFS_ROW_USER "WHERE id = ?1", key->first, 0, &there);
    if (rc == 0 && there)
        gfs_read_user(&statement, &row);
    rc = gfs_statement_failed(&statement);
    return rc < 0 ? rc : feeding->sink->user(feeding->context, key->first, there ? &row : NULL);
}

static int hand_organization_member(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_organization_member_row row = {.organization = key->first, .user = key->other};
    bool there;
    int rc = open_row(feeding, &statement, GFS_ROW_ORGANIZATION_MEMBER "WHERE organization_id = ?1 AND user_id = ?2",
                      key->first, key->other, &there);
    if (rc == 0 && there)
        gfs_read_organization_member(&statement, &row);
    rc = gfs_statement_failed(&statement);
    return rc < 0 ? rc : feeding->sink->organization_member(feeding->context, &row, there);
}

static int hand_group(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_group_row row = {0};
    bool there;
    int rc = open_row(feeding, &statement, GFS_ROW_GROUP "WHERE id = ?1", key->first, 0, &there);
    if (rc == 0 && there)
        gfs_read_group(&statement, &row);
    rc = gfs_statement_failed(&statement);
    return rc < 0 ? rc : feeding->sink->group(feeding->context, key->first, there ? &row : NULL);
}

static int hand_membership(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_membership_row row = {.group = key->first, .user = key->other};
    bool there;
    int rc = open_row(feeding, &statement, GFS_ROW_MEMBERSHIP "WHERE group_id = ?1 AND user_id = ?2", key->first,
                      key->other, &there);
    if (rc == 0 && there)
        gfs_read_membership(&statement, &row);
    rc = gfs_statement_failed(&statement);
    return rc < 0 ? rc : feeding->sink->membership(feeding->context, &row, there);
}

static int hand_team(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_team_row row = {0};
    bool there;
    int rc = open_row(feeding, &statement, GFS_ROW_TEAM "WHERE id = ?1", key->first, 0, &there);
    if (rc == 0 && there)
        gfs_read_team(&statement, &row);
    rc = gfs_statement_failed(&statement);
    return rc < 0 ? rc : feeding->sink->team(feeding->context, key->first, there ? &row : NULL);
}

static int hand_team_member(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    static const char *const texts[] = {GFS_ROW_TEAM_MEMBER "WHERE team_id = ?1 AND user_id = ?2",
                                        GFS_ROW_TEAM_MEMBER "WHERE team_id = ?1 AND group_id = ?2",
                                        GFS_ROW_TEAM_MEMBER "WHERE team_id = ?1 AND nested_id = ?2"};
    struct gfs_team_member_row row = {.team = key->first};
    bool there;
    if (key->kinds < 0 || key->kinds > GFS_SUBJECT_TEAM)
        return -ESTALE;
    *(key->kinds == GFS_SUBJECT_USER    ? &row.user
      : key->kinds == GFS_SUBJECT_GROUP ? &row.group
                                        : &row.nested) = key->other;
    int rc = open_row(feeding, &statement, texts[key->kinds], key->first, key->other, &there);
    return rc < 0 ? rc : feeding->sink->team_member(feeding->context, &row, there);
}

static int hand_project(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_project_row row = {0};
    bool there;
    int rc = open_row(feeding, &statement, GFS_ROW_PROJECT "WHERE id = ?1", key->first, 0, &there);
    if (rc == 0 && there)
        gfs_read_project(&statement, &row);
    rc = gfs_statement_failed(&statement);
    bool added = key->kinds != 0; /* see below */
    return rc < 0 ? rc : feeding->sink->project(feeding->context, key->first, there ? &row : NULL, added);
}

static int hand_share_of_node(const struct feeding *feeding, const struct gfs_share_row *share) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_node_row node = {0};
    gfs_statement_open(&statement, feeding->store, GFS_ROW_NODE "WHERE id = ?2", feeding->err);
    gfs_bind_text(&statement, feeding->store->path);
    gfs_bind_int(&statement, share->node);
    int rc = gfs_statement_step(&statement);
    if (rc == 0)
        return -ESTALE; /* the whole load says what does not fit together */
    if (rc == 1)
        gfs_read_node(&statement, &node);
    rc = gfs_statement_failed(&statement);
    return rc < 0 ? rc : feeding->sink->share(feeding->context, share->id, share, node.path);
}

static int hand_share(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_share_row row = {0};
    bool there;
    int rc = open_row(feeding, &statement, GFS_ROW_SHARE "WHERE id = ?1", key->first, 0, &there);
    if (rc == 0 && there)
        gfs_read_share(&statement, &row);
    rc = gfs_statement_failed(&statement);
    if (rc < 0)
        return rc;
    return there ? hand_share_of_node(feeding, &row) : feeding->sink->share(feeding->context, key->first, NULL, NULL);
}

static int hand_grant(const struct feeding *feeding, const struct key *key) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    struct gfs_grant_row row = {.subject_kind = (enum gfs_subject_kind)(key->kinds / 2),
                                .subject = key->other,
                                .object_kind = (enum gfs_object_kind)(key->kinds % 2),
                                .object = key->first};
    gfs_statement_open(&statement, feeding->store,
                       GFS_ROW_GRANT "WHERE object_kind = ?1 AND object_id = ?2 AND subject_kind = ?3 AND "
                                     "subject_id = ?4",
                       feeding->err);
    gfs_bind_int(&statement, key->kinds % 2);
    gfs_bind_int(&statement, key->first);
    gfs_bind_int(&statement, key->kinds / 2);
    gfs_bind_int(&statement, key->other);
    int rc = gfs_statement_step(&statement);
    bool there = rc == 1;
    if (there)
        gfs_read_grant(&statement, &row);
    rc = gfs_statement_failed(&statement);
    return rc < 0 ? rc : feeding->sink->grant(feeding->context, &row, there);
}

/* Everything that changed of one entity, in the order of ids. */
static int hand_entity(const struct feeding *feeding, const char *sql, const char *entity, hand_over *hand) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, feeding->store, sql, feeding->err);
    gfs_bind_int(&statement, (int64_t)feeding->since);
    gfs_bind_text(&statement, entity);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct key key;
        key.first = gfs_column_id(&statement);
        key.other = gfs_column_id(&statement);
        key.kinds = gfs_column_int(&statement);
        rc = hand(feeding, &key);
        if (rc < 0)
            return rc;
    }
    return rc;
}

#define NAMED "SELECT DISTINCT entity_id, other_id, kinds FROM changes WHERE generation > ?1 AND entity = ?2 "

/* A node is no row of a snapshot: its path is in that of its shares. */
static const char shares_and_nodes[] =
    NAMED "UNION SELECT s.id, 0, 0 FROM shares s WHERE s.node_id IN (SELECT entity_id FROM changes "
          "WHERE generation > ?1 AND entity = 'node' AND what = 'updated') ORDER BY 1";

/* Whether it is new, or perhaps was in a cycle and never loaded. */
static const char projects[] = "SELECT entity_id, 0, max(what = 'added') FROM changes WHERE generation > ?1 "
                               "AND entity = ?2 GROUP BY entity_id ORDER BY entity_id";

static const struct {
    const char *entity, *sql;
    hand_over *hand; /* NULL: no part of a snapshot */
} entities[] = {
    {"organization", NAMED "ORDER BY 1", hand_organization},
    {"user", NAMED "ORDER BY 1", hand_user},
    {"organization-member", NAMED "ORDER BY 1, 2", hand_organization_member},
    {"group", NAMED "ORDER BY 1", hand_group},
    {"membership", NAMED "ORDER BY 1, 2", hand_membership},
    {"team", NAMED "ORDER BY 1", hand_team},
    {"team-member", NAMED "ORDER BY 1, 2", hand_team_member},
    {"project", projects, hand_project},
    {"share", shares_and_nodes, hand_share},
    {"grant", NAMED "ORDER BY 1, 2", hand_grant},
    {"node", NULL, NULL},
    {"project-admin", NULL, NULL},
    {"project-group", NULL, NULL},
    {"nothing", NULL, NULL},
};

static bool is_known(const char *entity) {
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++)
        if (strcmp(entities[i].entity, entity) == 0)
            return true;
    return false;
}

/* -ESTALE unless each generation is there, in rows that are understood and not too many. */
static int check_feed(const struct feeding *feeding, uint64_t generation) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement, names = {0};
    int rc;

    gfs_statement_open(
        &statement, feeding->store,
        "SELECT count(DISTINCT generation), count(*), max(generation) FROM changes WHERE generation > ?1 "
        "AND generation <= ?2",
        feeding->err);
    gfs_bind_int(&statement, (int64_t)feeding->since);
    gfs_bind_int(&statement, (int64_t)generation);
    rc = gfs_statement_step(&statement);
    if (rc < 0)
        return rc;
    bool whole = (uint64_t)gfs_column_int(&statement) == generation - feeding->since;
    if (!whole || gfs_column_int(&statement) > GFS_MOST_CHANGES)
        return -ESTALE;
    gfs_statement_open(&names, feeding->store, "SELECT DISTINCT entity FROM changes WHERE generation > ?1",
                       feeding->err);
    gfs_bind_int(&names, (int64_t)feeding->since);
    while ((rc = gfs_statement_step(&names)) == 1)
        if (!is_known(gfs_column_need(&names)))
            return -ESTALE;
    return rc;
}

static int hand_changes(const struct feeding *feeding, uint64_t generation) {
    if (generation == feeding->since)
        return 0;
    if (generation < feeding->since)
        return -ESTALE;
    int rc = check_feed(feeding, generation);
    for (size_t i = 0; rc == 0 && i < sizeof entities / sizeof entities[0]; i++)
        if (entities[i].hand)
            rc = hand_entity(feeding, entities[i].sql, entities[i].entity, entities[i].hand);
    return rc;
}

int gfs_store_load_changes(struct gfs_store *store, uint64_t since, const struct gfs_change_sink *sink, void *context,
                           uint64_t *generation, struct gfs_error *err) {
    const struct feeding feeding = {store, sink, context, err, since};
    uint64_t loaded = 0;
    int rc = gfs_db_exec(store, "BEGIN", err);

    if (rc == 0)
        rc = gfs_store_generation(store, &loaded, err); /* the first read: from here on nothing changes */
    if (rc == 0)
        rc = hand_changes(&feeding, loaded);
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    if (rc == 0)
        *generation = loaded;
    return rc;
}

int gfs_store_holders(struct gfs_store *store, enum gfs_object_kind kind, gfs_id object,
                      int (*each)(void *context, enum gfs_subject_kind kind, gfs_id subject), void *context) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store,
                       "SELECT subject_kind, subject_id FROM grants WHERE object_kind = ?1 AND object_id = ?2", NULL);
    gfs_bind_int(&statement, (int64_t)kind);
    gfs_bind_int(&statement, object);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        enum gfs_subject_kind subject_kind = (enum gfs_subject_kind)gfs_column_int(&statement);
        rc = each(context, subject_kind, gfs_column_id(&statement));
        if (rc < 0)
            return rc;
    }
    return rc;
}
