#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/store/transaction.h"

/* A transaction with a failed statement may be half done, so it will not be committed. */
static void fail_sql(struct gfs_statement *statement) {
    if (statement->rc != 0)
        return;
    statement->rc = gfs_db_fail(statement->store->db, statement->store->path, statement->err);
    if (statement->store->tx)
        statement->store->tx->failed = true;
}

void gfs_statement_open(struct gfs_statement *statement, struct gfs_store *store, const char *sql,
                        struct gfs_error *err) {
    *statement = (struct gfs_statement){.store = store, .err = err};
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement->sql, NULL) != SQLITE_OK)
        fail_sql(statement);
}

void gfs_statement_close(struct gfs_statement *statement) {
    sqlite3_finalize(statement->sql);
    statement->sql = NULL;
}

/* ---- binding ---- */

void gfs_bind_int(struct gfs_statement *statement, int64_t value) {
    if (statement->rc == 0 && sqlite3_bind_int64(statement->sql, ++statement->bound, value) != SQLITE_OK)
        fail_sql(statement);
}

static void bind_null(struct gfs_statement *statement) {
    if (statement->rc == 0 && sqlite3_bind_null(statement->sql, ++statement->bound) != SQLITE_OK)
        fail_sql(statement);
}

void gfs_bind_id(struct gfs_statement *statement, gfs_id id) {
    if (id == 0)
        bind_null(statement);
    else
        gfs_bind_int(statement, id);
}

void gfs_bind_end(struct gfs_statement *statement, int64_t ns) {
    if (ns == GFS_NEVER)
        bind_null(statement);
    else
        gfs_bind_int(statement, ns);
}

void gfs_bind_moment(struct gfs_statement *statement, int64_t value) {
    gfs_bind_id(statement, value);
}

void gfs_bind_uid(struct gfs_statement *statement, uint32_t uid) {
    if (uid == GFS_NO_UID)
        bind_null(statement);
    else
        gfs_bind_int(statement, uid);
}

void gfs_bind_text(struct gfs_statement *statement, const char *text) {
    if (!text)
        bind_null(statement);
    else if (statement->rc == 0 &&
             sqlite3_bind_text(statement->sql, ++statement->bound, text, -1, SQLITE_STATIC) != SQLITE_OK)
        fail_sql(statement);
}

void gfs_bind_word(struct gfs_statement *statement, const struct gfs_words *words, int value) {
    if (value >= 0 && value < words->count)
        gfs_bind_text(statement, words->words[value]);
    else if (statement->rc == 0)
        statement->rc = gfs_error_set(statement->err, EINVAL, "%d is no %s", value, words->what);
}

/* ---- running ---- */

int gfs_statement_step(struct gfs_statement *statement) {
    if (statement->rc != 0)
        return statement->rc;
    statement->column = 0;
    switch (sqlite3_step(statement->sql)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        fail_sql(statement);
        return statement->rc;
    }
}

int gfs_statement_run(struct gfs_statement *statement) {
    int rc = gfs_statement_step(statement);

    return rc < 0 ? rc : 0;
}

GFS_PRINTF(2, 0)
static int set_missing(struct gfs_statement *statement, const char *format, va_list arguments) {
    char message[sizeof((struct gfs_error *)0)->message];

    vsnprintf(message, sizeof message, format, arguments);
    return gfs_error_set(statement->err, ENOENT, "%s", message);
}

int gfs_statement_change(struct gfs_statement *statement, const char *format, ...) {
    int rc = gfs_statement_run(statement);

    if (rc < 0 || sqlite3_changes64(statement->store->db) > 0)
        return rc;
    va_list arguments;
    va_start(arguments, format);
    rc = set_missing(statement, format, arguments);
    va_end(arguments);
    return rc;
}

/* ---- reading ---- */

int64_t gfs_column_int(struct gfs_statement *statement) {
    return sqlite3_column_int64(statement->sql, statement->column++);
}

int64_t gfs_column_end(struct gfs_statement *statement) {
    int column = statement->column++;

    if (sqlite3_column_type(statement->sql, column) == SQLITE_NULL)
        return GFS_NEVER;
    return sqlite3_column_int64(statement->sql, column);
}

uint32_t gfs_column_uid(struct gfs_statement *statement) {
    int column = statement->column++;

    if (sqlite3_column_type(statement->sql, column) == SQLITE_NULL)
        return GFS_NO_UID;
    return (uint32_t)sqlite3_column_int64(statement->sql, column);
}

const char *gfs_column_text(struct gfs_statement *statement) {
    int column = statement->column++;
    const unsigned char *text = sqlite3_column_text(statement->sql, column);

    if (!text && sqlite3_column_type(statement->sql, column) != SQLITE_NULL && statement->rc == 0)
        statement->rc = gfs_error_set(statement->err, ENOMEM, "no memory is left to read the store");
    return (const char *)text;
}

const char *gfs_column_need(struct gfs_statement *statement) {
    const char *text = gfs_column_text(statement);

    return text ? text : "";
}

int gfs_column_word(struct gfs_statement *statement, const struct gfs_words *words) {
    const char *text = gfs_column_need(statement);

    for (int i = 0; i < words->count; i++)
        if (words->words[i] && strcmp(words->words[i], text) == 0)
            return i;
    if (statement->rc == 0)
        statement->rc = gfs_error_set(statement->err, EBADMSG,
                                      "the store holds \"%s\", which is no %s: it is damaged, or was "
                                      "changed by hand",
                                      text, words->what);
    return 0;
}

/* ---- records ---- */

/* The row of the statement as a record of its own. */
static int load_row(struct gfs_statement *statement, const struct gfs_record_type *type, void *out) {
    alignas(max_align_t) unsigned char record[GFS_RECORD_MAX] = {0};

    type->read(statement, record);
    int rc = gfs_statement_failed(statement);
    if (rc < 0)
        return rc;
    void *copy = gfs_record_dup(record, type->size, type->texts, type->text_count);
    if (!copy)
        return gfs_error_set(statement->err, ENOMEM, "no memory is left to read the store");
    memcpy(out, &copy, sizeof copy); /* *out is a pointer to some type of record */
    return 0;
}

int gfs_statement_load(struct gfs_statement *statement, const struct gfs_record_type *type, void *out,
                       const char *format, ...) {
    int rc = gfs_statement_step(statement);

    if (rc < 0)
        return rc;
    if (rc == 1)
        return load_row(statement, type, out);
    va_list arguments;
    va_start(arguments, format);
    rc = set_missing(statement, format, arguments);
    va_end(arguments);
    return rc;
}
