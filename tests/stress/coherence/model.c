/* What every view must show. Modes are those of the owner; what others may do is not tried here. */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>

#include "coherence.h"

void stamp_bytes(unsigned char *to, size_t length, uint64_t stamp) {
    for (size_t i = 0; i < length; i++)
        to[i] = (unsigned char)((stamp >> (8 * (i & 3))) + i / 251 + 1);
}

void world_begin(struct world *world) {
    memset(world, 0, sizeof *world);
    world->items[0] = (struct item){.kind = FOLDER, .links = 1, .mode = 0700};
    for (int i = 0; i < NAMES; i++)
        world->items[0].entries[i] = -1;
    for (int i = 0; i < PROCESSES_MAX; i++)
        for (int k = 0; k < SLOTS; k++)
            world->slots[i][k].item = -1;
}

int world_count(const struct world *world, enum kind kind) {
    int count = 0;
    for (int i = 0; i < ITEMS; i++)
        count += world->items[i].kind == kind;
    return count;
}

int world_find(const struct world *world, const struct path *path, int *folder) {
    int at = 0;

    *folder = -1;
    for (int i = 0; i < path->depth; i++) {
        const struct item *item = &world->items[at];
        if (item->kind != FOLDER)
            return item->kind == SYMLINK ? -ENOENT : -ENOTDIR; /* symlinks lead nowhere */
        *folder = i == path->depth - 1 ? at : -1;
        at = item->entries[path->names[i]];
        if (at < 0)
            return -ENOENT;
    }
    return at;
}

static int *entry(struct world *world, int folder, const struct path *path) {
    return &world->items[folder].entries[path->names[path->depth - 1]];
}

static int add(struct world *world, int folder, const struct path *path, enum kind kind, mode_t mode) {
    int at = 1;
    while (at < ITEMS && world->items[at].kind != FREE)
        at++;
    if (at == ITEMS)
        return -ENOSPC; /* turns.c sees to it that there is room */
    world->items[at] = (struct item){.kind = kind, .links = 1, .mode = mode};
    for (int i = 0; i < NAMES; i++)
        world->items[at].entries[i] = -1;
    *entry(world, folder, path) = at;
    return at;
}

static void let_go(struct item *item) {
    if (item->links == 0 && item->uses == 0)
        item->kind = FREE;
}

static void unlink_item(struct world *world, int at) {
    world->items[at].links--;
    let_go(&world->items[at]);
}

static bool is_empty(const struct item *folder) {
    for (int i = 0; i < NAMES; i++)
        if (folder->entries[i] >= 0)
            return false;
    return true;
}

static bool is_below(const struct world *world, int folder, int at) {
    if (folder == at)
        return true;
    for (int i = 0; world->items[folder].kind == FOLDER && i < NAMES; i++)
        if (world->items[folder].entries[i] >= 0 && is_below(world, world->items[folder].entries[i], at))
            return true;
    return false;
}

/* ---- content ---- */

static void resize(struct item *item, size_t size) {
    if (size > item->size)
        memset(item->content + item->size, 0, size - item->size);
    item->size = size;
}

static void overwrite(struct item *item, size_t offset, size_t length, uint64_t stamp) {
    if (offset + length > item->size)
        resize(item, offset + length);
    stamp_bytes(item->content + offset, length, stamp);
}

static int may_open(const struct item *item, int flags) {
    bool reads = (flags & O_ACCMODE) != O_WRONLY, writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);

    if (item->kind == SYMLINK)
        return ELOOP; /* O_NOFOLLOW */
    if (item->kind == FOLDER)
        return EISDIR;
    return (reads && !(item->mode & 0400)) || (writes && !(item->mode & 0200)) ? EACCES : 0;
}

static int open_item(struct world *world, const struct order *order) {
    int folder, at = world_find(world, &order->path, &folder), rc;

    if (at < 0 && (folder < 0 || !(order->flags & O_CREAT)))
        return -at;
    if (at >= 0 && (order->flags & O_EXCL))
        return EEXIST;
    if (at < 0)
        at = add(world, folder, &order->path, REGULAR, order->mode);
    else if ((rc = may_open(&world->items[at], order->flags)))
        return rc;
    if (order->flags & O_TRUNC)
        resize(&world->items[at], 0);
    if (order->act == WRITE_PATH) {
        overwrite(&world->items[at], (size_t)order->offset, order->length, order->stamp);
    } else if (order->slot >= 0) {
        world->items[at].uses++;
        world->slots[order->process][order->slot] = (struct slot){.item = at, .flags = order->flags};
    }
    return 0;
}

static int apply_slot(struct world *world, const struct order *order) {
    struct slot *slot = &world->slots[order->process][order->slot];
    struct item *item = &world->items[slot->item];

    if (order->act == CLOSE) {
        slot->item = -1;
        item->uses--;
        let_go(item);
    } else if (order->act == MAP) {
        slot->mapped = true;
    } else if (order->act == PWRITE || order->act == MAP_WRITE) {
        overwrite(item, (size_t)order->offset, order->length, order->stamp);
        item->times_lag |= world->fast && order->act == MAP_WRITE;
    } else if (order->act == APPEND) {
        overwrite(item, item->size, order->length, order->stamp);
    } else if (order->act == FTRUNCATE) {
        resize(item, order->length);
    } else if (order->act == FCHMOD) {
        item->mode = order->mode;
    }
    return 0;
}

