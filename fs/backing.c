/*
 * Descriptors of backing files: a bounded cache, filled by opening file handles, see backing.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/passthrough.h"
#include "fs/stripe.h"
#include "fs/watch.h"

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

/* At most one: others go with the next calls. */
struct gfs_descriptor gfs_lru_evict(struct gfs_nodes *nodes, struct gfs_stripe *stripe) {
    if (stripe->descriptors <= nodes->descriptors_per_stripe || !stripe->oldest)
        return (struct gfs_descriptor){.fd = -1};
    struct gfs_backing *backing = stripe->oldest;
    const struct gfs_descriptor old = {.fd = backing->descriptor, .backing_id = backing->backing_id};
    gfs_lru_remove(stripe, backing);
    backing->descriptor = -1;
    backing->backing_id = 0;
    stripe->descriptors--;
    return old;
}

void gfs_descriptor_close(struct gfs_mount *mount, struct gfs_descriptor descriptor) {
    if (descriptor.fd >= 0)
        close(descriptor.fd);
    gfs_passthrough_close(mount, descriptor.backing_id);
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

static const struct gfs_device *learn_device(struct gfs_mount *mount, uint64_t id, int root_fd) {
    struct gfs_nodes *nodes = mount->nodes;
    const struct gfs_device *known = gfs_device_find(nodes, id);
    bool added = false;
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
        added = true;
        fd = -1;
    }
    pthread_mutex_unlock(&nodes->device_lock);
    if (fd >= 0)
        close(fd);
    if (added)
        gfs_watch_add(mount, id, known->fd);
    return known; /* NULL: too many filesystems, descriptors are kept instead */
}

/* "" names the file behind fd itself. */
static int name_handle(int fd, const char *name, struct gfs_backing_key *key) {
    union handle handle = {.header.handle_bytes = GFS_HANDLE_BYTES};
    int mount_id = 0;

    if (name_to_handle_at(fd, name, &handle.header, &mount_id, *name ? 0 : AT_EMPTY_PATH))
        return -errno;
    key->handle_type = handle.header.handle_type;
    key->handle_size = (uint8_t)handle.header.handle_bytes;
    memcpy(key->handle, handle.header.f_handle, handle.header.handle_bytes);
    return 0;
}

int gfs_backing_name(int fd, struct gfs_backing_key *key) {
    return name_handle(fd, "", key);
}

int gfs_backing_key(struct gfs_mount *mount, int root_fd, int fd, const struct stat *st, struct gfs_backing_key *key) {
    const struct gfs_device *device = learn_device(mount, st->st_dev, root_fd);

    *key = (struct gfs_backing_key){.device = st->st_dev, .inode = st->st_ino, .handle_type = -1};
    if (!device || device->fd < 0)
        return 0;
    int rc = gfs_backing_name(fd, key);
    return rc == -EOVERFLOW || rc == -EOPNOTSUPP ? 0 : rc;
}

/* Whether all is known of the filesystem that is found out with the help of a descriptor. */
static bool is_known(const struct gfs_device *device, bool fast) {
    return device && device->fd >= 0 && (!fast || atomic_load_explicit(&device->passthrough, memory_order_relaxed));
}

int gfs_backing_look(struct gfs_mount *mount, int folder_fd, const char *name, bool fast, struct stat *st,
                     struct gfs_backing_key *key) {
    int rc = gfs_stat_child(folder_fd, name, st);

    if (rc)
        return rc;
    if (!is_known(gfs_device_find(mount->nodes, st->st_dev), fast && S_ISREG(st->st_mode)))
        return -EOPNOTSUPP;
    *key = (struct gfs_backing_key){.device = st->st_dev, .inode = st->st_ino};
    rc = name_handle(folder_fd, name, key);
    return rc == -EOVERFLOW ? -EOPNOTSUPP : rc;
}

