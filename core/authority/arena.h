/* Strings that live and die together. Not thread-safe. */
#ifndef GUILDFS_CORE_AUTHORITY_ARENA_H
#define GUILDFS_CORE_AUTHORITY_ARENA_H

#include <stddef.h>

struct gfs_arena {
    struct gfs_arena_block *blocks; /* the newest first */
    size_t bytes;                   /* what was allocated for all blocks */
};

/* A copy that lives until the arena is freed; "" for NULL. NULL when memory is out. */
const char *gfs_arena_string(struct gfs_arena *arena, const char *text);

void gfs_arena_free(struct gfs_arena *arena);

#endif
