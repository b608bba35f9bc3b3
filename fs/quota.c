/*
 * Quotas: usage by differences. How it is counted in the first place stands in quota_count.c, how
 * changes during a count are reckoned in count.h, the locks in quota_usage.h.
 */
#include "fs/quota.h"

#include <errno.h>
#include <stdlib.h>

#include "fs/quota_usage.h"
#include "guildfs/clock.h"
#include "guildfs/hash.h"

enum { RETRY_S = 60, RECOUNT_S = 300 };

int gfs_quotas_new(struct gfs_quotas **out) {
    struct gfs_quotas *quotas = calloc(1, sizeof(*quotas));

    if (!quotas)
        return -ENOMEM;
    for (size_t i = 0; i < GFS_SIZE_LOCKS; i++)
        pthread_mutex_init(&quotas->size_locks[i], NULL);
    pthread_mutex_init(&quotas->lock, NULL);
    pthread_cond_init(&quotas->queued, NULL);
    *out = quotas;
    return 0;
}

void gfs_quotas_free(struct gfs_quotas *quotas) {
    if (!quotas)
        return;
    gfs_usage_stop_counting(quotas);
    for (size_t i = 0; i < GFS_USAGE_BUCKETS; i++) {
        for (struct gfs_usage *usage = quotas->buckets[i], *next; usage; usage = next) {
            next = usage->next;
            free(usage);
        }
    }
    for (size_t i = 0; i < GFS_SIZE_LOCKS; i++)
        pthread_mutex_destroy(&quotas->size_locks[i]);
    pthread_mutex_destroy(&quotas->lock);
    pthread_cond_destroy(&quotas->queued);
    free(quotas);
}

/* ---- the record of a share ---- */

static struct gfs_usage *find_usage(struct gfs_quotas *quotas, gfs_id share) {
    struct gfs_usage *usage = quotas->buckets[(uint64_t)share % GFS_USAGE_BUCKETS];

    while (usage && usage->share != share)
        usage = usage->next;
    return usage;
}

/* Finds it or makes it; NULL when memory is out. */
static struct gfs_usage *usage_of(struct gfs_quotas *quotas, gfs_id share) {
    struct gfs_usage *usage = find_usage(quotas, share);

    if (usage)
        return usage;
    pthread_mutex_lock(&quotas->lock);
    usage = find_usage(quotas, share); /* another thread may have made it */
    if (!usage && (usage = calloc(1, sizeof(*usage)))) {
        usage->share = share;
        usage->next = quotas->buckets[(uint64_t)share % GFS_USAGE_BUCKETS];
        quotas->buckets[(uint64_t)share % GFS_USAGE_BUCKETS] = usage;
        quotas->usages++;
    }
    pthread_mutex_unlock(&quotas->lock);
    return usage;
}

/* A share without a quota is not charged. Should it have had one and get one again, what was
 * known is void. */
static void forget(struct gfs_quotas *quotas, gfs_id share) {
    struct gfs_usage *usage = quotas->usages > 0 ? find_usage(quotas, share) : NULL;

    if (!usage || !usage->counted)
        return;
    pthread_mutex_lock(&quotas->lock);
    if (usage->state == GFS_USAGE_IDLE) {
        usage->counted = false;
        usage->bytes = 0;
        usage->tried_ns = 0;
    }
    pthread_mutex_unlock(&quotas->lock);
}

static bool older_than(const struct gfs_usage *usage, int64_t seconds) {
    return usage->tried_ns == 0 || gfs_monotonic_ns() - usage->tried_ns > seconds * GFS_NS_PER_S;
}

/* The record of a share with a quota, its first count asked for. NULL when memory is out. */
static struct gfs_usage *ask_usage(struct gfs_mount *mount, const struct gfs_share *share) {
    struct gfs_usage *usage = usage_of(mount->quotas, share->id);

