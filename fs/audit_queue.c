#include "fs/audit_queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/audit_repeats.h"
#include "guildfs/audit.h"
#include "guildfs/log.h"

enum {
    QUEUE_BYTES = 4 << 20,
    BATCH_BYTES = 256 << 10, /* what is written at once; any line fits */
    STOP_LIMIT_S = 5,
};
#define GATHER_NS (5 * GFS_NS_PER_S / 1000)
#define PAUSE_NS GFS_NS_PER_S /* between two tries, and two flushes: a power failure takes that much at most */

struct gfs_audit {
    struct gfs_audit_options options;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* on the monotonic clock */
    /* under lock */
    char *ring;
    size_t first, used; /* bytes in the ring */
    struct gfs_audit_repeats *repeats;
    struct gfs_audit_status status;
    bool stop;
    /* the writer's own */
    struct gfs_audit_file *file;
    char *batch;
    uint64_t lost_told;  /* of status.lost, what stands in the log */
    int64_t unsynced_ns; /* monotonic: since when something has been; 0 */
    bool started;        /* the log says that the daemon did */
    pthread_t thread;
    bool runs;
};

/* ---- the ring, under the lock ---- */

static void copy_in(struct gfs_audit *audit, const char *line, size_t length) {
    size_t at = (audit->first + audit->used) % audit->options.queue_bytes;
    size_t head = audit->options.queue_bytes - at < length ? audit->options.queue_bytes - at : length;

    memcpy(audit->ring + at, line, head);
    memcpy(audit->ring, line + head, length - head);
    audit->used += length;
}

/* Whole lines from the front, which stay there until they are in the file. */
static size_t copy_out(const struct gfs_audit *audit, char *batch, size_t size) {
    size_t length = audit->used < size ? audit->used : size;
    size_t tail = audit->options.queue_bytes - audit->first;
    size_t head = tail < length ? tail : length;

    memcpy(batch, audit->ring + audit->first, head);
    memcpy(batch + head, audit->ring, length - head);
    const char *end = memrchr(batch, '\n', length);
    return end ? (size_t)(end + 1 - batch) : 0;
}

static uint64_t count_lines(const char *lines, size_t length) {
    uint64_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += lines[i] == '\n';
    return count;
}

static void drop_front(struct gfs_audit *audit, size_t length) {
    audit->first = (audit->first + length) % audit->options.queue_bytes;
    audit->used -= length;
}

static bool push_locked(void *context, const char *line, size_t length) {
    struct gfs_audit *audit = context;

    if (!length || length > audit->options.queue_bytes - audit->used) {
        audit->status.lost++;
        return false;
    }
    copy_in(audit, line, length);
    if (audit->used == length)
        pthread_cond_signal(&audit->wake); /* a writer that is at work looks again by itself */
    return true;
}

bool gfs_audit_push(struct gfs_audit *audit, const char *line, size_t length) {
    pthread_mutex_lock(&audit->lock);
    bool pushed = push_locked(audit, line, length);
    pthread_mutex_unlock(&audit->lock);
    return pushed;
}

enum gfs_audit_merged gfs_audit_merge(struct gfs_audit *audit, struct gfs_audit_key *key, int64_t now_ns) {
    pthread_mutex_lock(&audit->lock);
    bool pending = gfs_audit_repeats_pending(audit->repeats);
    enum gfs_audit_merged merged = gfs_audit_repeats_count(audit->repeats, key, now_ns);
    if (merged == GFS_AUDIT_COUNTED) {
        audit->status.merged++;
        if (!pending)
            pthread_cond_signal(&audit->wake); /* somebody has to see that the second ends */
    }
    pthread_mutex_unlock(&audit->lock);
    return merged;
}

void gfs_audit_push_denial(struct gfs_audit *audit, const struct gfs_audit_key *key, int64_t now_ns, const char *line,
                           size_t length) {
    pthread_mutex_lock(&audit->lock);
    if (push_locked(audit, line, length))
        gfs_audit_repeats_begin(audit->repeats, key, now_ns, line, length, push_locked, audit);
    pthread_mutex_unlock(&audit->lock);
}

void gfs_audit_status(struct gfs_audit *audit, struct gfs_audit_status *out) {
    pthread_mutex_lock(&audit->lock);
    *out = audit->status;
    pthread_mutex_unlock(&audit->lock);
}

