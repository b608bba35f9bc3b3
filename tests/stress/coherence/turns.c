/* One operation at a time, then a look through the other views. */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "coherence.h"

enum { HISTORY = 48, GIVE_UP_MS = 3000 };

struct turns {
    struct run *run;
    struct world *world;
    uint64_t random;
    int fds[ITEMS]; /* of the backing files, O_PATH; -1 */
    struct order history[HISTORY];
    unsigned long turn, checks, done; /* done: operations that succeeded */
    uint64_t acting_ns, looking_ns;
    int mismatches;
};

static unsigned pick(struct turns *turns, unsigned limit) {
    return below(&turns->random, limit);
}

/* ---- what to do ---- */

static struct path some_path(struct turns *turns) {
    struct path path = {.depth = 0};

    for (int at = 0; path.depth < DEPTH;) {
        const int *entries = turns->world->items[at].entries;
        int name = (int)pick(turns, NAMES);
        for (int tries = 0; entries[name] < 0 && tries < 3 && pick(turns, 3); tries++)
            name = (int)pick(turns, NAMES);
        path.names[path.depth++] = name;
        at = turns->world->items[at].entries[name];
        if (at < 0 || turns->world->items[at].kind != FOLDER || pick(turns, 4) == 0)
            break;
    }
    return path;
}

static void some_range(struct turns *turns, struct order *order, size_t limit) {
    static const size_t edges[] = {0, 1, 4095, 4096, 4097, 8192, 12288};
    size_t at = pick(turns, 2) ? edges[pick(turns, 7)] : pick(turns, CONTENT);

    order->offset = (off_t)(at < limit ? at : limit ? limit - 1 : 0);
    size_t room = limit - (size_t)order->offset;
    order->length = room ? 1 + pick(turns, (unsigned)(room < 5000 ? room : 5000)) : 0;
}

static const int open_flags[] = {
    O_RDONLY,
    O_RDONLY,
    O_RDWR,
    O_RDWR,
    O_RDWR,
    O_WRONLY,
    O_RDWR | O_APPEND,
    O_RDWR | O_TRUNC,
    O_RDONLY | O_TRUNC,
    O_RDWR | O_CREAT | O_EXCL,
    O_RDWR | O_CREAT | O_EXCL,
    O_WRONLY | O_CREAT | O_EXCL,
    O_RDWR | O_CREAT,
    O_RDWR | O_CREAT | O_APPEND,
    O_RDWR | O_CREAT | O_TRUNC,
};

/* An operation on a file that is open, or false when the file or the way it is open does not allow it. */
static bool suits_slot(struct turns *turns, struct order *order) {
    const struct slot *slot = &turns->world->slots[order->process][order->slot];
    size_t size = slot->item < 0 ? 0 : turns->world->items[slot->item].size;
    int access = slot->flags & O_ACCMODE;

    if (slot->item < 0)
        return false;
    if (order->act == MAP_WRITE) {
        some_range(turns, order, size);
        return slot->mapped && access == O_RDWR && order->length;
    }
    if (order->act == APPEND) {
        order->length = 1 + pick(turns, 700);
        return (slot->flags & O_APPEND) && size + order->length <= CONTENT;
    }
    if (order->act == MAP)
        return !slot->mapped && access != O_WRONLY;
    if (order->act == PWRITE || order->act == FTRUNCATE)
        return access != O_RDONLY && !(slot->flags & O_APPEND);
    return true;
}

static bool suits(struct turns *turns, struct order *order) {
    int folder, at = world_find(turns->world, &order->path, &folder);
    bool full = world_count(turns->world, FREE) < 4;

    if (order->act == MKDIR)
        return world_count(turns->world, FOLDER) < FOLDERS_MAX;
    if (order->act == OPEN || order->act == WRITE_PATH)
        return !(full && (order->flags & O_CREAT)) && !(at >= 0 && turns->world->items[at].kind == FOLDER) &&
               !(order->act == OPEN && order->slot >= 0 && turns->world->slots[order->process][order->slot].item >= 0);
    if (order->act == SYMLINKAT)
        return !full;
    if (order->act == CHMOD || order->act == SETXATTR || order->act == REMOVEXATTR)
        return at < 0 || turns->world->items[at].kind != FOLDER;
    return order->act >= WRITE_PATH || suits_slot(turns, order);
}

/* What makes and fills comes more often, or most names would lead nowhere. */
static const enum act acts[] = {
    OPEN,     OPEN,     OPEN,        OPEN,      CLOSE,      MAP,        MAP,        PWRITE, PWRITE,   PWRITE,
    APPEND,   APPEND,   MAP_WRITE,   MAP_WRITE, FSYNC,      FCHMOD,     FTRUNCATE,  CHMOD,  TRUNCATE, UTIMENS,
    SETXATTR, SETXATTR, REMOVEXATTR, MKDIR,     MKDIR,      RMDIR,      UNLINK,     UNLINK, RENAME,   RENAME,
    RENAME,   LINKAT,   LINKAT,      SYMLINKAT, WRITE_PATH, WRITE_PATH, WRITE_PATH,
};

