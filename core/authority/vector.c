#include "core/authority/vector.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

const struct gfs_cell gfs_no_cell = {0};

void *gfs_step_allocate(struct gfs_step *step, size_t size) {
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL)
        return NULL;
    if (gfs_list_add(&step->made, &memory, sizeof memory) < 0) {
        free(memory);
        return NULL;
    }
    atomic_fetch_add_explicit(step->bytes, malloc_usable_size(memory), memory_order_relaxed);
    return memory;
}

int gfs_step_replace(struct gfs_step *step, const void *old) {
    return old == NULL ? 0 : gfs_list_add(&step->garbage, &old, sizeof old);
}

void gfs_step_free_list(struct gfs_list *pointers, atomic_size_t *bytes) {
    void *const *list = pointers->rows;
    for (size_t i = 0; i < pointers->count; i++) {
        atomic_fetch_sub_explicit(bytes, malloc_usable_size(list[i]), memory_order_relaxed);
        free(list[i]);
    }
    gfs_list_free(pointers);
}

/* ---- cells ---- */

/* Makes the row of pages the step's own, with room for one more page. */
static int own_row(struct gfs_vector *vector, struct gfs_step *step, size_t pages) {
    if (vector->version == step->version && pages <= vector->room)
        return 0;
    size_t used = (vector->count + GFS_PAGE_CELLS - 1) / GFS_PAGE_CELLS;
    size_t room = pages <= vector->room ? vector->room : pages + pages / 8;
    struct gfs_page **row = gfs_step_allocate(step, room * sizeof(struct gfs_page *));
    if (row == NULL || gfs_step_replace(step, vector->pages) < 0)
        return -ENOMEM;
    if (used > 0)
        memcpy(row, vector->pages, used * sizeof(struct gfs_page *));
    vector->pages = row;
    vector->room = room;
    vector->version = step->version;
    return 0;
}

static int own_page(struct gfs_vector *vector, struct gfs_step *step, size_t number) {
    struct gfs_page *old = vector->pages[number];
    if (old != NULL && old->version == step->version)
        return 0;
    struct gfs_page *page = gfs_step_allocate(step, sizeof *page);
    if (page == NULL || gfs_step_replace(step, old) < 0)
        return -ENOMEM;
    if (old != NULL)
        memcpy(page, old, sizeof *page);
    page->version = step->version;
    vector->pages[number] = page;
    return 0;
}

/* The cell, for writing; NULL when memory is out. */
static struct gfs_cell *own_cell(struct gfs_vector *vector, struct gfs_step *step, uint32_t i) {
    size_t last = i / GFS_PAGE_CELLS, first = last;
    if (i >= vector->count) /* pages that are jumped over must be there too */
        first = (vector->count + GFS_PAGE_CELLS - 1) / GFS_PAGE_CELLS;
    if (own_row(vector, step, last + 1) < 0)
        return NULL;
    for (size_t number = first < last ? first : last; number <= last; number++) {
        if (own_page(vector, step, number) < 0)
            return NULL;
    }
    if (i >= vector->count)
        vector->count = i + 1;
    return &vector->pages[last]->cells[i % GFS_PAGE_CELLS];
}

int gfs_vector_put(struct gfs_vector *vector, struct gfs_step *step, uint32_t i, struct gfs_cell cell) {
    struct gfs_cell *place = own_cell(vector, step, i);
    if (place == NULL)
        return -ENOMEM;
    if (place->loose && gfs_step_replace(step, place->rows) < 0)
        return -ENOMEM;
    *place = cell;
    return 0;
}

/* ---- from blocks ---- */

static int of_ranges(struct gfs_vector *vector, struct gfs_step *step, const uint32_t *start, size_t keys,
                     const char *rows, size_t row_size) {
    int rc = keys > 0 && own_cell(vector, step, (uint32_t)keys - 1) == NULL ? -ENOMEM : 0;
    for (uint32_t key = 0; key < keys && rc == 0; key++) {
        const struct gfs_cell cell = {.rows = rows + (size_t)start[key] * row_size,
                                      .count = start[key + 1] - start[key]};
        rc = gfs_vector_put(vector, step, key, cell);
    }
    return rc;
}

