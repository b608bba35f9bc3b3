/*
 * The inode table: backings by (device, inode, handle), nodes by (tree, backing). 64 stripes, each
 * with its own lock, so that lookups of different files do not wait for each other. A stripe also
 * keeps its share of the descriptor cache.
 */
#include "fs/node.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fs/mount.h"
#include "fs/view.h"
#include "guildfs/clock.h"
#include "guildfs/hash.h"

enum { STRIPES = 64, FIRST_BUCKETS = 64, MAX_DEVICES = 256 };
static const int64_t HOT_NS = 2 * GFS_NS_PER_S;

struct stripe {
    pthread_mutex_t lock;
    struct gfs_backing **buckets;
    size_t bucket_count, backing_count, node_count;
    size_t descriptors;                  /* cached, pinned or not */
    size_t evictable;                    /* in the LRU list */
    struct gfs_backing *newest, *oldest; /* LRU list of backings whose descriptor is not pinned */
};

/* A filesystem, to open file handles by. */
struct device {
    uint64_t id;
    int fd; /* a folder in it, O_RDONLY; -1: the filesystem has no handles */
};

struct gfs_nodes {
    struct stripe stripes[STRIPES];
    size_t descriptors_per_stripe;
    pthread_mutex_t device_lock; /* for adding; readers take the count with acquire */
    _Atomic size_t device_count;
    struct device devices[MAX_DEVICES];
};

int gfs_nodes_new(struct gfs_nodes **out) {
    struct gfs_nodes *nodes = calloc(1, sizeof *nodes);
    struct rlimit limit = {0};

    if (!nodes)
        return -ENOMEM;
    /* A quarter of what there may be: open files, locks and requests take the rest. */
    getrlimit(RLIMIT_NOFILE, &limit);
    nodes->descriptors_per_stripe = limit.rlim_cur / 4 / STRIPES;
    if (nodes->descriptors_per_stripe < 2)
        nodes->descriptors_per_stripe = 2;
    if (nodes->descriptors_per_stripe > 256)
        nodes->descriptors_per_stripe = 256;
    pthread_mutex_init(&nodes->device_lock, NULL);
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &nodes->stripes[i];
        pthread_mutex_init(&stripe->lock, NULL);
        stripe->buckets = calloc(FIRST_BUCKETS, sizeof(struct gfs_backing *));
        if (!stripe->buckets) {
            gfs_nodes_free(nodes);
            return -ENOMEM;
        }
        stripe->bucket_count = FIRST_BUCKETS;
    }
    *out = nodes;
    return 0;
}

static void free_stripe(struct stripe *stripe) {
    for (size_t i = 0; i < stripe->bucket_count; i++)
        for (struct gfs_backing *backing = stripe->buckets[i], *next; backing; backing = next) {
            next = backing->next_in_bucket;
            for (struct gfs_node *node = backing->nodes, *other; node; node = other) {
                other = node->next_of_backing;
                free(node);
            }
            if (backing->descriptor >= 0)
                close(backing->descriptor);
            free(backing);
        }
    free(stripe->buckets);
    pthread_mutex_destroy(&stripe->lock);
}

void gfs_nodes_free(struct gfs_nodes *nodes) {
    if (!nodes)
        return;
    for (size_t i = 0; i < STRIPES; i++)
        free_stripe(&nodes->stripes[i]);
    for (size_t i = 0; i < nodes->device_count; i++)
        if (nodes->devices[i].fd >= 0)
            close(nodes->devices[i].fd);
    pthread_mutex_destroy(&nodes->device_lock);
    free(nodes);
}

static uint64_t hash_of(uint64_t device, uint64_t inode) {
    return gfs_hash_pair(device, inode);
}

static struct stripe *stripe_of(struct gfs_mount *mount, uint64_t device, uint64_t inode) {
    return &mount->nodes->stripes[hash_of(device, inode) % STRIPES];
}

static struct stripe *stripe_of_backing(struct gfs_mount *mount, const struct gfs_backing *backing) {
    return stripe_of(mount, backing->device, backing->inode);
}

static struct gfs_backing **bucket_of(struct stripe *stripe, uint64_t device, uint64_t inode) {
    return &stripe->buckets[(hash_of(device, inode) / STRIPES) % stripe->bucket_count];
}

/* ---- descriptors ---- */

