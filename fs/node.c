/* The views' nodes: which there are of a file, who writes to it, which folders are hot. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/stripe.h"
#include "fs/view.h"
#include "fs/watch.h"
#include "guildfs/clock.h"

static const int64_t HOT_NS = 2 * GFS_NS_PER_S;
/* The kernel counts a timeout from when it comes to read the answer. */
static const int64_t NAMES_SLACK_NS = 2 * GFS_NS_PER_S;

static bool is_of(const struct gfs_node *node, const struct gfs_tree *tree, bool share_root, bool fast) {
    return node->tree == tree && node->share_root == share_root && node->fast == fast && !node->dead;
}

static struct gfs_node *find_node(const struct gfs_backing *backing, const struct gfs_tree *tree, bool share_root,
                                  bool fast) {
    struct gfs_node *node = backing->nodes;

    while (node && !is_of(node, tree, share_root, fast))
        node = node->next_of_backing;
    return node;
}

static struct gfs_node *add_node(struct gfs_stripe *stripe, struct gfs_backing *backing, struct gfs_tree *tree,
                                 bool share_root, bool fast) {
    struct gfs_node *node = calloc(1, sizeof *node);

    if (!node)
        return NULL;
    node->kind = GFS_NODE_ITEM;
    node->share_root = share_root;
    node->fast = fast;
    node->view = tree->view;
    node->tree = tree;
    node->backing = backing;
    node->next_of_backing = backing->nodes;
    backing->nodes = node;
    stripe->node_count++;
    return node;
}

int gfs_node_enter(struct gfs_mount *mount, struct gfs_tree *tree, const struct gfs_node_wanted *wanted, int *fd,
                   struct gfs_node **out) {
    const struct stat *st = wanted->st;
    struct gfs_backing_key key;
    int rc = 0;
    if (wanted->key)
        key = *wanted->key;
    else
        rc = gfs_backing_key(mount, wanted->root_fd, *fd, st, &key);
    if (rc)
        return rc;
    struct gfs_stripe *stripe = gfs_stripe_of(mount, key.device, key.inode);
    struct gfs_descriptor old = {.fd = -1};
    bool fast = wanted->fast && S_ISREG(st->st_mode) && gfs_device_passes_through(mount, st->st_dev, *fd);

    pthread_mutex_lock(&stripe->lock);
    struct gfs_backing *backing = gfs_backing_find(stripe, &key);
    bool made = !backing;
    if (made)
        backing = gfs_backing_add(stripe, &key);
    struct gfs_node *node = backing ? find_node(backing, tree, wanted->share_root, fast) : NULL;
    if (backing && !node && (node = add_node(stripe, backing, tree, wanted->share_root, fast)))
        node->folder = S_ISDIR(st->st_mode);
    bool first = node && !node->lookups;
    if (node) {
        node->lookups++;
        if (backing->descriptor < 0 && *fd >= 0) {
            backing->descriptor = *fd;
            *fd = -1;
            stripe->descriptors++;
            if (gfs_lru_may_evict(backing))
                gfs_lru_add(stripe, backing);
            old = gfs_lru_evict(mount->nodes, stripe);
        }
    } else if (backing && made) {
        old = gfs_backing_take_out(stripe, backing);
        free(backing);
    }
    pthread_mutex_unlock(&stripe->lock);
    gfs_descriptor_close(mount, old);
    if (!node)
        return -ENOMEM;
    *out = node;
    return first;
}

void gfs_node_take(struct gfs_mount *mount, struct gfs_node *node) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, node->backing);

    pthread_mutex_lock(&stripe->lock);
    node->lookups++;
    pthread_mutex_unlock(&stripe->lock);
}

void gfs_node_forget(struct gfs_mount *mount, struct gfs_node *node, uint64_t lookups) {
    if (node->kind != GFS_NODE_ITEM)
        return;
    struct gfs_backing *backing = node->backing;
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, backing);
    struct gfs_descriptor old = {.fd = -1};
    bool last = false;

    pthread_mutex_lock(&stripe->lock);
    node->lookups -= lookups < node->lookups ? lookups : node->lookups;
    if (node->lookups == 0) {
        struct gfs_node **link = &backing->nodes;
        while (*link != node)
            link = &(*link)->next_of_backing;
        *link = node->next_of_backing;
        stripe->node_count--;
        last = !backing->nodes && !backing->pins; /* else it goes with the last pin */
    }
    bool gone = node->lookups == 0;
    if (last)
        old = gfs_backing_take_out(stripe, backing);
    pthread_mutex_unlock(&stripe->lock);
    if (gone)
        free(node);
    if (last)
        free(backing);
    gfs_descriptor_close(mount, old);
}

