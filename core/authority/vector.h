/*
 * Arrays of which a changed copy costs little: a snapshot differs from the one before it in a few
 * cells, and shares all the others with it.
 *
 * A vector is a row of pages of cells; a cell points to rows (to one record, or to a list). Whoever
 * changes a cell first gets a page of its own, and a row of pages, made by the same step. What a
 * step replaces is not freed but noted down: older snapshots still use it. They go in the order in
 * which they were made (policy.h), so what a step replaced goes with the last one before that step.
 *
 * Steps belong to one thread at a time. Readers of older snapshots never see what a step does.
 */
#ifndef GUILDFS_CORE_AUTHORITY_VECTOR_H
#define GUILDFS_CORE_AUTHORITY_VECTOR_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/authority/list.h"

struct gfs_step {
    uint64_t version;        /* of what it makes; what bears it may be changed in place */
    struct gfs_list made;    /* void *: freed when the step fails */
    struct gfs_list garbage; /* void *: what it replaced */
    atomic_size_t *bytes;    /* the sum of what is allocated, for `status` */
};

/* Zeroed memory that lives until a step replaces it. NULL when memory is out. */
void *gfs_step_allocate(struct gfs_step *step, size_t size);
/* Notes down what the step has replaced. 0 or -ENOMEM. NULL is allowed. */
int gfs_step_replace(struct gfs_step *step, const void *old) GFS_MUST_CHECK;
/* Frees each pointer in the list, and the list. */
void gfs_step_free_list(struct gfs_list *pointers, atomic_size_t *bytes);

struct gfs_cell {
    const void *rows;
    uint32_t count; /* 0: nothing there */
    bool loose;     /* rows is an allocation of its own, not a part of a block */
};

#define GFS_PAGE_CELLS 256u

struct gfs_page {
    uint64_t version;
    struct gfs_cell cells[GFS_PAGE_CELLS];
};

struct gfs_vector {
    struct gfs_page **pages;
    size_t room;      /* how many pages the row of them can hold */
    uint64_t version; /* of the row of pages */
    uint32_t count;
};

extern const struct gfs_cell gfs_no_cell; /* empty */

static inline struct gfs_cell gfs_vector_at(const struct gfs_vector *vector, uint32_t i) {
    if (i >= vector->count)
        return gfs_no_cell;
    return vector->pages[i / GFS_PAGE_CELLS]->cells[i % GFS_PAGE_CELLS];
}

/* The one record of a cell; NULL. */
static inline const void *gfs_vector_record(const struct gfs_vector *vector, uint32_t i) {
    return gfs_vector_at(vector, i).rows;
}

/* Puts a cell, at the end or further on too (empty cells come between). The rows that were there
 * are replaced. 0, -ENOMEM or -EOVERFLOW. */
int gfs_vector_put(struct gfs_vector *vector, struct gfs_step *step, uint32_t i, struct gfs_cell cell) GFS_MUST_CHECK;

/* A cell for each key, whose rows stay in the arrays that are given. Also makes room for nothing. */
int gfs_vector_of_index(struct gfs_vector *vector, struct gfs_step *step, const struct gfs_index *index,
                        size_t row_size) GFS_MUST_CHECK;
int gfs_vector_of_fan(struct gfs_vector *vector, struct gfs_step *step, const struct gfs_fan *fan) GFS_MUST_CHECK;
int gfs_vector_of_records(struct gfs_vector *vector, struct gfs_step *step, const void *records, size_t count,
                          size_t record_size) GFS_MUST_CHECK;

/*
 * Lists in cells are sorted by a number in each row, which stands at `offset` in it. Puts a row in
 * the place of the one with its number, or adds it; removes the one with the number, if any.
 */
int gfs_vector_row_put(struct gfs_vector *vector, struct gfs_step *step, uint32_t i, const void *row, size_t row_size,
                       size_t offset) GFS_MUST_CHECK;
int gfs_vector_row_remove(struct gfs_vector *vector, struct gfs_step *step, uint32_t i, uint32_t number,
                          size_t row_size, size_t offset) GFS_MUST_CHECK;

/* Frees pages and loose rows: at the very end. */
void gfs_vector_free(struct gfs_vector *vector);

#endif
