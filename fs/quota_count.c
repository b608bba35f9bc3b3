/*
 * The thread that counts shares, one after the other. It starts with the first question and ends
 * with the daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/backing.h"
#include "fs/count_walk.h"
#include "fs/quota_usage.h"
#include "guildfs/clock.h"
#include "guildfs/log.h"

/* What the counting thread needs of the snapshot, copied: a count is long, a snapshot is not to
 * be kept for it. */
struct place {
    char *node_path, *path;
    char **nested; /* paths below the share's root */
    size_t nested_count;
};

static void free_place(struct place *place) {
    for (size_t i = 0; i < place->nested_count; i++)
        free(place->nested[i]);
    free(place->nested);
    free(place->node_path);
    free(place->path);
}

/* The path of a nested share below the root of the one around it; NULL when it is elsewhere. */
static const char *path_below(const struct gfs_share *share, const struct gfs_share *nested) {
    size_t length = strlen(share->path);

    if (strcmp(share->node_path, nested->node_path) != 0)
        return NULL;
    if (length == 0 || strcmp(share->path, ".") == 0)
        return nested->path;
    if (strncmp(nested->path, share->path, length) != 0 || nested->path[length] != '/')
        return NULL;
    return nested->path + length + 1;
}

static int copy_nested(const struct gfs_snapshot *snapshot, const struct gfs_share *share, struct place *place) {
    size_t count = 0;
    const struct gfs_share *const *nested = gfs_snapshot_nested(snapshot, share->id, &count);

    place->nested = count > 0 ? calloc(count, sizeof(*place->nested)) : NULL;
    if (count > 0 && !place->nested)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const char *path = path_below(share, nested[i]);
        if (!path)
            continue;
        char *copy = strdup(path);
        if (!copy)
            return -ENOMEM;
        place->nested[place->nested_count++] = copy;
    }
    return 0;
}

static int copy_place(const struct gfs_snapshot *snapshot, gfs_id id, struct place *place) {
    const struct gfs_share *share = gfs_snapshot_share(snapshot, id);

    if (!share)
        return -ENOENT;
    place->node_path = strdup(share->node_path);
    place->path = strdup(share->path[0] ? share->path : ".");
    if (!place->node_path || !place->path)
        return -ENOMEM;
    return copy_nested(snapshot, share, place);
}

static int find_place(struct gfs_mount *mount, gfs_id share, struct place *place) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(mount->authority);

    if (!snapshot)
        return -EIO;
    int status = copy_place(snapshot, share, place);
    gfs_authority_leave(mount->authority, snapshot);
    return status;
}