void gfs_node_visit(struct gfs_mount *mount, uint64_t device, uint64_t inode, const struct gfs_node *wanted,
                    void (*visit)(void *context, struct gfs_node *node), void *context) {
    struct gfs_stripe *stripe = gfs_stripe_of(mount, device, inode);

    pthread_mutex_lock(&stripe->lock);
    const struct gfs_backing *backing = *gfs_bucket_of(stripe, device, inode);
    for (; backing; backing = backing->next_in_bucket)
        for (struct gfs_node *node = backing->nodes; node; node = node->next_of_backing)
            if (node == wanted)
                visit(context, node);
    pthread_mutex_unlock(&stripe->lock);
}

void gfs_node_kill(struct gfs_node *node) {
    node->dead = true;
    node->lookups++;
}

void gfs_node_add_writer(struct gfs_mount *mount, struct gfs_node *node, int difference) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, node->backing);

    pthread_mutex_lock(&stripe->lock);
    node->writers += (unsigned)difference;
    node->backing->writers += (unsigned)difference;
    node->backing->mapped |= node->fast;
    pthread_mutex_unlock(&stripe->lock);
}

int64_t gfs_node_attr_limit_ns(struct gfs_mount *mount, const struct gfs_node *node) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, node->backing);

    pthread_mutex_lock(&stripe->lock);
    bool others_write = node->backing->writers > node->writers;
    bool mapped = node->backing->mapped;
    pthread_mutex_unlock(&stripe->lock);
    return others_write ? 0 : mapped ? GFS_NS_PER_S : INT64_MAX;
}

bool gfs_view_writes(struct gfs_mount *mount, const struct gfs_view *view, const struct stat *st) {
    struct gfs_stripe *stripe = gfs_stripe_of(mount, st->st_dev, st->st_ino);
    bool writes = false;

    pthread_mutex_lock(&stripe->lock);
    struct gfs_backing *backing = *gfs_bucket_of(stripe, st->st_dev, st->st_ino);
    for (; backing; backing = backing->next_in_bucket) {
        if (backing->device != st->st_dev || backing->inode != st->st_ino || !backing->writers)
            continue;
        for (const struct gfs_node *node = backing->nodes; node; node = node->next_of_backing)
            writes = writes || (node->view == view && node->writers);
    }
    pthread_mutex_unlock(&stripe->lock);
    return writes;
}

void gfs_node_unlinked(struct gfs_mount *mount, const struct stat *st, int fd) {
    struct gfs_stripe *stripe = gfs_stripe_of(mount, st->st_dev, st->st_ino);
    struct gfs_backing_key key = {.device = st->st_dev, .inode = st->st_ino};

    /* A backing of the same number may be of a file that is long gone: the handle tells. Without
     * handles every backing has its descriptor already. */
    if (gfs_device_find(mount->nodes, st->st_dev) == NULL || gfs_backing_name(fd, &key))
        return;
    pthread_mutex_lock(&stripe->lock);
    struct gfs_backing *backing = gfs_backing_find(stripe, &key);
    if (backing && !backing->keep) {
        if (gfs_lru_may_evict(backing))
            gfs_lru_remove(stripe, backing);
        if (backing->descriptor < 0) {
            backing->descriptor = fcntl(fd, F_DUPFD_CLOEXEC, 0);
            stripe->descriptors += backing->descriptor >= 0;
        }
        backing->keep = true;
    }
    pthread_mutex_unlock(&stripe->lock);
}

void gfs_node_named(struct gfs_mount *mount, const struct stat *st, int fd) {
    struct gfs_stripe *stripe = gfs_stripe_of(mount, st->st_dev, st->st_ino);
    struct gfs_backing_key key = {.device = st->st_dev, .inode = st->st_ino};

    if (gfs_backing_name(fd, &key))
        return;
    pthread_mutex_lock(&stripe->lock);
    struct gfs_backing *backing = gfs_backing_find(stripe, &key);
    if (backing && backing->keep && backing->handle_type >= 0) {
        backing->keep = false;
        if (gfs_lru_may_evict(backing))
            gfs_lru_add(stripe, backing);
    }
    pthread_mutex_unlock(&stripe->lock);
}

