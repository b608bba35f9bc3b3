/*
 * A hash table from 64-bit keys to array indexes, by open addressing. A key may stand in it more
 * than once: for texts the key is their hash, and the caller compares the texts.
 */
#ifndef GUILDFS_CORE_AUTHORITY_MAP_H
#define GUILDFS_CORE_AUTHORITY_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guildfs/compiler.h"

#define GFS_NONE UINT32_MAX /* no index */

struct gfs_map_slot {
    uint64_t key;
    uint32_t value; /* GFS_NONE: free */
};

struct gfs_map {
    struct gfs_map_slot *slots; /* key and value side by side: a lookup is one cache line */
    size_t count;
    size_t capacity; /* a power of two, or 0 */
};

/*
 * A map may be shared by readers and one writer: the readers hold copies of this struct, and a slot
 * that is filled later shows to them or does not. A shared
 * map is not grown in place, but copied.
 */

/* Adds one, also when the key is there already. 0 or -ENOMEM. */
int gfs_map_add(struct gfs_map *map, uint64_t key, uint32_t value) GFS_MUST_CHECK;

/* Adds one to a map that is shared, unless this very pair is there. -ENOSPC when it has to grow first. */
int gfs_map_share(struct gfs_map *map, uint64_t key, uint32_t value) GFS_MUST_CHECK;
/* Fills *out, whose slots are `capacity` zeroed ones, with what lives() says of the map. */
void gfs_map_copy(const struct gfs_map *map, struct gfs_map_slot *slots, size_t capacity,
                  bool (*lives)(const void *context, uint64_t key, uint32_t value), const void *context,
                  struct gfs_map *out);

/* The first value with that key, or GFS_NONE. */
uint32_t gfs_map_find(const struct gfs_map *map, uint64_t key);

/* The next value with that key, or GFS_NONE; *cursor is 0 at first. */
uint32_t gfs_map_next(const struct gfs_map *map, uint64_t key, size_t *cursor);

size_t gfs_map_bytes(const struct gfs_map *map);
void gfs_map_free(struct gfs_map *map);

#endif
