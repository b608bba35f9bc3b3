/*
 * The one place where SQLite is spoken to: opening, statements, and the translation of its errors
 * into ours. Internal to core/store.
 */
#ifndef GUILDFS_CORE_STORE_DB_H
#define GUILDFS_CORE_STORE_DB_H

#include <sqlite3.h>
#include <stddef.h>

#include "core/store/record.h"

#define GFS_STORE_APPLICATION_ID 0x47754673 /* "GuFs" in the header of the database file */
#define GFS_STORE_FILE "guildfs.db"
#define GFS_STORE_DEFAULT_NODE "data" /* path of the default node, in the store's directory */

struct gfs_store {
    sqlite3 *db;
    char *path; /* absolute */
    enum gfs_store_mode mode;
    struct gfs_tx *tx; /* the open one, or NULL */
};

/* Opens the database file with every pragma that the project relies on, whatever its contents;
 * flags are SQLite's; directory is the store's, for the error. */
int gfs_db_open(const char *file, const char *directory, int flags, int timeout_ms, sqlite3 **out,
                struct gfs_error *err) GFS_MUST_CHECK;

/* Runs one or more statements without parameters or results. */
int gfs_db_exec(struct gfs_store *store, const char *sql, struct gfs_error *err) GFS_MUST_CHECK;

/* Fills err from the last failure of the connection and returns the negative errno. */
int gfs_db_fail(sqlite3 *db, const char *directory, struct gfs_error *err);

/*
 * A statement, with an error that stays: after the first failure every further call does nothing,
 * and gfs_statement_step() returns the failure. So binding and reading need no checks of their own.
 *
 *     GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
 *     gfs_statement_open(&statement, store, "DELETE FROM teams WHERE id = ?1", err);
 *     gfs_bind_id(&statement, id);
 *     return gfs_statement_run(&statement);
 */
struct gfs_statement {
    struct gfs_store *store;
    struct gfs_error *err; /* may be NULL */
    sqlite3_stmt *sql;
    int rc;     /* 0, or the negative errno of the first failure */
    int bound;  /* parameters bound so far */
    int column; /* the next column to read in this row */
};

void gfs_statement_open(struct gfs_statement *statement, struct gfs_store *store, const char *sql,
                        struct gfs_error *err) GFS_NONNULL(1, 2, 3);
void gfs_statement_close(struct gfs_statement *statement) GFS_NONNULL(1);

/* Each binds the next parameter. */
void gfs_bind_int(struct gfs_statement *statement, int64_t value);
void gfs_bind_id(struct gfs_statement *statement, gfs_id id);         /* 0: NULL */
void gfs_bind_end(struct gfs_statement *statement, int64_t ns);       /* GFS_NEVER: NULL */
void gfs_bind_moment(struct gfs_statement *statement, int64_t value); /* 0: NULL */
void gfs_bind_uid(struct gfs_statement *statement, uint32_t uid);     /* GFS_NO_UID: NULL */
void gfs_bind_text(struct gfs_statement *statement,
                   const char *text); /* NULL: NULL. Borrowed until the statement is closed */
/* The word of an enumeration; -EINVAL for a value that has none. */
struct gfs_words {
    const char *const *words;
    int count;
    const char *what; /* the noun, for the error */
};
void gfs_bind_word(struct gfs_statement *statement, const struct gfs_words *words, int value);

/* 1: a row is there; 0: no more rows; else the failure. */
int gfs_statement_step(struct gfs_statement *statement) GFS_MUST_CHECK;
/* For a statement that returns no rows. */
int gfs_statement_run(struct gfs_statement *statement) GFS_MUST_CHECK;
/* The same, and -ENOENT with this message when no row was changed. */
int gfs_statement_change(struct gfs_statement *statement, const char *format, ...) GFS_PRINTF(2, 3) GFS_MUST_CHECK;

/* Each reads the next column of the row; the opposites of the bind functions. A failure shows at
 * gfs_statement_failed() or at the next step. */
int64_t gfs_column_int(struct gfs_statement *statement);
#define gfs_column_id gfs_column_int
#define gfs_column_moment gfs_column_int
int64_t gfs_column_end(struct gfs_statement *statement);
uint32_t gfs_column_uid(struct gfs_statement *statement);
const char *gfs_column_text(struct gfs_statement *statement); /* NULL for NULL; until the next step */
const char *gfs_column_need(struct gfs_statement *statement); /* "" for NULL, so never NULL */
int gfs_column_word(struct gfs_statement *statement, const struct gfs_words *words); /* -EBADMSG for an unknown word */
static inline int gfs_statement_failed(const struct gfs_statement *statement) {
    return statement->rc;
}

/*
 * Copies a record and the strings it points to into one block. texts are the offsets of its
 * members of type const char *. NULL when memory is out.
 */
void *gfs_record_dup(const void *record, size_t size, const size_t *texts, size_t text_count);

/* How a record is read from the columns of a row. */
struct gfs_record_type {
    size_t size;
    const size_t *texts;
    size_t text_count;
    void (*read)(struct gfs_statement *statement, void *record);
};
#define GFS_RECORD_MAX 512 /* size of the largest record */

/* One record: steps, reads, and lets *out (a pointer to a record) point to a copy that belongs to
 * the caller. -ENOENT with this message when there is no row. */
int gfs_statement_load(struct gfs_statement *statement, const struct gfs_record_type *type, void *out,
                       const char *format, ...) GFS_PRINTF(4, 5) GFS_MUST_CHECK;

#endif
