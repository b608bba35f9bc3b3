/* A hash table from files to what is known of them, and the sum. The rule is in count.h. */
#include "fs/count.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "guildfs/hash.h"

enum {
    FIRST_SLOTS = 1024,
    SLOTS_MAX = 1 << 23, /* 128 MiB, for 6 million files, while a count runs */
};

/* 64 bits of hash stand for the file: that two files of a share have the same is less likely
 * than a memory error. */
struct slot {
    uint64_t key; /* 0: free */
    /* >= 0: size when the count began, not yet counted. < 0: counted, with the size -1 - value. */
    int64_t value;
};

struct gfs_count {
    struct slot *slots;
    size_t slot_count, used;
    int64_t total;
    bool exact;
};

int gfs_count_new(struct gfs_count **out) {
    struct gfs_count *count = calloc(1, sizeof(*count));
    struct slot *slots = calloc(FIRST_SLOTS, sizeof(*slots));

    if (!count || !slots) {
        free(count);
        free(slots);
        return -ENOMEM;
    }
    *count = (struct gfs_count){.slots = slots, .slot_count = FIRST_SLOTS, .exact = true};
    *out = count;
    return 0;
}

void gfs_count_free(struct gfs_count *count) {
    if (!count)
        return;
    free(count->slots);
    free(count);
}

int64_t gfs_count_total(const struct gfs_count *count) {
    return count->total;
}

bool gfs_count_exact(const struct gfs_count *count) {
    return count->exact;
}

static struct slot *slot_of(struct slot *slots, size_t slot_count, uint64_t key) {
    size_t at = key & (slot_count - 1);

    while (slots[at].key != 0 && slots[at].key != key)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

/* Whether there is room for one more. */
static bool make_room(struct gfs_count *count) {
    if (count->used + 1 <= count->slot_count / 4 * 3)
        return true;
    if (count->slot_count >= SLOTS_MAX)
        return false;
    size_t wider = count->slot_count * 2;
    struct slot *slots = calloc(wider, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < count->slot_count; i++) {
        if (count->slots[i].key != 0)
            *slot_of(slots, wider, count->slots[i].key) = count->slots[i];
    }
    free(count->slots);
    count->slots = slots;
    count->slot_count = wider;
    return true;
}

static uint64_t key_of(struct gfs_file_id file) {
    uint64_t key = gfs_hash_pair(file.device, file.inode);

    return key ? key : 1;
}

/* NULL when nothing is known of the file. */
static struct slot *find(struct gfs_count *count, struct gfs_file_id file) {
    struct slot *slot = slot_of(count->slots, count->slot_count, key_of(file));

    return slot->key ? slot : NULL;
}

/* Of a file of which nothing was known. */
static void remember(struct gfs_count *count, struct gfs_file_id file, int64_t value) {
    if (!make_room(count)) {
        count->exact = false;
        return;
    }
    *slot_of(count->slots, count->slot_count, key_of(file)) = (struct slot){.key = key_of(file), .value = value};
    count->used++;
}

static bool is_counted(const struct slot *slot) {
    return slot->value < 0;
}

static int64_t counted(int64_t size) {
    return -1 - size;
}

void gfs_count_found(struct gfs_count *count, struct gfs_file_id file, int64_t size) {
    struct slot *slot = find(count, file);

    if (!slot) {
        count->total += size;
        remember(count, file, counted(size));
    } else if (!is_counted(slot)) {
        count->total += slot->value;
        slot->value = counted(slot->value);
    }
}

void gfs_count_before(struct gfs_count *count, struct gfs_file_id file, int64_t size) {
    if (!find(count, file))
        remember(count, file, size);
}

void gfs_count_changed(struct gfs_count *count, int64_t size_before, int64_t size_after) {
    count->total += size_after - size_before;
}

/* Nobody said the size before. If the walk has been there, it took the one before or after, and
 * the slot knows which; else it will find the one after. */
void gfs_count_settled(struct gfs_count *count, struct gfs_file_id file, int64_t size_after) {
    struct slot *slot = find(count, file);

    if (!slot) {
        remember(count, file, size_after);
    } else if (is_counted(slot)) {
        count->total += size_after - (-1 - slot->value);
        slot->value = counted(size_after);
    }
}

void gfs_count_removed(struct gfs_count *count, struct gfs_file_id file, int64_t size) {
    struct slot *slot = find(count, file);

    count->total -= size;
    if (!slot) {
        count->total += size;
        remember(count, file, counted(0));
    } else if (!is_counted(slot)) {
        count->total += slot->value;
        slot->value = counted(0);
    }
}

void gfs_count_named(struct gfs_count *count, struct gfs_file_id file, int64_t size) {
    struct slot *slot = find(count, file);

    if (!slot) {
        count->total += size;
        remember(count, file, 0);
    } else if (is_counted(slot)) {
        /* The walk was there between linkat(2) and this. */
        count->total += size - (-1 - slot->value);
        slot->value = counted(size);
    }
}
