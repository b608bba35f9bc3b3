#include "fs/poison.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "fs/call.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

/* A listing takes what fits in the buffer, so a large one takes few round trips. */
enum { WAIT_S = 2, BUFFER_BYTES = 1 << 20, SECRET_BYTES = 16 };

struct gfs_poison {
    struct gfs_node door;             /* never changes */
    char name[2 * SECRET_BYTES + 16]; /* of the door; never changes */
    dev_t device;                     /* of the mount; never changes once the thread runs */
    char *buffer;                     /* the thread's */
    pthread_t thread;
    bool runs;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool stopping, busy;
    pid_t thread_id;         /* of the thread, while it is poisoning; else 0 */
    struct gfs_node **nodes; /* what is being poisoned */
    size_t count;
    unsigned listings;   /* requests that use the nodes: the connection may end before they do */
    uint64_t generation; /* the last one used */
    int result;
};

static int choose_name(struct gfs_poison *poison) {
    unsigned char secret[SECRET_BYTES];
    int used = snprintf(poison->name, sizeof poison->name, ".guildfs-");

    if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret)
        return -EIO;
    for (size_t i = 0; i < sizeof secret; i++)
        used += snprintf(poison->name + used, sizeof poison->name - (size_t)used, "%02x", secret[i]);
    return 0;
}

int gfs_poison_new(struct gfs_poison **out) {
    struct gfs_poison *poison = calloc(1, sizeof *poison);
    pthread_condattr_t monotonic;
    int rc = poison ? choose_name(poison) : -ENOMEM;

    if (!rc && !(poison->buffer = malloc(BUFFER_BYTES)))
        rc = -ENOMEM;
    if (rc) {
        free(poison);
        return rc;
    }
    poison->door.kind = GFS_NODE_DOOR;
    poison->generation = 1; /* what nodes begin with, see attr.c */
    pthread_mutex_init(&poison->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&poison->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = poison;
    return 0;
}

void gfs_poison_free(struct gfs_poison *poison) {
    if (!poison)
        return;
    pthread_cond_destroy(&poison->changed);
    pthread_mutex_destroy(&poison->lock);
    free(poison->nodes);
    free(poison->buffer);
    free(poison);
}

/* ---- the thread ---- */

/* The root of our own mount, by whatever lies on the mountpoint now. */
static int open_mount(const struct gfs_mount *mount, int *out) {
    struct statx found;
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, mount->options.mountpoint, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (fd < 0)
        return -errno;
    int rc = statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &found) ? -errno : 0;
    if (!rc && makedev(found.stx_dev_major, found.stx_dev_minor) != mount->poison->device)
        rc = -ENXIO;
    if (rc) {
        close(fd);
        return rc;
    }
    *out = fd;
    return 0;
}