    if (usage && !usage->counted && usage->state == GFS_USAGE_IDLE && older_than(usage, RETRY_S))
        gfs_usage_ask_count(mount, usage);
    return usage;
}

/* ---- asking ---- */

static int64_t bytes_of(const struct gfs_usage *usage) {
    int64_t bytes = usage->bytes;

    return bytes > 0 ? bytes : 0;
}

bool gfs_quota_exceeded(struct gfs_mount *mount, const struct gfs_share *share) {
    if (share->quota_bytes == 0) {
        forget(mount->quotas, share->id);
        return false;
    }
    struct gfs_usage *usage = ask_usage(mount, share);
    if (!usage || bytes_of(usage) < share->quota_bytes)
        return false;
    /* Somebody is refused. What was removed behind the mount, or missed, must not lock people
     * out for ever. */
    if (usage->counted && usage->state == GFS_USAGE_IDLE && older_than(usage, RECOUNT_S))
        gfs_usage_ask_count(mount, usage);
    return true;
}

int64_t gfs_quota_used(struct gfs_mount *mount, const struct gfs_share *share) {
    struct gfs_usage *usage = share->quota_bytes > 0 ? ask_usage(mount, share) : NULL;

    return usage ? bytes_of(usage) : 0;
}

/* ---- changes ---- */

static struct gfs_file_id file_of(const struct gfs_backing *backing) {
    return (struct gfs_file_id){.device = backing->device, .inode = backing->inode};
}

static struct gfs_file_id id_of(const struct stat *st) {
    return (struct gfs_file_id){.device = st->st_dev, .inode = st->st_ino};
}

/* Whether a count of this share is running; then with `lock` held, which the caller drops. */
static bool lock_count(struct gfs_quotas *quotas, const struct gfs_usage *usage) {
    if (usage->state != GFS_USAGE_COUNTING)
        return false;
    pthread_mutex_lock(&quotas->lock);
    if (usage->state == GFS_USAGE_COUNTING)
        return true;
    pthread_mutex_unlock(&quotas->lock);
    return false;
}

/* Takes the size lock, which stays taken when change->lock is set. */
static void begin(struct gfs_mount *mount, struct gfs_usage *usage, const struct gfs_backing *backing, int fd,
                  struct gfs_quota_change *change) {
    struct gfs_quotas *quotas = mount->quotas;
    pthread_mutex_t *size_lock = &quotas->size_locks[gfs_size_lock_of(file_of(backing))];
    struct stat st;

    pthread_mutex_lock(size_lock);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        pthread_mutex_unlock(size_lock);
        return;
    }
    change->usage = usage;
    change->lock = size_lock;
    change->size_before = st.st_size;
    change->written = gfs_written_find(quotas, id_of(&st));
    change->charged = change->written ? change->written->charged : st.st_size;
    if (st.st_nlink > 0 && lock_count(quotas, usage)) {
        gfs_count_before(quotas->count, id_of(&st), change->charged);
        change->count = quotas->count_number;
        pthread_mutex_unlock(&quotas->lock);
    }
}

void gfs_quota_begin(struct gfs_call *call, const struct gfs_share *share, const struct gfs_backing *backing, int fd,
                     struct gfs_quota_change *change) {
    *change = (struct gfs_quota_change){.mount = call->mount, .fd = fd};
    if (share->quota_bytes == 0) {
        forget(call->mount->quotas, share->id);
        return;
    }
    struct gfs_usage *usage = ask_usage(call->mount, share);
    if (!usage)
        return;
    begin(call->mount, usage, backing, fd, change);
    change->share = change->lock ? share : NULL;
}

static void charge(const struct gfs_quota_change *change, const struct stat *st) {
    struct gfs_quotas *quotas = change->mount->quotas;
    struct gfs_usage *usage = change->usage;

    if (change->written)
        change->written->charged = st->st_size;
    if (!lock_count(quotas, usage)) {
        usage->bytes += st->st_size - change->charged;
        return;
    }
    usage->bytes += st->st_size - change->charged;
    if (change->count == quotas->count_number)
        gfs_count_changed(quotas->count, change->charged, st->st_size);
    else
        gfs_count_settled(quotas->count, id_of(st), st->st_size);
    pthread_mutex_unlock(&quotas->lock);
}

