#include "core/store/team.h"

#include "core/store/transaction.h"
#include "core/store/words.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

#define SELECT_TEAM "SELECT id, organization_id, uuid, name, description, created_ns FROM teams "

static void read_team(struct gfs_statement *statement, void *record) {
    struct gfs_team_record *team = record;

    team->id = gfs_column_id(statement);
    team->organization = gfs_column_id(statement);
    team->uuid = gfs_column_need(statement);
    team->name = gfs_column_need(statement);
    team->description = gfs_column_text(statement);
    team->created_ns = gfs_column_int(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_team_record, uuid),
    offsetof(struct gfs_team_record, name),
    offsetof(struct gfs_team_record, description),
};
static const struct gfs_record_type type = {sizeof(struct gfs_team_record), texts, sizeof texts / sizeof texts[0],
                                            read_team};

int gfs_store_team_add(struct gfs_tx *tx, const struct gfs_team_record *team, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    char uuid[GFS_UUID_SIZE];
    int rc = gfs_name_check("team name", team->name, err);

    if (rc == 0)
        rc = gfs_store_uuid(uuid, err);
    if (rc < 0)
        return rc;
    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO teams (organization_id, uuid, name, description, created_ns) VALUES (?1, ?2, ?3, ?4, ?5)", err);
    gfs_bind_int(&statement, team->organization);
    gfs_bind_text(&statement, uuid);
    gfs_bind_text(&statement, team->name);
    gfs_bind_text(&statement, team->description);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_run(&statement);
    if (rc == 0)
        *id = gfs_tx_added(tx);
    return rc;
}

int gfs_store_team_update(struct gfs_tx *tx, const struct gfs_team_record *team, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    int rc = gfs_name_check("team name", team->name, err);

    if (rc < 0)
        return rc;
    gfs_statement_open(&statement, tx->store, "UPDATE teams SET name = ?2, description = ?3 WHERE id = ?1", err);
    gfs_bind_int(&statement, team->id);
    gfs_bind_text(&statement, team->name);
    gfs_bind_text(&statement, team->description);
    rc = gfs_statement_change(&statement, "there is no team \"%s\"", team->name);
    return rc;
}

int gfs_store_team_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "DELETE FROM teams WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_change(&statement, "there is no team with id %lld", (long long)id);
}

int gfs_store_team_load(struct gfs_store *store, const char *name, struct gfs_team_record **out,
                        struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_TEAM "WHERE name = ?1", err);
    gfs_bind_text(&statement, name);
    return gfs_statement_load(&statement, &type, out, "there is no team \"%s\"", name);
}

int gfs_store_team_load_id(struct gfs_store *store, gfs_id id, struct gfs_team_record **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_TEAM "WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_load(&statement, &type, out, "there is no team with id %lld", (long long)id);
}

int gfs_store_team_list(struct gfs_store *store, int (*each)(void *context, const struct gfs_team_record *team),
                        void *context, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store, SELECT_TEAM "ORDER BY name", err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_team_record team;
        read_team(&statement, &team);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &team);
        if (rc != 0)
            return rc;
    }
    return rc;
}
