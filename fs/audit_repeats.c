#include "fs/audit_repeats.h"

#include <stdlib.h>
#include <string.h>

#include "guildfs/audit.h"
#include "guildfs/hash.h"

enum { SLOTS = 128, LINE_BYTES = 4096, END_BYTES = 128, USERS = 64 };
#define WINDOW_NS GFS_NS_PER_S
#define LINE_COST_NS (GFS_NS_PER_S / 20)
#define LARGEST_CREDIT_NS (200 * LINE_COST_NS)

struct slot {
    struct gfs_audit_key key;
    int64_t since_ns, until_ns; /* 0: free */
    uint64_t count;
    size_t length;
    char line[LINE_BYTES]; /* the first one, from which the line with the count is made */
};

/* How many lines a user may still fill with denials, as the time that they cost. */
struct budget {
    uint64_t view;
    int64_t at_ns, credit_ns;
};

struct gfs_audit_repeats {
    struct slot slots[SLOTS];
    struct budget budgets[USERS];
    unsigned pending; /* slots with a count */
};

struct gfs_audit_repeats *gfs_audit_repeats_new(void) {
    return calloc(1, sizeof(struct gfs_audit_repeats));
}

void gfs_audit_repeats_free(struct gfs_audit_repeats *repeats) {
    free(repeats);
}

static struct slot *slot_of(struct gfs_audit_repeats *repeats, const struct gfs_audit_key *key) {
    return &repeats->slots[gfs_hash64(key, sizeof *key) % SLOTS];
}

/* A clock that was set back ends the second, too. */
static bool is_over(const struct slot *slot, int64_t now_ns) {
    return now_ns < slot->since_ns || now_ns - slot->since_ns >= WINDOW_NS;
}

static bool count_equal(struct gfs_audit_repeats *repeats, const struct gfs_audit_key *key, int64_t now_ns) {
    struct slot *slot = slot_of(repeats, key);

    if (!slot->since_ns || is_over(slot, now_ns) || memcmp(&slot->key, key, sizeof *key) != 0)
        return false;
    repeats->pending += slot->count++ == 0;
    slot->until_ns = now_ns;
    return true;
}

/* Two users on one budget begin it anew in turn: more is logged then, not less. */
static bool may_write(struct gfs_audit_repeats *repeats, uint64_t view, int64_t now_ns) {
    struct budget *budget = &repeats->budgets[gfs_hash64(&view, sizeof view) % USERS];

    if (budget->view != view || now_ns < budget->at_ns)
        *budget = (struct budget){.view = view, .at_ns = now_ns, .credit_ns = LARGEST_CREDIT_NS};
    int64_t earned = now_ns - budget->at_ns, room = LARGEST_CREDIT_NS - budget->credit_ns;
    budget->credit_ns += earned < room ? earned : room;
    budget->at_ns = now_ns;
    if (budget->credit_ns < LINE_COST_NS)
        return false;
    budget->credit_ns -= LINE_COST_NS;
    return true;
}

enum gfs_audit_merged gfs_audit_repeats_count(struct gfs_audit_repeats *repeats, struct gfs_audit_key *key,
                                              int64_t now_ns) {
    if (count_equal(repeats, key, now_ns))
        return GFS_AUDIT_COUNTED;
    if (may_write(repeats, key->view, now_ns))
        return GFS_AUDIT_FIRST;
    *key = (struct gfs_audit_key){.view = key->view};
    return count_equal(repeats, key, now_ns) ? GFS_AUDIT_COUNTED : GFS_AUDIT_FLOOD;
}

static void flush_slot(struct gfs_audit_repeats *repeats, struct slot *slot, gfs_audit_take *take, void *context) {
    char line[LINE_BYTES + END_BYTES];

    if (slot->count) {
        take(context, line,
             gfs_audit_encode_repeated(slot->line, slot->length, slot->count, slot->until_ns, line, sizeof line));
        repeats->pending--;
    }
    slot->since_ns = 0;
    slot->count = 0;
}

void gfs_audit_repeats_begin(struct gfs_audit_repeats *repeats, const struct gfs_audit_key *key, int64_t now_ns,
                             const char *line, size_t length, gfs_audit_take *take, void *context) {
    struct slot *slot = slot_of(repeats, key);

    flush_slot(repeats, slot, take, context);
    if (length > sizeof slot->line)
        return; /* names of thousands of bytes: each is logged */
    slot->key = *key;
    slot->since_ns = slot->until_ns = now_ns;
    slot->length = length;
    memcpy(slot->line, line, length);
}

void gfs_audit_repeats_flush(struct gfs_audit_repeats *repeats, int64_t now_ns, gfs_audit_take *take, void *context) {
    for (size_t i = 0; repeats->pending && i < SLOTS; i++)
        if (repeats->slots[i].count && is_over(&repeats->slots[i], now_ns))
            flush_slot(repeats, &repeats->slots[i], take, context);
}

bool gfs_audit_repeats_pending(const struct gfs_audit_repeats *repeats) {
    return repeats->pending > 0;
}
