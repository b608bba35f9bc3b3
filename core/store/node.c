#include "core/store/node.h"

#include <errno.h>
#include <string.h>

#include "core/store/transaction.h"
#include "core/store/words.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

/* ?1 is the store's directory, in which the default node lies. */
#define NODE_PATH "iif(path LIKE '/%', path, rtrim(?1, '/') || '/' || path)"
#define SELECT_NODE "SELECT id, uuid, name, " NODE_PATH ", created_ns FROM nodes "

static void read_node(struct gfs_statement *statement, void *record) {
    struct gfs_node_record *node = record;

    node->id = gfs_column_id(statement);
    node->uuid = gfs_column_need(statement);
    node->name = gfs_column_need(statement);
    node->path = gfs_column_need(statement);
    node->created_ns = gfs_column_int(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_node_record, uuid),
    offsetof(struct gfs_node_record, name),
    offsetof(struct gfs_node_record, path),
};
static const struct gfs_record_type type = {sizeof(struct gfs_node_record), texts, sizeof texts / sizeof texts[0],
                                            read_node};

static int check(const struct gfs_node_record *node, struct gfs_error *err) {
    int rc = gfs_name_check("node name", node->name, err);

    if (rc == 0 && (!node->path || node->path[0] != '/'))
        rc = gfs_error_set(err, EINVAL, "the directory of node \"%s\" must be given as an absolute path", node->name);
    return rc;
}

int gfs_store_node_add(struct gfs_tx *tx, const struct gfs_node_record *node, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    char uuid[GFS_UUID_SIZE];
    int rc = check(node, err);

    if (rc == 0)
        rc = gfs_store_uuid(uuid, err);
    if (rc < 0)
        return rc;
    gfs_statement_open(&statement, tx->store,
                       "INSERT INTO nodes (uuid, name, path, created_ns) VALUES (?1, ?2, ?3, ?4)", err);
    gfs_bind_text(&statement, uuid);
    gfs_bind_text(&statement, node->name);
    gfs_bind_text(&statement, node->path);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_run(&statement);
    if (rc == 0)
        *id = gfs_tx_added(tx);
    return rc;
}

int gfs_store_node_update(struct gfs_tx *tx, const struct gfs_node_record *node, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    int rc = check(node, err);

    if (rc < 0)
        return rc;
    gfs_statement_open(&statement, tx->store, "UPDATE nodes SET name = ?2, path = iif(id = 1, path, ?3) WHERE id = ?1",
                       err);
    gfs_bind_int(&statement, node->id);
    gfs_bind_text(&statement, node->name);
    gfs_bind_text(&statement, node->path);
    rc = gfs_statement_change(&statement, "there is no node \"%s\"", node->name);
    return rc;
}

int gfs_store_node_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "DELETE FROM nodes WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_change(&statement, "there is no node with id %lld", (long long)id);
}

int gfs_store_node_load(struct gfs_store *store, const char *name, struct gfs_node_record **out,
                        struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_NODE "WHERE name = ?2", err);
    gfs_bind_text(&statement, store->path);
    gfs_bind_text(&statement, name);
    return gfs_statement_load(&statement, &type, out, "there is no node \"%s\"", name);
}

int gfs_store_node_load_id(struct gfs_store *store, gfs_id id, struct gfs_node_record **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_NODE "WHERE id = ?2", err);
    gfs_bind_text(&statement, store->path);
    gfs_bind_int(&statement, id);
    return gfs_statement_load(&statement, &type, out, "there is no node with id %lld", (long long)id);
}

int gfs_store_node_load_path(struct gfs_store *store, const char *path, struct gfs_node_record **out,
                             struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_NODE "WHERE " NODE_PATH " = ?2", err);
    gfs_bind_text(&statement, store->path);
    gfs_bind_text(&statement, path);
    return gfs_statement_load(&statement, &type, out, "the directory \"%s\" is no node", path);
}

int gfs_store_node_list(struct gfs_store *store, int (*each)(void *context, const struct gfs_node_record *node),
                        void *context, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store, SELECT_NODE "ORDER BY name", err);
    gfs_bind_text(&statement, store->path);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_node_record node;
        read_node(&statement, &node);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &node);
        if (rc != 0)
            return rc;
    }
    return rc;
}