void gfs_quota_end(struct gfs_quota_change *change) {
    struct stat st;

    if (!change->lock)
        return;
    /* A file without a name is not charged: who removes it at its last close would not tell. */
    if (fstat(change->fd, &st) == 0 && st.st_nlink > 0)
        charge(change, &st);
    pthread_mutex_unlock(change->lock);
    change->share = NULL;
    change->lock = NULL;
}

void gfs_quota_compare(struct gfs_mount *mount, gfs_id share, const struct gfs_backing *backing, int fd) {
    struct gfs_quotas *quotas = mount->quotas;
    struct gfs_usage *usage = quotas->usages > 0 ? find_usage(quotas, share) : NULL;
    struct gfs_quota_change change = {.mount = mount, .fd = fd};

    if (!usage)
        return; /* it never had a quota */
    begin(mount, usage, backing, fd, &change);
    gfs_quota_end(&change);
}

int64_t gfs_quota_limit(const struct gfs_quota_change *change, const struct gfs_handle *handle) {
    if (!change->share)
        return INT64_MAX;
    bool may_grow = handle ? handle->may_grow : !gfs_quota_exceeded(change->mount, change->share);
    return may_grow ? INT64_MAX : change->size_before;
}

/* A file of this size came or went as a whole. */
static void charge_file(struct gfs_mount *mount, const struct gfs_share *share, const struct stat *st,
                        void (*tell)(struct gfs_count *count, struct gfs_file_id file, int64_t size), int64_t bytes) {
    struct gfs_quotas *quotas = mount->quotas;
    struct gfs_usage *usage = share->quota_bytes > 0 && S_ISREG(st->st_mode) ? ask_usage(mount, share) : NULL;

    if (!usage)
        return;
    bool counting = lock_count(quotas, usage);
    usage->bytes += bytes;
    if (counting) {
        tell(quotas->count, id_of(st), st->st_size);
        pthread_mutex_unlock(&quotas->lock);
    }
}

/* The file's size lock, when anybody writes it in data mode fast; else NULL, and the lock is free. */
static pthread_mutex_t *lock_written(struct gfs_quotas *quotas, const struct stat *st, struct gfs_written **written) {
    pthread_mutex_t *size_lock = &quotas->size_locks[gfs_size_lock_of(id_of(st))];

    if (quotas->written_files == 0)
        return NULL;
    pthread_mutex_lock(size_lock);
    *written = gfs_written_find(quotas, id_of(st));
    if (*written)
        return size_lock;
    pthread_mutex_unlock(size_lock);
    return NULL;
}

void gfs_quota_removed(struct gfs_mount *mount, const struct gfs_share *share, const struct stat *st) {
    struct gfs_written *written = NULL;
    pthread_mutex_t *size_lock = lock_written(mount->quotas, st, &written);
    struct stat last = *st;

    if (size_lock) {
        last.st_size = written->charged; /* what has not been charged is not given back */
        written->nameless = true;
    }
    charge_file(mount, share, &last, gfs_count_removed, -last.st_size);
    if (size_lock)
        pthread_mutex_unlock(size_lock);
}

void gfs_quota_named(struct gfs_mount *mount, const struct gfs_share *share, const struct stat *st) {
    struct gfs_written *written = NULL;
    pthread_mutex_t *size_lock = lock_written(mount->quotas, st, &written);

    if (size_lock) {
        written->charged = st->st_size;
        written->nameless = false;
    }
    charge_file(mount, share, st, gfs_count_named, st->st_size);
    if (size_lock)
        pthread_mutex_unlock(size_lock);
}