/* ---- attributes ---- */

static int apply_attribute(struct world *world, const struct order *order) {
    int folder, at = world_find(world, &order->path, &folder);
    struct item *item = at < 0 ? NULL : &world->items[at];

    if (at < 0)
        return -at;
    if (item->kind == SYMLINK)
        return ENOENT; /* it is followed, and leads nowhere */
    if (order->act == UTIMENS)
        return 0;
    if (item->kind == FOLDER && order->act == TRUNCATE)
        return EISDIR;
    if (order->act != CHMOD && !(item->mode & 0200))
        return EACCES;
    if (order->act == TRUNCATE)
        resize(item, order->length);
    else if (order->act == CHMOD)
        item->mode = item->kind == FOLDER ? 0700 : order->mode;
    else if (order->act == SETXATTR)
        snprintf(item->value, sizeof item->value, "%016llx", (unsigned long long)order->stamp);
    else if (!*item->value)
        return ENODATA;
    else
        *item->value = '\0';
    return 0;
}

/* ---- names ---- */

static int apply_new(struct world *world, const struct order *order) {
    int folder, at = world_find(world, &order->path, &folder);

    if (at >= 0)
        return EEXIST;
    if (folder < 0)
        return -at;
    at = add(world, folder, &order->path, order->act == MKDIR ? FOLDER : SYMLINK, 0700);
    if (order->act == SYMLINKAT)
        snprintf(world->items[at].value, sizeof world->items[at].value, "no/%016llx", (unsigned long long)order->stamp);
    return 0;
}

static int apply_remove(struct world *world, const struct order *order) {
    int folder, at = world_find(world, &order->path, &folder);

    if (at < 0)
        return -at;
    bool is_folder = world->items[at].kind == FOLDER;
    if (is_folder != (order->act == RMDIR))
        return is_folder ? EISDIR : ENOTDIR;
    if (is_folder && !is_empty(&world->items[at]))
        return ENOTEMPTY;
    *entry(world, folder, &order->path) = -1;
    unlink_item(world, at);
    return 0;
}

static int apply_link(struct world *world, const struct order *order) {
    int folder, other, at = world_find(world, &order->path, &folder), to = world_find(world, &order->other, &other);

    if (at < 0)
        return -at;
    if (to >= 0)
        return EEXIST;
    if (other < 0)
        return -to;
    if (world->items[at].kind == FOLDER)
        return EPERM;
    *entry(world, other, &order->other) = at;
    world->items[at].links++;
    return 0;
}

static int may_replace(const struct world *world, int at, int to) {
    bool folder = world->items[at].kind == FOLDER, to_folder = world->items[to].kind == FOLDER;

    if (is_below(world, to, at) && to != at)
        return ENOTEMPTY;
    if (folder != to_folder)
        return folder ? ENOTDIR : EISDIR;
    return to_folder && to != at && !is_empty(&world->items[to]) ? ENOTEMPTY : 0;
}

static int apply_rename(struct world *world, const struct order *order) {
    int from, into, at = world_find(world, &order->path, &from), to = world_find(world, &order->other, &into);
    bool exchange = order->flags & RENAME_EXCHANGE;
    int rc;

    if (from < 0 || into < 0 || at < 0)
        return at < 0 ? -at : -to;
    if (to < 0 && exchange)
        return ENOENT;
    if (to >= 0 && (order->flags & RENAME_NOREPLACE))
        return EEXIST;
    if (is_below(world, at, into))
        return EINVAL;
    if (exchange && is_below(world, to, from))
        return EINVAL;
    if (to == at)
        return 0; /* two names of one file: both stay */
    if (to >= 0 && !exchange && (rc = may_replace(world, at, to)))
        return rc;
    *entry(world, from, &order->path) = exchange ? to : -1;
    *entry(world, into, &order->other) = at;
    if (to >= 0 && !exchange)
        unlink_item(world, to);
    return 0;
}

int world_apply(struct world *world, const struct order *order) {
    switch (order->act) {
    case OPEN:
    case WRITE_PATH:
        return open_item(world, order);
    case CLOSE:
    case MAP:
    case PWRITE:
    case APPEND:
    case MAP_WRITE:
    case FSYNC:
    case FTRUNCATE:
    case FCHMOD:
        return apply_slot(world, order);
    case TRUNCATE:
    case CHMOD:
    case UTIMENS:
    case SETXATTR:
    case REMOVEXATTR:
        return apply_attribute(world, order);
    case MKDIR:
    case SYMLINKAT:
        return apply_new(world, order);
    case UNLINK:
    case RMDIR:
        return apply_remove(world, order);
    case RENAME:
        return apply_rename(world, order);
    case LINKAT:
        return apply_link(world, order);
    case ACTS:
    case CHECK:
        break;
    }
    return 0;
}