static int open_handle(struct gfs_nodes *nodes, uint64_t device_id, int32_t type, size_t size, const uint8_t *bytes,
                       int *fd) {
    union handle handle = {.header = {.handle_bytes = (unsigned)size, .handle_type = type}};
    const struct gfs_device *device = gfs_device_find(nodes, device_id);

    if (!device || device->fd < 0 || type < 0)
        return -ESTALE;
    memcpy(handle.header.f_handle, bytes, size);
    int opened = open_by_handle_at(device->fd, &handle.header, O_PATH | O_CLOEXEC);
    if (opened < 0)
        return errno == EMFILE || errno == ENFILE ? -errno : -ESTALE;
    *fd = opened;
    return 0;
}

/* Opens by a handle, when it is that of the inode: see gfs_backing_look(). */
static int open_inode(struct gfs_nodes *nodes, const struct gfs_backing_key *key, const uint8_t *bytes, int *fd) {
    struct stat st;
    int opened = -1;
    int rc = open_handle(nodes, key->device, key->handle_type, key->handle_size, bytes, &opened);

    if (rc)
        return rc;
    if (fstat(opened, &st) || st.st_ino != key->inode || st.st_dev != key->device) {
        close(opened);
        return -ESTALE;
    }
    *fd = opened;
    return 0;
}

int gfs_backing_open(struct gfs_mount *mount, const struct gfs_backing_key *key, int *fd) {
    return open_inode(mount->nodes, key, key->handle, fd);
}

static int open_backing(struct gfs_nodes *nodes, const struct gfs_backing *backing, int *fd) {
    const struct gfs_backing_key key = {.device = backing->device,
                                        .inode = backing->inode,
                                        .handle_type = backing->handle_type,
                                        .handle_size = backing->handle_size};
    return open_inode(nodes, &key, backing->handle, fd);
}

/* ---- borrowing ---- */

int gfs_backing_get(struct gfs_mount *mount, struct gfs_backing *backing, int *fd) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, backing);
    struct gfs_descriptor old = {.fd = -1};
    int opened = -1;

    pthread_mutex_lock(&stripe->lock);
    if (backing->descriptor < 0) {
        pthread_mutex_unlock(&stripe->lock);
        int rc = open_backing(mount->nodes, backing, &opened);
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
    gfs_descriptor_close(mount, old);
    return 0;
}

void gfs_backing_put(struct gfs_mount *mount, struct gfs_backing *backing) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, backing);
    struct gfs_descriptor old;

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
    gfs_descriptor_close(mount, old);
}

/* ---- passthrough ---- */

int gfs_backing_passthrough(struct gfs_mount *mount, struct gfs_backing *backing, int32_t *id) {
    struct gfs_stripe *stripe = gfs_stripe_of_backing(mount, backing);
    int32_t fresh = 0;

    pthread_mutex_lock(&stripe->lock);
    int32_t known = backing->backing_id;
    int fd = backing->descriptor;
    pthread_mutex_unlock(&stripe->lock);
    if (!known) {
        int rc = gfs_passthrough_open(mount, fd, &fresh);
        if (rc)
            return rc;
        pthread_mutex_lock(&stripe->lock);
        known = backing->backing_id; /* another thread may have been faster */
        if (!known) {
            known = backing->backing_id = fresh;
            fresh = 0;
        }
        pthread_mutex_unlock(&stripe->lock);
        gfs_passthrough_close(mount, fresh);
    }
    *id = known;
    return 0;
}

static bool try_passthrough(struct gfs_mount *mount, struct gfs_device *device, int fd) {
    int32_t id = 0;
    int untried = 0;
    int rc = gfs_passthrough_open(mount, fd, &id);

    if (rc == -ENOMEM || rc == -ENFILE || rc == -EMFILE)
        return false; /* says nothing of the filesystem */
    bool first = atomic_compare_exchange_strong(&device->passthrough, &untried, rc ? -1 : 1);
    if (first && rc)
        gfs_passthrough_refused(mount, device->id, rc);
    gfs_passthrough_close(mount, id);
    return !rc;
}

bool gfs_device_passes_through(struct gfs_mount *mount, uint64_t id, int fd) {
    const struct gfs_device *found = gfs_device_find(mount->nodes, id);
    if (!found)
        return false;
    struct gfs_device *device = &mount->nodes->devices[found - mount->nodes->devices];
    int works = atomic_load_explicit(&device->passthrough, memory_order_relaxed);
    return works ? works > 0 : try_passthrough(mount, device, fd);
}
