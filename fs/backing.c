/*
 * Descriptors of backing files: a bounded cache, filled by opening file handles, see backing.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/stripe.h"

void gfs_lru_remove(struct gfs_stripe *stripe, struct gfs_backing *backing) {
    *(backing->newer ? &backing->newer->older : &stripe->newest) = backing->older;
    *(backing->older ? &backing->older->newer : &stripe->oldest) = backing->newer;
    backing->newer = backing->older = NULL;
    stripe->evictable--;
}

void gfs_lru_add(struct gfs_stripe *stripe, struct gfs_backing *backing) {
    backing->older = stripe->newest;
    backing->newer = NULL;
    *(stripe->newest ? &stripe->newest->newer : &stripe->oldest) = backing;
    stripe->newest = backing;
    stripe->evictable++;
}

/* Takes the oldest descriptors out of the cache when there are too many: at most one is returned
 * for the caller to close outside the lock, -1 when there is none. */
int gfs_lru_evict(struct gfs_nodes *nodes, struct gfs_stripe *stripe) {
    if (stripe->descriptors <= nodes->descriptors_per_stripe || !stripe->oldest)
        return -1;
    struct gfs_backing *backing = stripe->oldest;
    int fd = backing->descriptor;
    gfs_lru_remove(stripe, backing);
    backing->descriptor = -1;
    stripe->descriptors--;
    return fd;
}

/* With the stripe locked: whether the descriptor may be closed to make room. */
bool gfs_lru_may_evict(const struct gfs_backing *backing) {
    return backing->descriptor >= 0 && !backing->pins && !backing->keep;
}

/* ---- handles ---- */

const struct gfs_device *gfs_device_find(struct gfs_nodes *nodes, uint64_t id) {
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

static const struct gfs_device *learn_device(struct gfs_nodes *nodes, uint64_t id, int root_fd) {
    const struct gfs_device *known = gfs_device_find(nodes, id);
    int fd = -1;

    if (known)
        return known;
    if (!gfs_path_reopen(root_fd, O_RDONLY | O_DIRECTORY, &fd) && !handles_work(root_fd, fd)) {
        close(fd);
        fd = -1;
    }
    pthread_mutex_lock(&nodes->device_lock);
    known = gfs_device_find(nodes, id);
    if (!known && nodes->device_count < GFS_DEVICES_MAX) {
        size_t i = nodes->device_count;
        nodes->devices[i] = (struct gfs_device){.id = id, .fd = fd};
        atomic_store_explicit(&nodes->device_count, i + 1, memory_order_release);
        known = &nodes->devices[i];
        fd = -1;
    }
    pthread_mutex_unlock(&nodes->device_lock);
    if (fd >= 0)
        close(fd);
    return known; /* NULL: too many filesystems, descriptors are kept instead */
}

int gfs_backing_name(int fd, struct gfs_backing *key) {
    union handle handle = {.header.handle_bytes = GFS_HANDLE_BYTES};
    int mount_id = 0;

    if (name_to_handle_at(fd, "", &handle.header, &mount_id, AT_EMPTY_PATH))
        return -errno;
    key->handle_type = handle.header.handle_type;
    key->handle_size = (uint8_t)handle.header.handle_bytes;
    memcpy(key->handle, handle.header.f_handle, handle.header.handle_bytes);
    return 0;
}

int gfs_backing_key(struct gfs_mount *mount, int root_fd, int fd, const struct stat *st, struct gfs_backing *key) {
    const struct gfs_device *device = learn_device(mount->nodes, st->st_dev, root_fd);

    *key = (struct gfs_backing){.device = st->st_dev, .inode = st->st_ino, .handle_type = -1, .descriptor = -1};
    if (!device || device->fd < 0)
        return 0;
    int rc = gfs_backing_name(fd, key);
    return rc == -EOVERFLOW || rc == -EOPNOTSUPP ? 0 : rc;
}

static int open_handle(struct gfs_nodes *nodes, const struct gfs_backing *backing, int *fd) {
    union handle handle = {.header = {.handle_bytes = backing->handle_size, .handle_type = backing->handle_type}};
    const struct gfs_device *device = gfs_device_find(nodes, backing->device);

    if (!device || device->fd < 0 || backing->handle_type < 0)
        return -ESTALE;
    memcpy(handle.header.f_handle, backing->handle, backing->handle_size);
    int opened = open_by_handle_at(device->fd, &handle.header, O_PATH | O_CLOEXEC);
    if (opened < 0)
        return errno == EMFILE || errno == ENFILE ? -errno : -ESTALE;
    *fd = opened;
    return 0;
}

/* ---- borrowing ---- */

int gfs_backing_get(struct gfs_mount *mount, struct gfs_backing *backing, int *fd) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, backing);
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
            old = gfs_lru_evict(mount->nodes, stripe);
        } else if (gfs_lru_may_evict(backing)) {
            gfs_lru_remove(stripe, backing);
        }
    } else if (gfs_lru_may_evict(backing)) {
        gfs_lru_remove(stripe, backing);
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
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, backing);
    int old = -1;

    pthread_mutex_lock(&stripe->lock);
    bool last = --backing->pins == 0 && !backing->nodes;
    if (last) {
        old = gfs_backing_take_out(stripe, backing);
    } else {
        if (gfs_lru_may_evict(backing))
            gfs_lru_add(stripe, backing);
        old = gfs_lru_evict(mount->nodes, stripe);
    }
    pthread_mutex_unlock(&stripe->lock);
    if (last)
        free(backing);
    if (old >= 0)
        close(old);
}