static void lru_remove(struct stripe *stripe, struct gfs_backing *backing) {
    *(backing->newer ? &backing->newer->older : &stripe->newest) = backing->older;
    *(backing->older ? &backing->older->newer : &stripe->oldest) = backing->newer;
    backing->newer = backing->older = NULL;
    stripe->evictable--;
}

static void lru_add(struct stripe *stripe, struct gfs_backing *backing) {
    backing->older = stripe->newest;
    backing->newer = NULL;
    *(stripe->newest ? &stripe->newest->newer : &stripe->oldest) = backing;
    stripe->newest = backing;
    stripe->evictable++;
}

/* Takes the oldest descriptors out of the cache when there are too many: at most one is returned
 * for the caller to close outside the lock, -1 when there is none. */
static int evict(struct gfs_nodes *nodes, struct stripe *stripe) {
    if (stripe->descriptors <= nodes->descriptors_per_stripe || !stripe->oldest)
        return -1;
    struct gfs_backing *backing = stripe->oldest;
    int fd = backing->descriptor;
    lru_remove(stripe, backing);
    backing->descriptor = -1;
    stripe->descriptors--;
    return fd;
}

/* With the stripe locked: whether the descriptor may be closed to make room. */
static bool may_evict(const struct gfs_backing *backing) {
    return backing->descriptor >= 0 && !backing->pins && !backing->keep;
}

static const struct device *find_device(struct gfs_nodes *nodes, uint64_t id) {
    size_t count = atomic_load_explicit(&nodes->device_count, memory_order_acquire);

    for (size_t i = 0; i < count; i++)
        if (nodes->devices[i].id == id)
            return &nodes->devices[i];
    return NULL;
}

union handle {
    struct file_handle header;
    char space[sizeof(struct file_handle) + GFS_HANDLE_BYTES];
};

