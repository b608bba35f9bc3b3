#include "core/authority/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guildfs/hash.h"

#define SMALLEST_CAPACITY 16u

static void put(struct gfs_map *map, uint64_t key, uint32_t value) {
    size_t slot = gfs_hash64(&key, sizeof key) & (map->capacity - 1);
    while (map->slots[slot].value != GFS_NONE)
        slot = (slot + 1) & (map->capacity - 1);
    /* The value last: whoever sees it sees the key. */
    map->slots[slot].key = key;
    __atomic_store_n(&map->slots[slot].value, value, __ATOMIC_RELEASE);
    map->count++;
}

static int grow(struct gfs_map *map) {
    struct gfs_map larger = {.capacity = map->capacity == 0 ? SMALLEST_CAPACITY : map->capacity * 2};
    larger.slots = malloc(larger.capacity * sizeof *larger.slots);
    if (larger.slots == NULL)
        return -ENOMEM;
    memset(larger.slots, 0xff, larger.capacity * sizeof *larger.slots); /* GFS_NONE everywhere */
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].value != GFS_NONE)
            put(&larger, map->slots[i].key, map->slots[i].value);
    }
    gfs_map_free(map);
    *map = larger;
    return 0;
}

int gfs_map_add(struct gfs_map *map, uint64_t key, uint32_t value) {
    if (map->count + 1 > map->capacity / 4 * 3) {
        int rc = grow(map);
        if (rc < 0)
            return rc;
    }
    put(map, key, value);
    return 0;
}

int gfs_map_share(struct gfs_map *map, uint64_t key, uint32_t value) {
    size_t cursor = 0;
    uint32_t there;
    while ((there = gfs_map_next(map, key, &cursor)) != GFS_NONE) {
        if (there == value)
            return 0;
    }
    if (map->count + 1 > map->capacity / 4 * 3)
        return -ENOSPC;
    put(map, key, value);
    return 0;
}

void gfs_map_copy(const struct gfs_map *map, struct gfs_map_slot *slots, size_t capacity,
                  bool (*lives)(const void *context, uint64_t key, uint32_t value), const void *context,
                  struct gfs_map *out) {
    *out = (struct gfs_map){.slots = slots, .capacity = capacity};
    memset(slots, 0xff, capacity * sizeof *slots); /* GFS_NONE everywhere */
    for (size_t i = 0; i < map->capacity; i++) {
        const struct gfs_map_slot *slot = &map->slots[i];
        if (slot->value != GFS_NONE && lives(context, slot->key, slot->value))
            put(out, slot->key, slot->value);
    }
}

uint32_t gfs_map_next(const struct gfs_map *map, uint64_t key, size_t *cursor) {
    if (map->capacity == 0)
        return GFS_NONE;
    size_t home = gfs_hash64(&key, sizeof key) & (map->capacity - 1);
    while (*cursor < map->capacity) {
        const struct gfs_map_slot *slot = &map->slots[(home + (*cursor)++) & (map->capacity - 1)];
        uint32_t value = __atomic_load_n(&slot->value, __ATOMIC_ACQUIRE);
        if (value == GFS_NONE)
            return GFS_NONE;
        if (slot->key == key)
            return value;
    }
    return GFS_NONE;
}

uint32_t gfs_map_find(const struct gfs_map *map, uint64_t key) {
    size_t cursor = 0;
    return gfs_map_next(map, key, &cursor);
}

size_t gfs_map_bytes(const struct gfs_map *map) {
    return map->capacity * sizeof *map->slots;
}

void gfs_map_free(struct gfs_map *map) {
    free(map->slots);
    *map = (struct gfs_map){0};
}