int gfs_vector_of_index(struct gfs_vector *vector, struct gfs_step *step, const struct gfs_index *index,
                        size_t row_size) {
    return of_ranges(vector, step, index->start, index->keys, index->rows, row_size);
}

int gfs_vector_of_fan(struct gfs_vector *vector, struct gfs_step *step, const struct gfs_fan *fan) {
    return of_ranges(vector, step, fan->start, fan->keys, (const char *)fan->values, sizeof *fan->values);
}

int gfs_vector_of_records(struct gfs_vector *vector, struct gfs_step *step, const void *records, size_t count,
                          size_t record_size) {
    int rc = count > 0 && own_cell(vector, step, (uint32_t)count - 1) == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        const struct gfs_cell cell = {.rows = (const char *)records + i * record_size, .count = 1};
        rc = gfs_vector_put(vector, step, i, cell);
    }
    return rc;
}

/* ---- lists ---- */

static uint32_t number_of(const void *rows, size_t i, size_t row_size, size_t offset) {
    uint32_t number;
    memcpy(&number, (const char *)rows + i * row_size + offset, sizeof number);
    return number;
}

/* Where the row with that number stands, or would. */
static uint32_t find_row(struct gfs_cell cell, uint32_t number, size_t row_size, size_t offset) {
    uint32_t low = 0, high = cell.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (number_of(cell.rows, middle, row_size, offset) < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The list with `skip` of its rows left out at `at`, and `row` (unless NULL) put there. */
static int splice(struct gfs_vector *vector, struct gfs_step *step, uint32_t i, uint32_t at, uint32_t skip,
                  const void *row, size_t row_size) {
    struct gfs_cell cell = gfs_vector_at(vector, i);
    uint32_t more = row != NULL ? 1 : 0;
    char *rows = gfs_step_allocate(step, (cell.count - skip + more) * row_size);
    if (rows == NULL)
        return -ENOMEM;
    if (at > 0)
        memcpy(rows, cell.rows, at * row_size);
    if (row != NULL)
        memcpy(rows + at * row_size, row, row_size);
    if (cell.count > at + skip)
        memcpy(rows + (at + more) * row_size, (const char *)cell.rows + (at + skip) * row_size,
               (cell.count - at - skip) * row_size);
    return gfs_vector_put(vector, step, i,
                          (struct gfs_cell){.rows = rows, .count = cell.count - skip + more, .loose = true});
}

int gfs_vector_row_put(struct gfs_vector *vector, struct gfs_step *step, uint32_t i, const void *row, size_t row_size,
                       size_t offset) {
    struct gfs_cell cell = gfs_vector_at(vector, i);
    uint32_t number = number_of(row, 0, row_size, offset);
    uint32_t at = find_row(cell, number, row_size, offset);
    bool there = at < cell.count && number_of(cell.rows, at, row_size, offset) == number;
    return splice(vector, step, i, at, there ? 1 : 0, row, row_size);
}

int gfs_vector_row_remove(struct gfs_vector *vector, struct gfs_step *step, uint32_t i, uint32_t number,
                          size_t row_size, size_t offset) {
    struct gfs_cell cell = gfs_vector_at(vector, i);
    uint32_t at = find_row(cell, number, row_size, offset);
    if (at == cell.count || number_of(cell.rows, at, row_size, offset) != number)
        return 0;
    return splice(vector, step, i, at, 1, NULL, row_size);
}

void gfs_vector_free(struct gfs_vector *vector) {
    for (uint32_t i = 0; i < vector->count; i++) {
        struct gfs_cell cell = gfs_vector_at(vector, i);
        if (cell.loose)
            free((void *)(uintptr_t)cell.rows);
    }
    for (size_t i = 0; i * GFS_PAGE_CELLS < vector->count; i++)
        free(vector->pages[i]);
    free(vector->pages);
    *vector = (struct gfs_vector){0};
}
