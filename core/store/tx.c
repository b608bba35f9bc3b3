#include "core/store/tx.h"

#include <errno.h>

#include "core/store/transaction.h"

int gfs_tx_begin(struct gfs_store *store, struct gfs_tx **out, struct gfs_error *err) {
    uint64_t generation = 0;

    if (store->mode != GFS_STORE_WRITE)
        return gfs_error_set(err, EINVAL, "the store was opened for reading only");
    if (store->tx)
        return gfs_error_set(err, EINVAL, "the store is in a transaction already");
    struct gfs_tx *tx = calloc(1, sizeof *tx);
    if (!tx)
        return gfs_error_set(err, ENOMEM, "no memory is left to change the store");
    tx->store = store;
    int rc = gfs_db_exec(store, "BEGIN IMMEDIATE", err);
    if (rc < 0) {
        free(tx);
        return rc;
    }
    store->tx = tx;
    rc = gfs_store_generation(store, &generation, err);
    if (rc < 0) {
        gfs_tx_end(tx);
        return rc;
    }
    tx->generation = generation + 1;
    tx->now_ns = gfs_now_ns();
    *out = tx;
    return 0;
}

static void roll_back(struct gfs_tx *tx) {
    /* After some failures (a full disk) SQLite has rolled back by itself. */
    if (!sqlite3_get_autocommit(tx->store->db))
        sqlite3_exec(tx->store->db, "ROLLBACK", NULL, NULL, NULL);
    tx->store->tx = NULL;
    tx->over = true;
}

static int raise_generation(struct gfs_tx *tx, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "UPDATE generation SET value = ?1 WHERE only_row = 1", err);
    gfs_bind_int(&statement, (int64_t)tx->generation);
    return gfs_statement_change(&statement, "the store has lost its generation: restore a backup");
}

int gfs_tx_commit(struct gfs_tx *tx, struct gfs_error *err) {
    int rc = 0;

    if (tx->over)
        return gfs_error_set(err, EINVAL, "the transaction is over already");
    if (tx->failed)
        rc = gfs_error_set(err, EINVAL, "nothing was changed: a part of the transaction had failed");
    else if (!tx->audited)
        rc = gfs_error_set(err, EINVAL, "nothing was changed: a transaction without an audit row cannot be committed");
    if (rc == 0)
        rc = raise_generation(tx, err);
    if (rc == 0)
        rc = gfs_db_exec(tx->store, "COMMIT", err);
    if (rc < 0) {
        roll_back(tx);
        return rc;
    }
    tx->store->tx = NULL;
    tx->over = true;
    return 0;
}

void gfs_tx_end(struct gfs_tx *tx) {
    if (!tx)
        return;
    if (!tx->over)
        roll_back(tx);
    free(tx);
}

struct gfs_store *gfs_tx_store(const struct gfs_tx *tx) {
    return tx->store;
}

uint64_t gfs_tx_generation(const struct gfs_tx *tx) {
    return tx->generation;
}

int64_t gfs_tx_now_ns(const struct gfs_tx *tx) {
    return tx->now_ns;
}

static int check_json(struct gfs_tx *tx, const char *text, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};

    if (!text)
        return 0;
    gfs_statement_open(&statement, tx->store,
                       "SELECT CASE WHEN json_valid(?1) THEN json_type(?1) = 'object' ELSE 0 END", err);
    gfs_bind_text(&statement, text);
    int rc = gfs_statement_step(&statement);
    if (rc == 1 && gfs_column_int(&statement) == 0)
        return gfs_error_set(err, EINVAL, "what an audit row says about before and after must be a JSON object");
    return rc < 0 ? rc : 0;
}

int gfs_tx_audit(struct gfs_tx *tx, const struct gfs_audit_entry *entry, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    int rc = check_json(tx, entry->before, err);

    if (rc == 0)
        rc = check_json(tx, entry->after, err);
    if (rc < 0)
        return rc;
    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO audit (at_ns, generation, actor_id, actor_name, origin, action, object_kind, object_id, "
        "object_name, before_json, after_json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        err);
    gfs_bind_int(&statement, tx->now_ns);
    gfs_bind_int(&statement, (int64_t)tx->generation);
    gfs_bind_id(&statement, entry->actor);
    gfs_bind_text(&statement, entry->actor_name);
    gfs_bind_text(&statement, entry->origin);
    gfs_bind_text(&statement, entry->action);
    gfs_bind_text(&statement, entry->object_kind);
    gfs_bind_id(&statement, entry->object);
    gfs_bind_text(&statement, entry->object_name);
    gfs_bind_text(&statement, entry->before);
    gfs_bind_text(&statement, entry->after);
    rc = gfs_statement_run(&statement);
    if (rc == 0)
        tx->audited = true;
    return rc;
}

int gfs_tx_change(struct gfs_tx *tx, const char *entity, gfs_id id, enum gfs_change what, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store,
                       "INSERT INTO feed (entity, entity_id, what, other_id, kinds) VALUES (?1, ?2, ?3, 0, 0)", err);
    gfs_bind_text(&statement, entity);
    gfs_bind_int(&statement, id);
    gfs_bind_word(&statement, &gfs_change_words, (int)what);
    return gfs_statement_run(&statement);
}

gfs_id gfs_tx_added(const struct gfs_tx *tx) {
    return sqlite3_last_insert_rowid(tx->store->db);
}
