/*
 * Growing arrays, and arrays sorted by a key with an index in front (compressed sparse rows):
 * "all rows of key k" is then a range.
 */
#ifndef GUILDFS_CORE_AUTHORITY_LIST_H
#define GUILDFS_CORE_AUTHORITY_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "guildfs/compiler.h"

/* An array of rows of one size. Indexes are 32 bits wide, so that is what it may hold. */
struct gfs_list {
    void *rows;
    size_t count, capacity;
};

/* Appends a copy of the row. 0, -ENOMEM or -EOVERFLOW. */
int gfs_list_add(struct gfs_list *list, const void *row, size_t row_size) GFS_MUST_CHECK;
/* Gives back what was allocated and is not used. */
void gfs_list_trim(struct gfs_list *list, size_t row_size);
void gfs_list_free(struct gfs_list *list);

/* Rows whose first member is a uint32_t key, sorted by it; rows of equal key keep their order. */
struct gfs_index {
    uint32_t *start; /* of key k: start[k] to start[k + 1] */
    void *rows;
    size_t keys, count;
};

/* Takes the rows out of the list, which is empty then. 0 or -ENOMEM (the list is as it was). */
int gfs_index_build(struct gfs_index *index, struct gfs_list *list, size_t row_size, size_t keys) GFS_MUST_CHECK;
/* Sorts the rows of each key by the second number in them. */
void gfs_index_sort(struct gfs_index *index, size_t row_size);

/* The same for rows that are a key and one number; only the number is kept. */
struct gfs_pair {
    uint32_t key, value;
};

struct gfs_fan {
    uint32_t *start;
    uint32_t *values;
    size_t keys, count;
};

int gfs_fan_build(struct gfs_fan *fan, struct gfs_list *pairs, size_t keys) GFS_MUST_CHECK;

#endif