/* Whether a handle of the filesystem can be opened at all: tried once, on the share's root. */
static bool handles_work(int root_fd, int folder_fd) {
    union handle handle = {.header.handle_bytes = GFS_HANDLE_BYTES};
    int mount_id = 0;

    if (name_to_handle_at(root_fd, "", &handle.header, &mount_id, AT_EMPTY_PATH))
        return false;
    int fd = open_by_handle_at(folder_fd, &handle.header, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static const struct device *learn_device(struct gfs_nodes *nodes, uint64_t id, int root_fd) {
    const struct device *known = find_device(nodes, id);
    int fd = -1;

    if (known)
        return known;
    if (!gfs_path_reopen(root_fd, O_RDONLY | O_DIRECTORY, &fd) && !handles_work(root_fd, fd)) {
        close(fd);
        fd = -1;
    }
    pthread_mutex_lock(&nodes->device_lock);
    known = find_device(nodes, id);
    if (!known && nodes->device_count < MAX_DEVICES) {
        size_t i = nodes->device_count;
        nodes->devices[i] = (struct device){.id = id, .fd = fd};
        atomic_store_explicit(&nodes->device_count, i + 1, memory_order_release);
        known = &nodes->devices[i];
        fd = -1;
    }
    pthread_mutex_unlock(&nodes->device_lock);
    if (fd >= 0)
        close(fd);
    return known; /* NULL: too many filesystems, descriptors are kept instead */
}

static int open_handle(struct gfs_nodes *nodes, const struct gfs_backing *backing, int *fd) {
    union handle handle = {.header = {.handle_bytes = backing->handle_size, .handle_type = backing->handle_type}};
    const struct device *device = find_device(nodes, backing->device);

    if (!device || device->fd < 0 || backing->handle_type < 0)
        return -ESTALE;
    memcpy(handle.header.f_handle, backing->handle, backing->handle_size);
    int opened = open_by_handle_at(device->fd, &handle.header, O_PATH | O_CLOEXEC);
    if (opened < 0)
        return errno == EMFILE || errno == ENFILE ? -errno : -ESTALE;
    *fd = opened;
    return 0;
}

/* With the stripe locked: takes a backing out of the table that nobody names or uses any more; the
 * caller frees it. Its descriptor, to be closed outside the lock, or -1. */
static int take_out(struct stripe *stripe, struct gfs_backing *backing) {
    struct gfs_backing **link = bucket_of(stripe, backing->device, backing->inode);

    while (*link != backing)
        link = &(*link)->next_in_bucket;
    *link = backing->next_in_bucket;
    stripe->backing_count--;
    if (backing->newer || backing->older || stripe->newest == backing)
        lru_remove(stripe, backing);
    if (backing->descriptor >= 0)
        stripe->descriptors--;
    return backing->descriptor;
}

int gfs_backing_get(struct gfs_mount *mount, struct gfs_backing *backing, int *fd) {
    struct stripe *stripe = stripe_of_backing(mount, backing);
    int opened = -1;
    int old = -1;

    pthread_mutex_lock(&stripe->lock);
    if (backing->descriptor < 0) {
        pthread_mutex_unlock(&stripe->lock);
        int rc = open_handle(mount->nodes, backing, &opened);
        if (rc)
            return rc;
        pthread_mutex_lock(&stripe->lock);
        if (backing->descriptor < 0) {
            backing->descriptor = opened;
            opened = -1;
            stripe->descriptors++;
            old = evict(mount->nodes, stripe);
        } else if (may_evict(backing)) {
            lru_remove(stripe, backing);
        }
    } else if (may_evict(backing)) {
        lru_remove(stripe, backing);
    }
    backing->pins++;
    *fd = backing->descriptor;
    pthread_mutex_unlock(&stripe->lock);
    if (opened >= 0)
        close(opened);
    if (old >= 0)
        close(old);
    return 0;
}

void gfs_backing_put(struct gfs_mount *mount, struct gfs_backing *backing) {
    struct stripe *stripe = stripe_of_backing(mount, backing);
    int old = -1;

    pthread_mutex_lock(&stripe->lock);
    bool last = --backing->pins == 0 && !backing->nodes;
    if (last) {
        old = take_out(stripe, backing);
    } else {
        if (may_evict(backing))
            lru_add(stripe, backing);
        old = evict(mount->nodes, stripe);
    }
    pthread_mutex_unlock(&stripe->lock);
    if (last)
        free(backing);
    if (old >= 0)
        close(old);
}

/* ---- nodes ---- */

/* Doubles the buckets when there are more backings than that. Without memory the chains grow. */
static void make_room(struct stripe *stripe) {
    if (stripe->backing_count < stripe->bucket_count)
        return;
    size_t count = stripe->bucket_count * 2;
    struct gfs_backing **old = stripe->buckets;
    struct gfs_backing **buckets = calloc(count, sizeof(struct gfs_backing *));
    if (!buckets)
        return;
    size_t old_count = stripe->bucket_count;
    stripe->buckets = buckets;
    stripe->bucket_count = count;
    for (size_t i = 0; i < old_count; i++)
        for (struct gfs_backing *backing = old[i], *next; backing; backing = next) {
            next = backing->next_in_bucket;
            struct gfs_backing **bucket = bucket_of(stripe, backing->device, backing->inode);
            backing->next_in_bucket = *bucket;
            *bucket = backing;
        }
    free(old);
}

static bool same_handle(const struct gfs_backing *a, const struct gfs_backing *b) {
    return a->handle_type == b->handle_type && a->handle_size == b->handle_size &&
           !memcmp(a->handle, b->handle, a->handle_size);
}

static struct gfs_backing *find_backing(struct stripe *stripe, const struct gfs_backing *key) {
    struct gfs_backing *backing = *bucket_of(stripe, key->device, key->inode);

    while (backing && (backing->device != key->device || backing->inode != key->inode || !same_handle(backing, key)))
        backing = backing->next_in_bucket;
    return backing;
}

static struct gfs_backing *add_backing(struct stripe *stripe, const struct gfs_backing *key) {
    struct gfs_backing *backing = malloc(sizeof *backing);

    if (!backing)
        return NULL;
    make_room(stripe);
    *backing = *key;
    backing->descriptor = -1;
    backing->keep = key->handle_type < 0;
    struct gfs_backing **bucket = bucket_of(stripe, key->device, key->inode);
    backing->next_in_bucket = *bucket;
    *bucket = backing;
    stripe->backing_count++;
    return backing;
}

static struct gfs_node *find_node(const struct gfs_backing *backing, const struct gfs_tree *tree, bool share_root) {
    struct gfs_node *node = backing->nodes;

    while (node && (node->tree != tree || node->share_root != share_root))
        node = node->next_of_backing;
    return node;
}

static struct gfs_node *add_node(struct stripe *stripe, struct gfs_backing *backing, struct gfs_tree *tree,
                                 bool share_root) {
    struct gfs_node *node = calloc(1, sizeof *node);

    if (!node)
        return NULL;
    node->kind = GFS_NODE_ITEM;
    node->share_root = share_root;
    node->view = tree->view;
    node->tree = tree;
    node->backing = backing;
    node->next_of_backing = backing->nodes;
    backing->nodes = node;
    stripe->node_count++;
    return node;
}

static int name_handle(int fd, struct gfs_backing *key) {
    union handle handle = {.header.handle_bytes = GFS_HANDLE_BYTES};
    int mount_id = 0;

    if (name_to_handle_at(fd, "", &handle.header, &mount_id, AT_EMPTY_PATH))
        return -errno;
    key->handle_type = handle.header.handle_type;
    key->handle_size = (uint8_t)handle.header.handle_bytes;
    memcpy(key->handle, handle.header.f_handle, handle.header.handle_bytes);
    return 0;
}

static int make_key(struct gfs_mount *mount, int root_fd, int fd, const struct stat *st, struct gfs_backing *key) {
    const struct device *device = learn_device(mount->nodes, st->st_dev, root_fd);

    *key = (struct gfs_backing){.device = st->st_dev, .inode = st->st_ino, .handle_type = -1, .descriptor = -1};
    if (!device || device->fd < 0)
        return 0;
    int rc = name_handle(fd, key);
    return rc == -EOVERFLOW || rc == -EOPNOTSUPP ? 0 : rc;
}

int gfs_node_enter(struct gfs_mount *mount, struct gfs_tree *tree, bool share_root, int root_fd, int *fd,
                   const struct stat *st, struct gfs_node **out) {
    struct gfs_backing key;
    int rc = make_key(mount, root_fd, *fd, st, &key);
    if (rc)
        return rc;
    struct stripe *stripe = stripe_of(mount, key.device, key.inode);
    int old = -1;

    pthread_mutex_lock(&stripe->lock);
    struct gfs_backing *backing = find_backing(stripe, &key);
    bool made = !backing;
    if (made)
        backing = add_backing(stripe, &key);
    struct gfs_node *node = backing ? find_node(backing, tree, share_root) : NULL;
    if (backing && !node)
        node = add_node(stripe, backing, tree, share_root);
    if (node) {
        node->lookups++;
        if (backing->descriptor < 0) {
            backing->descriptor = *fd;
            *fd = -1;
            stripe->descriptors++;
            if (may_evict(backing))
                lru_add(stripe, backing);
            old = evict(mount->nodes, stripe);
        }
    } else if (backing && made) {
        old = take_out(stripe, backing);
        free(backing);
    }
    pthread_mutex_unlock(&stripe->lock);
    if (old >= 0)
        close(old);
    if (!node)
        return -ENOMEM;
    *out = node;
    return 0;
}

void gfs_node_forget(struct gfs_mount *mount, struct gfs_node *node, uint64_t lookups) {
    if (node->kind != GFS_NODE_ITEM)
        return;
    struct gfs_backing *backing = node->backing;
    struct stripe *stripe = stripe_of_backing(mount, backing);
    int fd = -1;
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
        fd = take_out(stripe, backing);
    pthread_mutex_unlock(&stripe->lock);
    if (gone)
        free(node);
    if (last)
        free(backing);
    if (fd >= 0)
        close(fd);
}

void gfs_node_add_writer(struct gfs_mount *mount, struct gfs_node *node, int difference) {
    struct stripe *stripe = stripe_of_backing(mount, node->backing);

    pthread_mutex_lock(&stripe->lock);
    node->writers += (unsigned)difference;
    node->backing->writers += (unsigned)difference;
    pthread_mutex_unlock(&stripe->lock);
}

unsigned gfs_node_other_writers(struct gfs_mount *mount, const struct gfs_node *node) {
    struct stripe *stripe = stripe_of_backing(mount, node->backing);

    pthread_mutex_lock(&stripe->lock);
    unsigned writers = node->backing->writers - node->writers;
    pthread_mutex_unlock(&stripe->lock);
    return writers;
}

bool gfs_view_writes(struct gfs_mount *mount, const struct gfs_view *view, const struct stat *st) {
    struct stripe *stripe = stripe_of(mount, st->st_dev, st->st_ino);
    bool writes = false;

    pthread_mutex_lock(&stripe->lock);
    struct gfs_backing *backing = *bucket_of(stripe, st->st_dev, st->st_ino);
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
    struct stripe *stripe = stripe_of(mount, st->st_dev, st->st_ino);
    struct gfs_backing key = {.device = st->st_dev, .inode = st->st_ino};

    /* A backing of the same number may be of a file that is long gone: the handle tells. Without
     * handles every backing has its descriptor already. */
    if (find_device(mount->nodes, st->st_dev) == NULL || name_handle(fd, &key))
        return;
    pthread_mutex_lock(&stripe->lock);
    struct gfs_backing *backing = find_backing(stripe, &key);
    if (backing && !backing->keep) {
        if (may_evict(backing))
            lru_remove(stripe, backing);
        if (backing->descriptor < 0) {
            backing->descriptor = fcntl(fd, F_DUPFD_CLOEXEC, 0);
            stripe->descriptors += backing->descriptor >= 0;
        }
        backing->keep = true;
    }
    pthread_mutex_unlock(&stripe->lock);
}

void gfs_node_named(struct gfs_mount *mount, const struct stat *st, int fd) {
    struct stripe *stripe = stripe_of(mount, st->st_dev, st->st_ino);
    struct gfs_backing key = {.device = st->st_dev, .inode = st->st_ino};

    if (name_handle(fd, &key))
        return;
    pthread_mutex_lock(&stripe->lock);
    struct gfs_backing *backing = find_backing(stripe, &key);
    if (backing && backing->keep && backing->handle_type >= 0) {
        backing->keep = false;
        if (may_evict(backing))
            lru_add(stripe, backing);
    }
    pthread_mutex_unlock(&stripe->lock);
}

size_t gfs_node_siblings(struct gfs_mount *mount, uint64_t device, uint64_t inode, const struct gfs_node *except,
                         bool only_pages, struct gfs_sibling *siblings, size_t size) {
    struct stripe *stripe = stripe_of(mount, device, inode);
    size_t count = 0;

    pthread_mutex_lock(&stripe->lock);
    const struct gfs_backing *backing = *bucket_of(stripe, device, inode);
    for (; backing; backing = backing->next_in_bucket) {
        if (backing->device != device || backing->inode != inode)
            continue;
        for (const struct gfs_node *node = backing->nodes; node; node = node->next_of_backing) {
            if (node == except || (only_pages && !node->pages))
                continue;
            if (count < size)
                siblings[count] = (struct gfs_sibling){.id = gfs_node_id(node), .view = node->view};
            count++;
        }
    }
    pthread_mutex_unlock(&stripe->lock);
    return count;
}

void gfs_nodes_visit(struct gfs_mount *mount, void (*visit)(void *context, struct gfs_node *node), void *context) {
    for (size_t s = 0; s < STRIPES; s++) {
        struct stripe *stripe = &mount->nodes->stripes[s];
        pthread_mutex_lock(&stripe->lock);
        for (size_t i = 0; i < stripe->bucket_count; i++)
            for (struct gfs_backing *backing = stripe->buckets[i]; backing; backing = backing->next_in_bucket)
                for (struct gfs_node *node = backing->nodes; node; node = node->next_of_backing)
                    visit(context, node);
        pthread_mutex_unlock(&stripe->lock);
    }
}

void gfs_nodes_count(struct gfs_mount *mount, uint64_t *nodes, uint64_t *backings, uint64_t *descriptors) {
    *nodes = *backings = *descriptors = 0;
    for (size_t s = 0; s < STRIPES; s++) {
        struct stripe *stripe = &mount->nodes->stripes[s];
        pthread_mutex_lock(&stripe->lock);
        *nodes += stripe->node_count;
        *backings += stripe->backing_count;
        *descriptors += stripe->descriptors;
        pthread_mutex_unlock(&stripe->lock);
    }
}

/* ---- hot folders ---- */

bool gfs_folder_changed(struct gfs_mount *mount, struct gfs_backing *folder, const struct gfs_view *by) {
    struct stripe *stripe = stripe_of_backing(mount, folder);
    int64_t now = gfs_monotonic_ns();

    pthread_mutex_lock(&stripe->lock);
    if (folder->last_changer && folder->last_changer != (uint64_t)by->user && now - folder->last_changed_ns < HOT_NS)
        folder->hot_until_ns = now + HOT_NS;
    folder->last_changer = (uint64_t)by->user;
    folder->last_changed_ns = now;
    bool hot = folder->hot_until_ns > now;
    pthread_mutex_unlock(&stripe->lock);
    return hot;
}

bool gfs_folder_hot(struct gfs_mount *mount, struct gfs_backing *folder) {
    struct stripe *stripe = stripe_of_backing(mount, folder);

    pthread_mutex_lock(&stripe->lock);
    bool hot = folder->hot_until_ns && folder->hot_until_ns > gfs_monotonic_ns();
    pthread_mutex_unlock(&stripe->lock);
    return hot;
}
