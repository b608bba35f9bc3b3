#include "core/store/project.h"

#include <errno.h>

#include "core/store/transaction.h"
#include "core/store/words.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

#define SELECT_PROJECT "SELECT id, organization_id, parent_id, uuid, name, description, created_ns FROM projects "

static void read_project(struct gfs_statement *statement, void *record) {
    struct gfs_project_record *project = record;

    project->id = gfs_column_id(statement);
    project->organization = gfs_column_id(statement);
    project->parent = gfs_column_id(statement);
    project->uuid = gfs_column_need(statement);
    project->name = gfs_column_need(statement);
    project->description = gfs_column_text(statement);
    project->created_ns = gfs_column_int(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_project_record, uuid),
    offsetof(struct gfs_project_record, name),
    offsetof(struct gfs_project_record, description),
};
static const struct gfs_record_type type = {sizeof(struct gfs_project_record), texts, sizeof texts / sizeof texts[0],
                                            read_project};

int gfs_store_project_add(struct gfs_tx *tx, const struct gfs_project_record *project, gfs_id *id,
                          struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    char uuid[GFS_UUID_SIZE];
    int rc = gfs_name_check("project name", project->name, err);

    if (rc == 0)
        rc = gfs_store_uuid(uuid, err);
    if (rc < 0)
        return rc;
    gfs_statement_open(&statement, tx->store,
                       "INSERT INTO projects (organization_id, parent_id, uuid, name, description, created_ns) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                       err);
    gfs_bind_int(&statement, project->organization);
    gfs_bind_id(&statement, project->parent);
    gfs_bind_text(&statement, uuid);
    gfs_bind_text(&statement, project->name);
    gfs_bind_text(&statement, project->description);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_run(&statement);
    if (rc == 0)
        *id = gfs_tx_added(tx);
    return rc;
}

/* SQLite knows no recursion inside triggers, so this invariant is kept here; a load drops what is
 * in a cycle. */
static int check_no_cycle(struct gfs_store *store, const struct gfs_project_record *project, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store,
                       "WITH RECURSIVE around (id) AS (SELECT ?1 UNION SELECT p.parent_id FROM projects p "
                       "JOIN around ON p.id = around.id) SELECT 1 FROM around WHERE id = ?2",
                       err);
    gfs_bind_id(&statement, project->parent);
    gfs_bind_int(&statement, project->id);
    int rc = gfs_statement_step(&statement);
    if (rc == 1)
        return gfs_error_set(err, EINVAL, "the project \"%s\" cannot stand inside itself", project->name);
    return rc;
}

int gfs_store_project_update(struct gfs_tx *tx, const struct gfs_project_record *project, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    int rc = gfs_name_check("project name", project->name, err);

    if (rc == 0)
        rc = check_no_cycle(tx->store, project, err);
    if (rc < 0)
        return rc;
    gfs_statement_open(&statement, tx->store,
                       "UPDATE projects SET parent_id = ?2, name = ?3, description = ?4 WHERE id = ?1", err);
    gfs_bind_int(&statement, project->id);
    gfs_bind_id(&statement, project->parent);
    gfs_bind_text(&statement, project->name);
    gfs_bind_text(&statement, project->description);
    rc = gfs_statement_change(&statement, "there is no project \"%s\"", project->name);
    return rc;
}

int gfs_store_project_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "DELETE FROM projects WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_change(&statement, "there is no project with id %lld", (long long)id);
}

int gfs_store_project_load(struct gfs_store *store, const char *name, struct gfs_project_record **out,
                           struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_PROJECT "WHERE name = ?1", err);
    gfs_bind_text(&statement, name);
    return gfs_statement_load(&statement, &type, out, "there is no project \"%s\"", name);
}

int gfs_store_project_load_id(struct gfs_store *store, gfs_id id, struct gfs_project_record **out,
                              struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_PROJECT "WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_load(&statement, &type, out, "there is no project with id %lld", (long long)id);
}

int gfs_store_project_list(struct gfs_store *store,
                           int (*each)(void *context, const struct gfs_project_record *project), void *context,
                           struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store, SELECT_PROJECT "ORDER BY name", err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_project_record project;
        read_project(&statement, &project);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &project);
        if (rc != 0)
            return rc;
    }
    return rc;
}
