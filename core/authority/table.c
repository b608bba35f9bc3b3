#include "core/authority/table.h"

#include <errno.h>
#include <stdlib.h>

#define SMALLEST_CAPACITY 4u

static struct gfs_table_slot *slot_for(struct gfs_table *table, gfs_id share) {
    size_t i = gfs_table_hash(share) & (table->capacity - 1);
    while (table->slots[i].share != 0 && table->slots[i].share != share)
        i = (i + 1) & (table->capacity - 1);
    return &table->slots[i];
}

static int grow(struct gfs_table *table) {
    struct gfs_table larger = {.capacity = table->capacity == 0 ? SMALLEST_CAPACITY : table->capacity * 2,
                               .count = table->count};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (larger.slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->slots[i].share != 0)
            *slot_for(&larger, table->slots[i].share) = table->slots[i];
    }
    gfs_table_free(table);
    *table = larger;
    return 0;
}

int gfs_table_add(struct gfs_table *table, gfs_id share, uint32_t ceiling, gfs_perms perms) {
    if (table->count + 1 > table->capacity / 4 * 3) {
        int rc = grow(table);
        if (rc < 0)
            return rc;
    }
    struct gfs_table_slot *slot = slot_for(table, share);
    if (slot->share == 0) {
        *slot = (struct gfs_table_slot){.share = share, .ceiling = ceiling};
        table->count++;
    }
    slot->perms |= perms;
    return 0;
}

void gfs_table_free(struct gfs_table *table) {
    free(table->slots);
    *table = (struct gfs_table){0};
}
