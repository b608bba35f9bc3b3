#include "core/store/organization.h"

#include "core/store/transaction.h"
#include "core/store/words.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

#define SELECT_ORGANIZATION "SELECT id, uuid, name, description, plan, seats, created_ns FROM organizations "

static void read_organization(struct gfs_statement *statement, void *record) {
    struct gfs_organization_record *organization = record;

    organization->id = gfs_column_id(statement);
    organization->uuid = gfs_column_need(statement);
    organization->name = gfs_column_need(statement);
    organization->description = gfs_column_text(statement);
    organization->plan = (enum gfs_plan)gfs_column_word(statement, &gfs_plan_words);
    organization->seats = gfs_column_int(statement);
    organization->created_ns = gfs_column_int(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_organization_record, uuid),
    offsetof(struct gfs_organization_record, name),
    offsetof(struct gfs_organization_record, description),
};
static const struct gfs_record_type type = {sizeof(struct gfs_organization_record), texts,
                                            sizeof texts / sizeof texts[0], read_organization};

int gfs_store_organization_add(struct gfs_tx *tx, const struct gfs_organization_record *organization, gfs_id *id,
                               struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    char uuid[GFS_UUID_SIZE];
    int rc = gfs_name_check("organization name", organization->name, err);

    if (rc == 0)
        rc = gfs_store_uuid(uuid, err);
    if (rc < 0)
        return rc;
    gfs_statement_open(&statement, tx->store,
                       "INSERT INTO organizations (uuid, name, description, plan, seats, created_ns) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                       err);
    gfs_bind_text(&statement, uuid);
    gfs_bind_text(&statement, organization->name);
    gfs_bind_text(&statement, organization->description);
    gfs_bind_word(&statement, &gfs_plan_words, (int)organization->plan);
    gfs_bind_int(&statement, organization->seats);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_run(&statement);
    if (rc == 0)
        *id = gfs_tx_added(tx);
    return rc;
}

int gfs_store_organization_update(struct gfs_tx *tx, const struct gfs_organization_record *organization,
                                  struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    int rc = gfs_name_check("organization name", organization->name, err);

    if (rc < 0)
        return rc;
    gfs_statement_open(&statement, tx->store,
                       "UPDATE organizations SET name = ?2, description = ?3, plan = ?4, seats = ?5 WHERE id = ?1",
                       err);
    gfs_bind_int(&statement, organization->id);
    gfs_bind_text(&statement, organization->name);
    gfs_bind_text(&statement, organization->description);
    gfs_bind_word(&statement, &gfs_plan_words, (int)organization->plan);
    gfs_bind_int(&statement, organization->seats);
    rc = gfs_statement_change(&statement, "there is no organization \"%s\"", organization->name);
    return rc;
}

int gfs_store_organization_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "DELETE FROM organizations WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_change(&statement, "there is no organization with id %lld", (long long)id);
}

int gfs_store_organization_load(struct gfs_store *store, const char *name, struct gfs_organization_record **out,
                                struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_ORGANIZATION "WHERE name = ?1", err);
    gfs_bind_text(&statement, name);
    return gfs_statement_load(&statement, &type, out, "there is no organization \"%s\"", name);
}

int gfs_store_organization_load_id(struct gfs_store *store, gfs_id id, struct gfs_organization_record **out,
                                   struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_ORGANIZATION "WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_load(&statement, &type, out, "there is no organization with id %lld", (long long)id);
}

int gfs_store_organization_list(struct gfs_store *store,
                                int (*each)(void *context, const struct gfs_organization_record *organization),
                                void *context, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store, SELECT_ORGANIZATION "ORDER BY name", err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_organization_record organization;
        read_organization(&statement, &organization);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &organization);
        if (rc != 0)
            return rc;
    }
    return rc;
}