static int list_door(const struct gfs_poison *poison, int root) {
    long got = 0;
    int fd = openat(root, poison->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    do
        got = syscall(SYS_getdents64, fd, poison->buffer, BUFFER_BYTES);
    while (got > 0);
    int rc = got < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int poison_all(const struct gfs_mount *mount) {
    int root = -1;
    int rc = open_mount(mount, &root);

    if (rc)
        return rc;
    rc = list_door(mount->poison, root);
    close(root);
    return rc;
}

static void *serve(void *context) {
    struct gfs_mount *mount = context;
    struct gfs_poison *poison = mount->poison;

    pthread_setname_np(pthread_self(), "guildfs-poison");
    pthread_mutex_lock(&poison->lock);
    while (!poison->stopping) {
        if (!poison->busy) {
            pthread_cond_wait(&poison->changed, &poison->lock);
            continue;
        }
        poison->thread_id = gettid();
        pthread_mutex_unlock(&poison->lock);
        int result = poison_all(mount);
        pthread_mutex_lock(&poison->lock);
        while (poison->listings)
            pthread_cond_wait(&poison->changed, &poison->lock);
        poison->result = result;
        poison->thread_id = 0;
        free(poison->nodes);
        poison->nodes = NULL;
        poison->count = 0;
        poison->busy = false;
        pthread_cond_broadcast(&poison->changed);
    }
    pthread_mutex_unlock(&poison->lock);
    return NULL;
}

int gfs_poison_start(struct gfs_mount *mount, dev_t device) {
    struct gfs_poison *poison = mount->poison;

    poison->device = device;
    int code = pthread_create(&poison->thread, NULL, serve, mount);
    poison->runs = !code;
    return -code;
}

void gfs_poison_stop(struct gfs_mount *mount) {
    struct gfs_poison *poison = mount->poison;

    if (!poison || !poison->runs)
        return;
    pthread_mutex_lock(&poison->lock);
    poison->stopping = true;
    pthread_cond_broadcast(&poison->changed);
    pthread_mutex_unlock(&poison->lock);
    pthread_join(poison->thread, NULL);
    poison->runs = false;
}

/* ---- whoever wants something poisoned ---- */

/* With the lock held: until the thread is free. */
static int await_thread(struct gfs_poison *poison, const struct timespec *deadline) {
    int code = 0;

    while (poison->busy && !poison->stopping && !code)
        code = pthread_cond_timedwait(&poison->changed, &poison->lock, deadline);
    return poison->busy ? -EBUSY : 0;
}

int gfs_poison(struct gfs_mount *mount, struct gfs_node *const *nodes, size_t count) {
    struct gfs_poison *poison = mount->poison;
    int64_t deadline_ns = gfs_monotonic_ns() + WAIT_S * GFS_NS_PER_S;
    const struct timespec deadline = {.tv_sec = deadline_ns / GFS_NS_PER_S, .tv_nsec = deadline_ns % GFS_NS_PER_S};
    struct gfs_node **copy = malloc(count * sizeof *copy);

    if (!copy)
        return -ENOMEM;
    memcpy(copy, nodes, count * sizeof *copy);
    pthread_mutex_lock(&poison->lock);
    int rc = await_thread(poison, &deadline);
    if (rc || poison->stopping) {
        pthread_mutex_unlock(&poison->lock);
        free(copy);
        return -EBUSY;
    }
    poison->nodes = copy;
    poison->count = count;
    poison->generation++;
    poison->busy = true;
    pthread_cond_broadcast(&poison->changed);
    rc = await_thread(poison, &deadline) ? -ETIMEDOUT : poison->result;
    pthread_mutex_unlock(&poison->lock);
    return rc;
}

bool gfs_poison_idle(struct gfs_mount *mount) {
    pthread_mutex_lock(&mount->poison->lock);
    bool idle = !mount->poison->busy;
    pthread_mutex_unlock(&mount->poison->lock);
    return idle;
}

/* ---- the requests that the thread makes ---- */

bool gfs_poison_asks(struct gfs_mount *mount, const struct fuse_ctx *who) {
    struct gfs_poison *poison = mount->poison;

    if (who->uid != 0)
        return false;
    pthread_mutex_lock(&poison->lock);
    bool asks = poison->thread_id && who->pid == poison->thread_id;
    pthread_mutex_unlock(&poison->lock);
    return asks;
}

struct gfs_node *gfs_poison_find_door(struct gfs_mount *mount, const struct gfs_node *folder, const char *name,
                                      const struct fuse_ctx *who) {
    struct gfs_poison *poison = mount->poison;

    if (!folder->mount_root || strcmp(name, poison->name) != 0)
        return NULL;
    return gfs_poison_asks(mount, who) ? &poison->door : NULL;
}

/* A name in the door says nothing, but must be another one each time: an entry that the kernel still
 * had by that name would be compared, and not the node. */
static size_t add_node(struct gfs_call *call, char *buffer, size_t room, size_t number, struct gfs_node *node,
                       uint64_t generation) {
    char name[48];
    const struct fuse_entry_param entry = {
        .ino = gfs_node_id(node),
        .generation = generation,
        .attr = {.st_mode = S_IFREG, .st_ino = number + 2, .st_nlink = 1},
    };

    snprintf(name, sizeof name, "%llx-%zx", (unsigned long long)generation, number);
    size_t length = fuse_add_direntry_plus(call->req, buffer, room, name, &entry, (off_t)number + 1);
    if (length > room)
        return 0;
    gfs_node_take(call->mount, node);
    return length;
}

void gfs_poison_list(struct gfs_call *call, size_t size, off_t first) {
    struct gfs_poison *poison = call->mount->poison;
    char *buffer = malloc(size);
    size_t used = 0, from = (size_t)first, to = from;

    pthread_mutex_lock(&poison->lock);
    struct gfs_node **nodes = poison->nodes;
    size_t count = poison->thread_id ? poison->count : 0;
    uint64_t generation = poison->generation;
    poison->listings++;
    pthread_mutex_unlock(&poison->lock);
    for (size_t length; buffer && to < count; to++, used += length)
        if (!(length = add_node(call, buffer + used, size - used, to, nodes[to], generation)))
            break;
    int rc = buffer ? fuse_reply_buf(call->req, buffer, used) : fuse_reply_err(call->req, ENOMEM);
    for (size_t i = from; rc && i < to; i++)
        gfs_node_forget(call->mount, nodes[i], 1);
    pthread_mutex_lock(&poison->lock);
    poison->listings--;
    pthread_cond_broadcast(&poison->changed);
    pthread_mutex_unlock(&poison->lock);
    free(buffer);
}