static int open_root(const struct place *place, int *fd) {
    int node_fd = open(place->node_path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (node_fd < 0)
        return -errno;
    int status = gfs_open_beneath(node_fd, place->path, O_PATH | O_DIRECTORY | O_NOFOLLOW, fd);
    close(node_fd);
    return status;
}

/* A nested share whose folder is missing leaves nothing to skip. */
static size_t find_nested_roots(const struct place *place, int root_fd, struct gfs_file_id *roots) {
    size_t count = 0;

    for (size_t i = 0; i < place->nested_count; i++) {
        struct stat st;
        int fd = -1;
        if (gfs_open_beneath(root_fd, place->nested[i], O_PATH | O_DIRECTORY | O_NOFOLLOW, &fd) != 0)
            continue;
        if (fstat(fd, &st) == 0)
            roots[count++] = (struct gfs_file_id){.device = st.st_dev, .inode = st.st_ino};
        close(fd);
    }
    return count;
}

static void count_file(void *context, struct gfs_file_id file, int64_t size) {
    struct gfs_quotas *quotas = context;

    pthread_mutex_lock(&quotas->lock);
    gfs_count_found(quotas->count, file, size);
    pthread_mutex_unlock(&quotas->lock);
}

static int count_below(struct gfs_quotas *quotas, const struct place *place, size_t *unread) {
    struct gfs_file_id *roots = calloc(place->nested_count + 1, sizeof(*roots));
    int root_fd = -1;

    if (!roots)
        return -ENOMEM;
    int status = open_root(place, &root_fd);
    if (status == 0) {
        const struct gfs_count_walk walk = {.root_fd = root_fd,
                                            .skip = roots,
                                            .skip_count = find_nested_roots(place, root_fd, roots),
                                            .stop = &quotas->stopping,
                                            .found = count_file,
                                            .context = quotas};
        status = gfs_count_walk(&walk, unread);
        close(root_fd);
    }
    free(roots);
    return status;
}

static int begin_count(struct gfs_quotas *quotas, struct gfs_usage *usage) {
    struct gfs_count *count;
    int status = gfs_count_new(&count);

    if (status != 0)
        return status;
    pthread_mutex_lock(&quotas->lock);
    quotas->count = count;
    quotas->count_number++;
    usage->state = GFS_USAGE_COUNTING;
    pthread_mutex_unlock(&quotas->lock);
    if (quotas->written_files > 0)
        gfs_written_tell(quotas, usage->share);
    return 0;
}

/* Takes the total over, when there is one. Nothing can be charged between the two: `lock`. */
static void end_count(struct gfs_quotas *quotas, struct gfs_usage *usage, int status, size_t unread) {
    bool exact = true;

    pthread_mutex_lock(&quotas->lock);
    struct gfs_count *count = quotas->count;
    if (status == 0) {
        usage->bytes = gfs_count_total(count);
        usage->counted = true;
        exact = gfs_count_exact(count);
    }
    quotas->count = NULL;
    usage->tried_ns = gfs_monotonic_ns();
    usage->state = GFS_USAGE_IDLE;
    int64_t bytes = usage->bytes;
    pthread_mutex_unlock(&quotas->lock);
    gfs_count_free(count);

    if (status == -EINTR)
        return;
    if (status != 0 || unread > 0 || !exact)
        gfs_log(GFS_LOG_WARNING, "quota-count-incomplete", "share_id=%lld errno=%d unread_folders=%zu exact=%d",
                (long long)usage->share, -status, unread, exact);
    else
        gfs_log(GFS_LOG_INFO, "quota-counted", "share_id=%lld bytes=%lld", (long long)usage->share, (long long)bytes);
}

static void count_share(struct gfs_quotas *quotas, struct gfs_usage *usage) {
    struct place place = {0};
    size_t unread = 0;

    int status = find_place(quotas->mount, usage->share, &place);
    if (status == 0)
        status = begin_count(quotas, usage);
    if (status == 0)
        status = count_below(quotas, &place, &unread);
    end_count(quotas, usage, status, unread);
    free_place(&place);
}

static void *count_queued(void *context) {
    struct gfs_quotas *quotas = context;

    pthread_mutex_lock(&quotas->lock);
    while (!quotas->stopping) {
        struct gfs_usage *usage = quotas->queue;
        if (!usage) {
            pthread_cond_wait(&quotas->queued, &quotas->lock);
            continue;
        }
        quotas->queue = usage->next_queued;
        pthread_mutex_unlock(&quotas->lock);
        count_share(quotas, usage);
        pthread_mutex_lock(&quotas->lock);
    }
    pthread_mutex_unlock(&quotas->lock);
    return NULL;
}

/* Under `lock`. Without a thread the count is tried again at a later question. */
static bool start_thread(struct gfs_quotas *quotas, struct gfs_mount *mount) {
    if (quotas->has_thread)
        return true;
    quotas->mount = mount;
    quotas->has_thread = pthread_create(&quotas->thread, NULL, count_queued, quotas) == 0;
    return quotas->has_thread;
}

void gfs_usage_ask_count(struct gfs_mount *mount, struct gfs_usage *usage) {
    struct gfs_quotas *quotas = mount->quotas;

    pthread_mutex_lock(&quotas->lock);
    if (usage->state == GFS_USAGE_IDLE && !quotas->stopping && start_thread(quotas, mount)) {
        usage->state = GFS_USAGE_QUEUED;
        usage->next_queued = quotas->queue;
        quotas->queue = usage;
        pthread_cond_signal(&quotas->queued);
    }
    pthread_mutex_unlock(&quotas->lock);
}

void gfs_usage_stop_counting(struct gfs_quotas *quotas) {
    pthread_mutex_lock(&quotas->lock);
    quotas->stopping = true;
    pthread_cond_signal(&quotas->queued);
    bool has_thread = quotas->has_thread;
    pthread_mutex_unlock(&quotas->lock);
    if (has_thread)
        pthread_join(quotas->thread, NULL);
}