/* ---- the writer ---- */

static void tell_problem(struct gfs_audit *audit, const char *problem) {
    pthread_mutex_lock(&audit->lock);
    bool news = strncmp(audit->status.problem, problem, sizeof audit->status.problem - 1) != 0;
    strncpy(audit->status.problem, problem, sizeof audit->status.problem - 1);
    pthread_mutex_unlock(&audit->lock);
    if (news && *problem)
        gfs_log(GFS_LOG_ERROR, "audit-not-written", "problem=%s", problem);
    else if (news)
        gfs_log(GFS_LOG_NOTICE, "audit-written-again", "mountpoint=%s", audit->options.mount);
}

static int append(struct gfs_audit *audit, const char *lines, size_t length, size_t *written) {
    int rc = gfs_audit_file_append(audit->file, lines, length, written);

    if (*written && !audit->unsynced_ns)
        audit->unsynced_ns = gfs_monotonic_ns();
    return rc;
}

static int append_note(struct gfs_audit *audit, const char *event, uint64_t count) {
    size_t written = 0;
    size_t length = gfs_audit_encode_note(event, gfs_now_ns(), audit->options.mount, count, audit->batch, BATCH_BYTES);
    return append(audit, audit->batch, length, &written);
}

static int open_file(struct gfs_audit *audit) {
    struct gfs_error err = {.code = 0};
    int rc = audit->file ? 0
                         : gfs_audit_file_open(audit->options.store, audit->options.limit_bytes, audit->options.keep,
                                               &audit->file, &err);
    if (rc)
        tell_problem(audit, err.message);
    return rc;
}

/* What happened to the log itself: that the daemon began, and what was lost. */
static int write_notes(struct gfs_audit *audit) {
    struct gfs_audit_status status;
    int rc = audit->started ? 0 : append_note(audit, "start", 0);

    audit->started = audit->started || rc == 0;
    gfs_audit_status(audit, &status);
    uint64_t lost = status.lost - audit->lost_told;
    if (rc || !lost)
        return rc;
    rc = append_note(audit, "lost", lost);
    if (rc == 0) {
        audit->lost_told += lost;
        gfs_log(GFS_LOG_WARNING, "audit-lost", "lines=%llu mountpoint=%s", (unsigned long long)lost,
                audit->options.mount);
    }
    return rc;
}

static int write_batch(struct gfs_audit *audit) {
    size_t written = 0;

    pthread_mutex_lock(&audit->lock);
    size_t length = copy_out(audit, audit->batch, BATCH_BYTES);
    pthread_mutex_unlock(&audit->lock);
    int rc = length ? append(audit, audit->batch, length, &written) : 0;
    uint64_t lines = count_lines(audit->batch, written);
    pthread_mutex_lock(&audit->lock);
    drop_front(audit, written);
    audit->status.written += lines;
    pthread_mutex_unlock(&audit->lock);
    return rc;
}

static int sync_file(struct gfs_audit *audit, bool now) {
    if (!audit->unsynced_ns || (!now && gfs_monotonic_ns() - audit->unsynced_ns < PAUSE_NS))
        return 0;
    int rc = gfs_audit_file_sync(audit->file);
    if (rc == 0)
        audit->unsynced_ns = 0;
    return rc;
}

/* One round; 0, or a negative errno: to be tried again after a while. */
static int write_all(struct gfs_audit *audit, bool last) {
    char problem[256];
    int rc = open_file(audit);
    if (rc)
        return rc;
    rc = audit->started ? 0 : write_notes(audit);
    if (rc == 0)
        rc = write_batch(audit);
    if (rc == 0)
        rc = write_notes(audit);
    if (rc == 0)
        rc = sync_file(audit, last);
    snprintf(problem, sizeof problem, "the audit log cannot be written: %s", strerror(-rc));
    tell_problem(audit, rc ? problem : "");
    return rc;
}

static struct timespec in_ns(int64_t ns) {
    int64_t at = gfs_monotonic_ns() + ns;
    return (struct timespec){.tv_sec = at / GFS_NS_PER_S, .tv_nsec = at % GFS_NS_PER_S};
}

