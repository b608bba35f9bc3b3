#include "core/authority/list.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROWS (UINT32_MAX / 8) /* users, groups, teams and organizations are numbered together in 32 bits */

int gfs_list_add(struct gfs_list *list, const void *row, size_t row_size) {
    if (list->count >= MOST_ROWS)
        return -EOVERFLOW;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 8 : list->capacity * 2;
        void *rows = reallocarray(list->rows, capacity, row_size);
        if (rows == NULL)
            return -ENOMEM;
        list->rows = rows;
        list->capacity = capacity;
    }
    memcpy((char *)list->rows + list->count * row_size, row, row_size);
    list->count++;
    return 0;
}

void gfs_list_trim(struct gfs_list *list, size_t row_size) {
    if (list->count == 0 || list->count == list->capacity)
        return;
    void *rows = reallocarray(list->rows, list->count, row_size);
    if (rows == NULL)
        return;
    list->rows = rows;
    list->capacity = list->count;
}

void gfs_list_free(struct gfs_list *list) {
    free(list->rows);
    *list = (struct gfs_list){0};
}

static uint32_t key_of(const char *row) {
    uint32_t key;
    memcpy(&key, row, sizeof key);
    return key;
}

/*
 * Counting sort. start[k + 1] first counts the rows of key k, then is where the next of them
 * goes, and in the end is where they end: which is where those of k + 1 begin.
 */
static uint32_t *place_rows(const struct gfs_list *list, size_t row_size, size_t keys, char *sorted) {
    uint32_t *start = calloc(keys + 2, sizeof *start);
    if (start == NULL)
        return NULL;
    const char *rows = list->rows;
    for (size_t i = 0; i < list->count; i++)
        start[key_of(rows + i * row_size) + 2]++;
    for (size_t key = 2; key < keys + 2; key++)
        start[key] += start[key - 1];
    for (size_t i = 0; i < list->count; i++) {
        const char *row = rows + i * row_size;
        memcpy(sorted + (size_t)start[key_of(row) + 1]++ * row_size, row, row_size);
    }
    return start;
}

int gfs_index_build(struct gfs_index *index, struct gfs_list *list, size_t row_size, size_t keys) {
    char *sorted = malloc(list->count * row_size + 1);
    uint32_t *start = sorted == NULL ? NULL : place_rows(list, row_size, keys, sorted);
    if (start == NULL) {
        free(sorted);
        return -ENOMEM;
    }
    *index = (struct gfs_index){.start = start, .rows = sorted, .keys = keys, .count = list->count};
    gfs_list_free(list);
    return 0;
}

static int compare_second(const void *a, const void *b) {
    uint32_t left = key_of((const char *)a + sizeof(uint32_t)), right = key_of((const char *)b + sizeof(uint32_t));
    return (left > right) - (left < right);
}

void gfs_index_sort(struct gfs_index *index, size_t row_size) {
    for (size_t key = 0; key < index->keys; key++) {
        char *rows = (char *)index->rows + index->start[key] * row_size;
        size_t count = index->start[key + 1] - index->start[key];
        bool sorted = true;
        for (size_t i = 1; i < count && sorted; i++)
            sorted = compare_second(rows + (i - 1) * row_size, rows + i * row_size) <= 0;
        if (!sorted)
            qsort(rows, count, row_size, compare_second);
    }
}

int gfs_fan_build(struct gfs_fan *fan, struct gfs_list *pairs, size_t keys) {
    struct gfs_index index;
    uint32_t *values = malloc(pairs->count * sizeof *values + 1);
    if (values == NULL || gfs_index_build(&index, pairs, sizeof(struct gfs_pair), keys) < 0) {
        free(values);
        return -ENOMEM;
    }
    gfs_index_sort(&index, sizeof(struct gfs_pair));
    const struct gfs_pair *sorted = index.rows;
    for (size_t i = 0; i < index.count; i++)
        values[i] = sorted[i].value;
    *fan = (struct gfs_fan){.start = index.start, .values = values, .keys = keys, .count = index.count};
    free(index.rows);
    return 0;
}