const struct gfs_node *gfs_node_in(struct gfs_mount *mount, const struct gfs_tree *tree, const struct stat *st) {
    struct gfs_stripe *stripe = gfs_stripe_of(mount, st->st_dev, st->st_ino);
    const struct gfs_node *found = NULL;

    pthread_mutex_lock(&stripe->lock);
    const struct gfs_backing *backing = *gfs_bucket_of(stripe, st->st_dev, st->st_ino);
    for (; backing && !found; backing = backing->next_in_bucket) {
        const struct gfs_node *node = backing->nodes;
        if (backing->device != st->st_dev || backing->inode != st->st_ino)
            continue;
        while (node && (node->tree != tree || node->dead))
            node = node->next_of_backing;
        found = node;
    }
    pthread_mutex_unlock(&stripe->lock);
    return found;
}

static bool may_have_names(const struct gfs_mount_options *options, const struct gfs_node *node, int64_t now) {
    int64_t timeout_ns = node->names_long ? options->watched_entry_ns : options->entry_timeout_ns;
    return node->names_ns > now - timeout_ns - NAMES_SLACK_NS;
}

size_t gfs_node_siblings(struct gfs_mount *mount, uint64_t device, uint64_t inode, const struct gfs_node *except,
                         bool only_pages, struct gfs_sibling *siblings, size_t size) {
    struct gfs_stripe *stripe = gfs_stripe_of(mount, device, inode);
    int64_t now = gfs_monotonic_ns();
    size_t count = 0;

    pthread_mutex_lock(&stripe->lock);
    const struct gfs_backing *backing = *gfs_bucket_of(stripe, device, inode);
    for (; backing; backing = backing->next_in_bucket) {
        if (backing->device != device || backing->inode != inode)
            continue;
        for (const struct gfs_node *node = backing->nodes; node; node = node->next_of_backing) {
            if (node == except || (only_pages && !node->pages))
                continue;
            if (count < size)
                siblings[count] = (struct gfs_sibling){.id = gfs_node_id(node),
                                                       .view = node->view,
                                                       .has_names = may_have_names(&mount->options, node, now)};
            count++;
        }
    }
    pthread_mutex_unlock(&stripe->lock);
    return count;
}

/* ---- names in folders ---- */

void gfs_folder_changed(struct gfs_mount *mount, struct gfs_backing *folder, const struct gfs_view *by) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, folder);
    int64_t now = gfs_monotonic_ns();

    pthread_mutex_lock(&stripe->lock);
    if (folder->last_changer && folder->last_changer != (uint64_t)by->user && now - folder->last_changed_ns < HOT_NS)
        folder->hot_until_ns = now + HOT_NS;
    folder->last_changer = (uint64_t)by->user;
    folder->last_changed_ns = now;
    pthread_mutex_unlock(&stripe->lock);
}

void gfs_folder_looked_at(struct gfs_mount *mount, struct gfs_node *folder, bool even_hot) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, folder->backing);
    bool for_long = gfs_watch_entry_ns(mount, folder->backing->device) > mount->options.entry_timeout_ns;
    int64_t now = gfs_monotonic_ns();

    pthread_mutex_lock(&stripe->lock);
    if (even_hot || folder->backing->hot_until_ns <= now) {
        folder->names_ns = now;
        folder->names_long = folder->names_long || for_long;
    }
    pthread_mutex_unlock(&stripe->lock);
}

int64_t gfs_folder_names_left_ns(struct gfs_mount *mount, const struct gfs_node *folder) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, folder->backing);
    int64_t timeout_ns = gfs_watch_entry_ns(mount, folder->backing->device);
    int64_t now = gfs_monotonic_ns();

    pthread_mutex_lock(&stripe->lock);
    if (!folder->names_long && timeout_ns > mount->options.entry_timeout_ns)
        timeout_ns = mount->options.entry_timeout_ns; /* it was not watched yet */
    bool hot = folder->backing->hot_until_ns > now;
    int64_t until = folder->names_ns ? folder->names_ns + timeout_ns : 0;
    pthread_mutex_unlock(&stripe->lock);
    return hot || until < now ? 0 : until - now;
}

void gfs_folder_forgotten(struct gfs_mount *mount, const struct gfs_backing *folder, int64_t before_ns) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, folder);

    pthread_mutex_lock(&stripe->lock);
    for (struct gfs_node *node = folder->nodes; node; node = node->next_of_backing)
        if (node->names_ns < before_ns) {
            node->names_ns = 0;
            node->names_long = false;
        }
    pthread_mutex_unlock(&stripe->lock);
}
