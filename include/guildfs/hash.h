/*
 * xxHash. For content checksums and hash tables, never for a security decision: it does not
 * resist someone who constructs collisions.
 */
#ifndef GUILDFS_HASH_H
#define GUILDFS_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guildfs/compiler.h"

/* XXH3-64 of size bytes. */
uint64_t gfs_hash64(const void *bytes, size_t size);

/* A well mixed hash of two integers (device and inode, view and share). */
uint64_t gfs_hash_pair(uint64_t a, uint64_t b);

/*
 * XXH3-128 of all that can be read from fd from offset 0 to the end, by pread. text receives 32
 * lower-case hex digits (canonical order, as `xxh128sum` prints) and a NUL.
 * 0, or a negative errno of pread(2).
 */
#define GFS_XXH3_TEXT_SIZE 33
int gfs_hash_fd(int fd, char text[static GFS_XXH3_TEXT_SIZE]) GFS_MUST_CHECK;
/* The same, for as long as go_on(context), asked between two reads, says so; then -EINTR. */
int gfs_hash_fd_while(int fd, bool (*go_on)(void *context), void *context, char text[static GFS_XXH3_TEXT_SIZE])
    GFS_MUST_CHECK;

#endif