static struct order some_order(struct turns *turns) {
    static const mode_t modes[] = {0700, 0600, 0600, 0600, 0400, 0200};
    static const unsigned renames[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
    struct order order;

    do {
        order = (struct order){.act = acts[pick(turns, sizeof acts / sizeof *acts)], .path = some_path(turns)};
        order.process = (int)pick(turns, (unsigned)turns->run->process_count);
        order.slot = (int)pick(turns, SLOTS + 1) - (order.act == OPEN ? 1 : 0);
        order.slot = order.slot == SLOTS ? 0 : order.slot;
        order.stamp = next_random(&turns->random) >> 34;
        order.mode = modes[pick(turns, 6)];
        some_range(turns, &order, CONTENT);
        if (order.act == RENAME || order.act == LINKAT)
            order.other = some_path(turns);
        if (order.act == RENAME)
            order.flags = (int)renames[pick(turns, 5)];
        if (order.act == OPEN)
            order.flags = open_flags[pick(turns, sizeof open_flags / sizeof *open_flags)];
        if (order.act == WRITE_PATH)
            order.flags = O_RDWR | (pick(turns, 2) ? O_CREAT : 0) | (pick(turns, 4) ? 0 : O_TRUNC);
    } while (!suits(turns, &order));
    return order;
}

/* ---- the truth ---- */

static void mismatch(struct turns *turns, const char *what) {
    char text[3 * TEXT];

    turns->mismatches++;
    printf("MISMATCH at turn %lu: %s\nwhat went before:\n", turns->turn, what);
    for (unsigned long i = turns->turn > HISTORY ? turns->turn - HISTORY + 1 : 1; i <= turns->turn; i++) {
        order_text(text, sizeof text, &turns->history[i % HISTORY]);
        printf("  %lu %s\n", i, text);
    }
}

/* The backing files, as the model would have them: times are taken from there. */
static void read_item(struct turns *turns, int at, const char *path) {
    struct item *item = &turns->world->items[at];
    char what[2 * TEXT];

    if (turns->fds[at] < 0)
        turns->fds[at] = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (turns->fds[at] < 0 || fstat(turns->fds[at], &item->truth)) {
        snprintf(what, sizeof what, "the backing file %s: %s", path, strerror(errno));
        mismatch(turns, what);
        return;
    }
    const struct stat *st = &item->truth;
    if (item->kind == REGULAR &&
        ((size_t)st->st_size != item->size || (st->st_mode & 0700) != item->mode || (int)st->st_nlink != item->links)) {
        snprintf(what, sizeof what, "the backing file %s: size %lld mode %o links %lu, the model has %zu, %o, %d",
                 *path ? path : "without a name", (long long)st->st_size, st->st_mode & 0700,
                 (unsigned long)st->st_nlink, item->size, item->mode, item->links);
        mismatch(turns, what);
    }
}

static void read_names(struct turns *turns, int folder, const char *path, bool seen[static ITEMS]) {
    char below_path[2 * TEXT];

    read_item(turns, folder, path);
    seen[folder] = true;
    for (int i = 0; i < NAMES; i++) {
        int child = turns->world->items[folder].entries[i];
        if (child < 0 || snprintf(below_path, sizeof below_path, "%s/n%d", path, i) >= (int)sizeof below_path)
            continue;
        if (turns->world->items[child].kind == FOLDER)
            read_names(turns, child, below_path, seen);
        else if (!seen[child])
            read_item(turns, child, below_path);
        seen[child] = true;
    }
}

static void read_truth(struct turns *turns) {
    bool seen[ITEMS] = {false};

    for (int i = 0; i < ITEMS; i++)
        if (turns->world->items[i].kind == FREE && turns->fds[i] >= 0) {
            close(turns->fds[i]);
            turns->fds[i] = -1;
        }
    read_names(turns, 0, turns->run->backing, seen);
    for (int i = 0; i < ITEMS; i++)
        if (turns->world->items[i].kind != FREE && !seen[i])
            read_item(turns, i, "");
}

/* ---- looking ---- */

static void start_check(struct turns *turns, int process, int looks) {
    struct order *order = &turns->run->common->processes[process].order;

    *order = (struct order){.act = CHECK, .process = process, .flags = looks, .stamp = next_random(&turns->random)};
    send_job(turns->run, process, JOB_ORDER);
}

/* How long it stays wrong tells why it is: for a moment, until a timeout, or for good. */
static void look_again(struct turns *turns, int process, char *text, size_t size) {
    struct order *order = &turns->run->common->processes[process].order;
    uint64_t start = now_ns();
    uint64_t passed_ms;

    do {
        send_job(turns->run, process, JOB_ORDER);
        await(turns->run, process);
        passed_ms = (now_ns() - start) / 1000000;
        if (order->stale)
            usleep(1000);
    } while (order->stale && passed_ms < GIVE_UP_MS);
    snprintf(text, size, order->stale ? "for good" : "for %llu ms", (unsigned long long)passed_ms);
}

static void end_check(struct turns *turns, int process) {
    struct order *order = &turns->run->common->processes[process].order;
    char what[4 * TEXT], first[3 * TEXT], lasted[40];

    await(turns->run, process);
    turns->checks++;
    if (!order->stale)
        return;
    snprintf(first, sizeof first, "%s", order->complaint);
    look_again(turns, process, lasted, sizeof lasted);
    snprintf(what, sizeof what, "process %d: %s (%s)", process, first, lasted);
    mismatch(turns, what);
}

/* All look at everything; or one of each view at something; or nobody, so that more than one
 * operation lies between two looks. */
static void look(struct turns *turns, int actor) {
    unsigned how = pick(turns, 4);
    int count = turns->run->process_count, views = turns->run->view_count;
    bool looks[PROCESSES_MAX] = {false};

    for (int i = 0; i < count; i++)
        looks[i] = how == 0;
    for (int view = 0; how && how < 3 && view < views; view++) {
        int one = view + views * (int)pick(turns, (unsigned)(count / views));
        looks[one] = view != actor % views || pick(turns, 2);
    }
    for (int i = 0; i < count; i++)
        if (looks[i])
            start_check(turns, i, how ? (int)pick(turns, LOOK_ALL + 1) : LOOK_ALL);
    for (int i = 0; i < count; i++)
        if (looks[i])
            end_check(turns, i);
}

/* A file that is renamed over another may take over its attributes ("save"), which depends on who
 * made it and when: so the model takes the attribute from where it is stored. */
static void read_values(struct turns *turns) {
    char path[64];

    for (int i = 0; i < ITEMS; i++) {
        struct item *item = &turns->world->items[i];
        if (item->kind != REGULAR || turns->fds[i] < 0)
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", turns->fds[i]);
        ssize_t length = getxattr(path, "user.x", item->value, sizeof item->value - 1);
        item->value[length > 0 ? length : 0] = '\0';
    }
}

static void take_turn(struct turns *turns) {
    struct order order = some_order(turns);
    struct order *sent = &turns->run->common->processes[order.process].order;
    char what[2 * TEXT];

    uint64_t start_ns = now_ns();
    turns->turn++;
    *sent = order;
    send_job(turns->run, order.process, JOB_ORDER);
    await(turns->run, order.process);
    turns->acting_ns += now_ns() - start_ns;
    order.error = sent->error;
    turns->history[turns->turn % HISTORY] = order;
    int wanted = world_apply(turns->world, &order);
    turns->done += !wanted;
    /* Which of several reasons is named first is the kernel's choice; but not whether it is there. */
    bool same = wanted == ENOENT || order.error == ENOENT ? wanted == order.error : !wanted == !order.error;
    if (!same) {
        snprintf(what, sizeof what, "it ended with \"%s\", expected \"%s\"", strerror(order.error), strerror(wanted));
        mismatch(turns, what);
        turns->mismatches = turns->run->mismatches_max; /* the model is not what is there any more */
        return;
    }
    read_truth(turns);
    if (order.act == RENAME)
        read_values(turns);
    start_ns = now_ns();
    look(turns, order.process);
    turns->looking_ns += now_ns() - start_ns;
}

int turns(struct run *run) {
    struct turns *turns = calloc(1, sizeof *turns);
    uint64_t end = now_ns() + (uint64_t)(run->seconds * 1e9);

    if (!turns)
        return 1;
    *turns = (struct turns){.run = run, .world = &run->common->world, .random = run->seed};
    for (int i = 0; i < ITEMS; i++)
        turns->fds[i] = -1;
    world_begin(turns->world);
    turns->world->fast = run->fast;
    start(run);
    read_truth(turns);
    while (now_ns() < end && turns->mismatches < run->mismatches_max)
        take_turn(turns);
    printf("turns: %lu (%lu operations succeeded; %.1f s), %lu looks (%.1f s), %d mismatches\n", turns->turn,
           turns->done, (double)turns->acting_ns / 1e9, turns->checks, (double)turns->looking_ns / 1e9,
           turns->mismatches);
    int mismatches = turns->mismatches;
    free(turns);
    return mismatches;
}