/* Lines gather for a moment, so that a busy mount pays for one wake-up and one write of many. */
static void gather(struct gfs_audit *audit) {
    struct timespec limit = in_ns(GATHER_NS);

    while (!audit->stop && pthread_cond_timedwait(&audit->wake, &audit->lock, &limit) == 0)
        ; /* woken for something else */
}

/* Until there is something to write. A disk that takes nothing is asked again in a second. */
static bool wait_for_work(struct gfs_audit *audit, int rc) {
    struct timespec limit = in_ns(PAUSE_NS);
    int timeout = 0;

    pthread_mutex_lock(&audit->lock);
    while (!audit->stop && timeout == 0 && (rc || !audit->used)) {
        if (rc || audit->unsynced_ns || gfs_audit_repeats_pending(audit->repeats))
            timeout = pthread_cond_timedwait(&audit->wake, &audit->lock, &limit);
        else
            pthread_cond_wait(&audit->wake, &audit->lock);
    }
    if (audit->used && audit->used < BATCH_BYTES && !rc)
        gather(audit);
    bool stop = audit->stop;
    gfs_audit_repeats_flush(audit->repeats, stop ? INT64_MAX : gfs_now_ns(), push_locked, audit);
    pthread_mutex_unlock(&audit->lock);
    return stop;
}

static void *write_log(void *context) {
    struct gfs_audit *audit = context;
    bool stop = false, more = true;
    int rc = open_file(audit) ? -EAGAIN : 0;

    while (!stop || (more && rc == 0)) {
        stop = wait_for_work(audit, rc) || stop;
        rc = write_all(audit, stop);
        pthread_mutex_lock(&audit->lock);
        more = audit->used > 0;
        pthread_mutex_unlock(&audit->lock);
    }
    if (rc == 0)
        rc = append_note(audit, "stop", 0);
    if (rc == 0)
        rc = gfs_audit_file_sync(audit->file);
    return NULL;
}

/* ---- life ---- */

static int prepare(struct gfs_audit *audit) {
    pthread_condattr_t attributes;

    audit->ring = malloc(audit->options.queue_bytes);
    audit->batch = malloc(BATCH_BYTES);
    audit->repeats = gfs_audit_repeats_new();
    if (!audit->ring || !audit->batch || !audit->repeats || !audit->options.store || !audit->options.mount)
        return -ENOMEM;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&audit->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return 0;
}

int gfs_audit_new(const struct gfs_audit_options *options, struct gfs_audit **out) {
    struct gfs_audit *audit = calloc(1, sizeof *audit);

    if (!audit)
        return -ENOMEM;
    audit->options = *options;
    audit->options.store = strdup(options->store);
    audit->options.mount = strdup(options->mount);
    if (!audit->options.queue_bytes)
        audit->options.queue_bytes = QUEUE_BYTES;
    pthread_mutex_init(&audit->lock, NULL);
    int rc = prepare(audit);
    if (rc)
        gfs_audit_free(audit);
    else
        *out = audit;
    return rc;
}

int gfs_audit_start(struct gfs_audit *audit) {
    int code = pthread_create(&audit->thread, NULL, write_log, audit);
    audit->runs = code == 0;
    return -code;
}

void gfs_audit_stop(struct gfs_audit *audit) {
    struct timespec limit;

    if (!audit || !audit->runs)
        return;
    pthread_mutex_lock(&audit->lock);
    audit->stop = true;
    pthread_cond_signal(&audit->wake);
    pthread_mutex_unlock(&audit->lock);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += STOP_LIMIT_S;
    bool ended = pthread_timedjoin_np(audit->thread, NULL, &limit) == 0;
    pthread_mutex_lock(&audit->lock);
    uint64_t left = audit->used;
    pthread_mutex_unlock(&audit->lock);
    if (left)
        gfs_log(GFS_LOG_ERROR, "audit-not-written", "problem=%s bytes=%llu", "the daemon ends",
                (unsigned long long)left);
    audit->runs = !ended;
}

/* What a writer that hangs still uses stays. */
void gfs_audit_free(struct gfs_audit *audit) {
    if (!audit || audit->runs)
        return;
    gfs_audit_file_close(audit->file);
    gfs_audit_repeats_free(audit->repeats);
    free((char *)(uintptr_t)audit->options.store);
    free((char *)(uintptr_t)audit->options.mount);
    free(audit->ring);
    free(audit->batch);
    pthread_mutex_destroy(&audit->lock);
    free(audit);
}
