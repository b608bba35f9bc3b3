#include "core/store/audit.h"

#include "core/store/transaction.h"

static const char *const change_words[] = {"added", "updated", "removed"};
const struct gfs_words gfs_change_words = {change_words, 3, "kind of change"};

static void read_entry(struct gfs_statement *statement, struct gfs_audit_entry *entry) {
    entry->id = gfs_column_int(statement);
    entry->at_ns = gfs_column_int(statement);
    entry->generation = (uint64_t)gfs_column_int(statement);
    entry->actor = gfs_column_id(statement);
    entry->actor_name = gfs_column_need(statement);
    entry->origin = gfs_column_text(statement);
    entry->action = gfs_column_need(statement);
    entry->object_kind = gfs_column_text(statement);
    entry->object = gfs_column_id(statement);
    entry->object_name = gfs_column_text(statement);
    entry->before = gfs_column_text(statement);
    entry->after = gfs_column_text(statement);
}

int gfs_store_audit_list(struct gfs_store *store, const struct gfs_audit_filter *filter,
                         int (*each)(void *context, const struct gfs_audit_entry *entry), void *context,
                         struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store,
                       "SELECT id, at_ns, generation, actor_id, actor_name, origin, action, object_kind, object_id, "
                       "object_name, before_json, after_json FROM audit "
                       "WHERE id > ?1 AND at_ns >= ?2 AND (?3 IS NULL OR actor_id = ?3) "
                       "AND (?4 IS NULL OR object_kind = ?4) AND (?5 IS NULL OR object_id = ?5) "
                       "ORDER BY id LIMIT ifnull(?6, -1)",
                       err);
    gfs_bind_int(&statement, filter->after_id);
    gfs_bind_int(&statement, filter->since_ns);
    gfs_bind_id(&statement, filter->actor);
    gfs_bind_text(&statement, filter->object_kind);
    gfs_bind_id(&statement, filter->object);
    gfs_bind_id(&statement, filter->limit);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_audit_entry entry;
        read_entry(&statement, &entry);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &entry);
        if (rc != 0)
            return rc;
    }
    return rc;
}

int gfs_store_change_list(struct gfs_store *store, uint64_t since,
                          int (*each)(void *context, const struct gfs_change_record *change), void *context,
                          struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store,
                       "SELECT generation, entity, entity_id, what FROM changes WHERE generation > ?1 "
                       "ORDER BY generation, sequence",
                       err);
    gfs_bind_int(&statement, (int64_t)since);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_change_record change;
        change.generation = (uint64_t)gfs_column_int(&statement);
        change.entity = gfs_column_need(&statement);
        change.id = gfs_column_id(&statement);
        change.what = (enum gfs_change)gfs_column_word(&statement, &gfs_change_words);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &change);
        if (rc != 0)
            return rc;
    }
    return rc;
}
