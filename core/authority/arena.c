#include "core/authority/arena.h"

#include <stdlib.h>
#include <string.h>

/* Blocks grow, so that the few names of one user's view do not cost what 100,000 users' do. */
#define FIRST_BLOCK ((size_t)512)
#define LARGEST_BLOCK ((size_t)1 << 20)

struct gfs_arena_block {
    struct gfs_arena_block *next;
    size_t used, size;
    char text[];
};

static struct gfs_arena_block *add_block(struct gfs_arena *arena, size_t needed) {
    size_t size = arena->blocks != NULL ? arena->blocks->size * 2 : FIRST_BLOCK;
    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < needed)
        size = needed;
    struct gfs_arena_block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    *block = (struct gfs_arena_block){.next = arena->blocks, .size = size};
    arena->blocks = block;
    arena->bytes += sizeof *block + size;
    return block;
}

const char *gfs_arena_string(struct gfs_arena *arena, const char *text) {
    if (text == NULL || text[0] == '\0')
        return "";
    size_t length = strlen(text) + 1;
    struct gfs_arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < length)
        block = add_block(arena, length);
    if (block == NULL)
        return NULL;
    char *copy = block->text + block->used;
    memcpy(copy, text, length);
    block->used += length;
    return copy;
}

void gfs_arena_free(struct gfs_arena *arena) {
    while (arena->blocks != NULL) {
        struct gfs_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    arena->bytes = 0;
}
