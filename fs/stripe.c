#include "fs/stripe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FIRST_BUCKETS = 64 };

int gfs_nodes_new(struct gfs_nodes **out) {
    struct gfs_nodes *nodes = calloc(1, sizeof *nodes);
    struct rlimit limit = {0};

    if (!nodes)
        return -ENOMEM;
    /* A quarter of what there may be: open files, locks and requests take the rest. */
    getrlimit(RLIMIT_NOFILE, &limit);
    nodes->descriptors_per_stripe = limit.rlim_cur / 4 / GFS_STRIPES;
    if (nodes->descriptors_per_stripe < 2)
        nodes->descriptors_per_stripe = 2;
    if (nodes->descriptors_per_stripe > 256)
        nodes->descriptors_per_stripe = 256;
    pthread_mutex_init(&nodes->device_lock, NULL);
    for (size_t i = 0; i < GFS_STRIPES; i++) {
        struct gfs_stripe *stripe = &nodes->stripes[i];
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

static void free_stripe(struct gfs_stripe *stripe) {
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
    for (size_t i = 0; i < GFS_STRIPES; i++)
        free_stripe(&nodes->stripes[i]);
    for (size_t i = 0; i < nodes->device_count; i++)
        if (nodes->devices[i].fd >= 0)
            close(nodes->devices[i].fd);
    pthread_mutex_destroy(&nodes->device_lock);
    free(nodes);
}

/* Doubles the buckets when there are more backings than that. Without memory the chains grow. */
static void make_room(struct gfs_stripe *stripe) {
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
            struct gfs_backing **bucket = gfs_bucket_of(stripe, backing->device, backing->inode);
            backing->next_in_bucket = *bucket;
            *bucket = backing;
        }
    free(old);
}

static bool same_handle(const struct gfs_backing *a, const struct gfs_backing_key *b) {
    return a->handle_type == b->handle_type && a->handle_size == b->handle_size &&
           !memcmp(a->handle, b->handle, a->handle_size);
}

struct gfs_backing *gfs_backing_find(struct gfs_stripe *stripe, const struct gfs_backing_key *key) {
    struct gfs_backing *backing = *gfs_bucket_of(stripe, key->device, key->inode);

    while (backing && (backing->device != key->device || backing->inode != key->inode || !same_handle(backing, key)))
        backing = backing->next_in_bucket;
    return backing;
}

struct gfs_backing *gfs_backing_add(struct gfs_stripe *stripe, const struct gfs_backing_key *key) {
    struct gfs_backing *backing = malloc(sizeof *backing + key->handle_size);

    if (!backing)
        return NULL;
    make_room(stripe);
    *backing = (struct gfs_backing){
        .device = key->device,
        .inode = key->inode,
        .handle_type = key->handle_type,
        .handle_size = key->handle_size,
        .keep = key->handle_type < 0,
        .descriptor = -1,
    };
    memcpy(backing->handle, key->handle, key->handle_size);
    struct gfs_backing **bucket = gfs_bucket_of(stripe, key->device, key->inode);
    backing->next_in_bucket = *bucket;
    *bucket = backing;
    stripe->backing_count++;
    return backing;
}

struct gfs_descriptor gfs_backing_take_out(struct gfs_stripe *stripe, struct gfs_backing *backing) {
    struct gfs_backing **link = gfs_bucket_of(stripe, backing->device, backing->inode);

    while (*link != backing)
        link = &(*link)->next_in_bucket;
    *link = backing->next_in_bucket;
    stripe->backing_count--;
    if (backing->newer || backing->older || stripe->newest == backing)
        gfs_lru_remove(stripe, backing);
    if (backing->descriptor >= 0)
        stripe->descriptors--;
    return (struct gfs_descriptor){.fd = backing->descriptor, .backing_id = backing->backing_id};
}

void gfs_nodes_visit(struct gfs_mount *mount, void (*visit)(void *context, struct gfs_node *node), void *context) {
    for (size_t s = 0; s < GFS_STRIPES; s++) {
        struct gfs_stripe *stripe = &mount->nodes->stripes[s];
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
    for (size_t s = 0; s < GFS_STRIPES; s++) {
        struct gfs_stripe *stripe = &mount->nodes->stripes[s];
        pthread_mutex_lock(&stripe->lock);
        *nodes += stripe->node_count;
        *backings += stripe->backing_count;
        *descriptors += stripe->descriptors;
        pthread_mutex_unlock(&stripe->lock);
    }
}
