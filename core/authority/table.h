/* Permissions by share, by open addressing. */
#ifndef GUILDFS_CORE_AUTHORITY_TABLE_H
#define GUILDFS_CORE_AUTHORITY_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "guildfs/hash.h"
#include "guildfs/model.h"

struct gfs_table_slot {
    gfs_id share;     /* 0: free */
    uint32_t ceiling; /* the number of the one that its organization has; GFS_NONE */
    gfs_perms perms;
    gfs_perms cut; /* what is left of perms for who is under the ceiling of the share's organization */
};

struct gfs_table {
    struct gfs_table_slot *slots;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
};

/* Adds to what the share has. 0 or -ENOMEM. */
int gfs_table_add(struct gfs_table *table, gfs_id share, uint32_t ceiling, gfs_perms perms) GFS_MUST_CHECK;
void gfs_table_free(struct gfs_table *table);

static inline uint64_t gfs_table_hash(gfs_id share) {
    return gfs_hash64(&share, sizeof share);
}

/* NULL when the share is not there. */
static inline const struct gfs_table_slot *gfs_table_find(const struct gfs_table *table, gfs_id share, uint64_t hash) {
    if (table->capacity == 0)
        return NULL;
    /* Ends: a table is never full. */
    for (size_t i = hash & (table->capacity - 1);; i = (i + 1) & (table->capacity - 1)) {
        const struct gfs_table_slot *slot = &table->slots[i];
        if (slot->share == share)
            return slot;
        if (slot->share == 0)
            return NULL;
    }
}

#endif
