#include "guildfs/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

/* Large enough that the system calls cost nothing beside the hashing. */
#define READ_SIZE_BYTES (256 * 1024)

uint64_t gfs_hash64(const void *bytes, size_t size) {
    return XXH3_64bits(bytes, size);
}

uint64_t gfs_hash_pair(uint64_t a, uint64_t b) {
    const uint64_t pair[2] = {a, b};

    return XXH3_64bits(pair, sizeof(pair));
}

static int hash_all(int fd, bool (*go_on)(void *context), void *context, XXH3_state_t *state, void *buffer) {
    off_t offset = 0;

    for (;;) {
        if (go_on && !go_on(context))
            return -EINTR;
        ssize_t got = pread(fd, buffer, READ_SIZE_BYTES, offset);
        if (got == 0)
            return 0;
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        XXH3_128bits_update(state, buffer, (size_t)got);
        offset += got;
    }
}

static void format_hash(XXH128_hash_t hash, char text[static GFS_XXH3_TEXT_SIZE]) {
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, hash);
    for (size_t i = 0; i < sizeof(canonical.digest); i++)
        snprintf(text + 2 * i, 3, "%02x", canonical.digest[i]);
}

int gfs_hash_fd(int fd, char text[static GFS_XXH3_TEXT_SIZE]) {
    return gfs_hash_fd_while(fd, NULL, NULL, text);
}

int gfs_hash_fd_while(int fd, bool (*go_on)(void *context), void *context, char text[static GFS_XXH3_TEXT_SIZE]) {
    XXH3_state_t *state = XXH3_createState();
    void *buffer = malloc(READ_SIZE_BYTES);
    int result = -ENOMEM;

    if (state && buffer) {
        XXH3_128bits_reset(state);
        result = hash_all(fd, go_on, context, state, buffer);
        if (result == 0)
            format_hash(XXH3_128bits_digest(state), text);
    }
    free(buffer);
    XXH3_freeState(state);
    return result;
}
