/*
 * How long a decision takes, and loading the policy that it is made from. docs/benchmarks/authority.md
 * says what is measured and how. Ends with 1 when a decision allocated memory, and with --check
 * also when a goal was missed.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/store/user.h"
#include "guildfs/authority.h"
#include "guildfs/clock.h"
#include "tests/bench/make_store.h"

#define GOAL_LOAD_MS 3000
#define GOAL_MEMORY_MB 400
#define GOAL_DECISION_NS 200

#define WARM_PAIRS 256  /* of a user and a share: what the goal is about */
#define MOST_PAIRS 4096 /* more than the processor's nearer caches hold */
#define BATCH 64        /* decisions between two looks at the clock */
#define BATCHES 20000
#define FIRST_USERS 10000 /* whose rights are computed for the first time */
#define CHANGES 15        /* commits whose way into the snapshot is timed */
#define CHANGE_LIMIT_NS (20 * GFS_NS_PER_S)

/* ---- counting allocations: the program is linked with --wrap for each of these ---- */

static atomic_ulong allocations;

#define WRAP(name, parameters, arguments)                                                                              \
    void *__real_##name parameters;                                                                                    \
    void *__wrap_##name parameters;                                                                                    \
    void *__wrap_##name parameters {                                                                                   \
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);                                              \
        return __real_##name arguments;                                                                                \
    }
WRAP(malloc, (size_t size), (size))
WRAP(calloc, (size_t count, size_t size), (count, size))
WRAP(realloc, (void *pointer, size_t size), (pointer, size))
WRAP(reallocarray, (void *pointer, size_t count, size_t size), (pointer, count, size))
WRAP(aligned_alloc, (size_t alignment, size_t size), (alignment, size))

/* ---- measuring ---- */

struct options {
    unsigned users, groups, grants;
    const char *store; /* an existing one, which is only read; NULL: made, and removed */
    bool check;
};

struct pair {
    gfs_id user, share;
};

static struct pair pairs[MOST_PAIRS];

static uint64_t random_state = 42;

static uint64_t next_random(void) {
    random_state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64: the same pairs at every run */
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A number of kilobytes from /proc/self/status; 0 when it is not there. */
static unsigned long status_kb(const char *key) {
    char line[256];
    unsigned long value = 0;
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtoul(line + strlen(key), NULL, 10);
    }
    fclose(file);
    return value;
}

/* What fs/guard.c does at a request. */
static bool decide(struct gfs_authority *authority, const struct pair *pair, int64_t now_ns, enum gfs_op op) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    if (snapshot == NULL)
        return false;
    const struct gfs_rights *rights = gfs_snapshot_rights(snapshot, pair->user, now_ns);
    const struct gfs_facts facts = {.effective = gfs_rights_on(rights, pair->share)};
    struct gfs_decision decision = gfs_decide(&facts, op);
    gfs_authority_leave(authority, snapshot);
    return decision.allowed;
}

static int compare_doubles(const void *a, const void *b) {
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

struct figures {
    double median, percentile99, slowest;
};

static struct figures summary(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare_doubles);
    return (struct figures){
        .median = values[count / 2], .percentile99 = values[count * 99 / 100], .slowest = values[count - 1]};
}

/* Half of the pairs are of a share that shows in the user's view, half of any share. */
static void choose_pairs(struct gfs_authority *authority) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    size_t users = gfs_snapshot_user_count(snapshot), shares = gfs_snapshot_share_count(snapshot);
    for (size_t i = 0; i < MOST_PAIRS; i++) {
        size_t count;
        const struct gfs_user *user = gfs_snapshot_user_at(snapshot, next_random() % users);
        const struct gfs_rights *rights = gfs_snapshot_rights(snapshot, user->id, gfs_now_ns());
        const struct gfs_place *places = gfs_rights_places(rights, &count);
        const struct gfs_share *share = gfs_snapshot_share_at(snapshot, next_random() % shares);
        if (i % 2 == 0 && count > 0)
            share = places[next_random() % count].share;
        pairs[i] = (struct pair){.user = user->id, .share = share->id};
    }
    gfs_authority_leave(authority, snapshot);
}

static void measure_first(struct gfs_authority *authority) {
    static double values[FIRST_USERS];
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    size_t users = gfs_snapshot_user_count(snapshot);
    size_t count = users < FIRST_USERS ? users : FIRST_USERS;
    size_t before = gfs_snapshot_memory(snapshot);
    for (size_t i = 0; i < count; i++) {
        const struct gfs_user *user = gfs_snapshot_user_at(snapshot, i * (users / count));
        int64_t now_ns = gfs_now_ns(), began_ns = gfs_monotonic_ns();
        gfs_snapshot_rights(snapshot, user->id, now_ns);
        values[i] = (double)(gfs_monotonic_ns() - began_ns) / 1000;
    }
    struct figures figures = summary(values, count);
    printf("first_rights users=%zu median_us=%.1f p99_us=%.1f slowest_us=%.1f bytes_per_user=%zu\n", count,
           figures.median, figures.percentile99, figures.slowest, (gfs_snapshot_memory(snapshot) - before) / count);
    gfs_authority_leave(authority, snapshot);
}

/* One administrative transaction. */
static int commit_user(struct gfs_store *store, const char *name, struct gfs_error *err) {
    const struct gfs_user_record user = gfs_user_record_default(name);
    const struct gfs_audit_entry entry = {.actor_name = "system", .action = "user.add", .object_kind = "user"};
    GFS_CLEANUP(gfs_tx_endp) struct gfs_tx *tx = NULL;
    gfs_id id;
    int rc = gfs_tx_begin(store, &tx, err);
    if (rc == 0)
        rc = gfs_store_user_add(tx, &user, &id, err);
    if (rc == 0)
        rc = gfs_tx_audit(tx, &entry, err);
    return rc == 0 ? gfs_tx_commit(tx, err) : rc;
}

static bool knows(struct gfs_authority *authority, const char *name) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    bool known = snapshot != NULL && gfs_snapshot_user_by_name(snapshot, name) != NULL;
    gfs_authority_leave(authority, snapshot);
    return known;
}

/* From the return of the commit until requests are judged by it. */
static int measure_changes(struct gfs_authority *authority, const char *directory) {
    GFS_CLEANUP(gfs_store_closep) struct gfs_store *store = NULL;
    struct gfs_error err = {0};
    double values[CHANGES];
    int rc = gfs_store_open(directory, GFS_STORE_WRITE, 1000, &store, &err);
    for (unsigned i = 0; i < CHANGES && rc == 0; i++) {
        char name[64];
        snprintf(name, sizeof name, "bench-%d-%u", (int)getpid(), i);
        usleep(20000 + (unsigned)(next_random() % 20000)); /* not in step with the refresher's looks */
        rc = commit_user(store, name, &err);
        int64_t committed_ns = gfs_monotonic_ns();
        while (rc == 0 && !knows(authority, name) && gfs_monotonic_ns() - committed_ns < CHANGE_LIMIT_NS)
            usleep(100);
        values[i] = (double)(gfs_monotonic_ns() - committed_ns) / 1e6;
    }
    if (rc < 0) {
        fprintf(stderr, "%s\n", err.message);
        return rc;
    }
    struct figures figures = summary(values, CHANGES);
    printf("change commits=%d median_ms=%.1f slowest_ms=%.1f\n", CHANGES, figures.median, figures.slowest);
    return 0;
}

struct run {
    struct gfs_authority *authority;
    size_t pairs;   /* how many of them are asked for, in turn */
    double *values; /* ns per decision, one per batch */
    unsigned long allowed;
};

static void *run_batches(void *argument) {
    static const enum gfs_op ops[] = {GFS_OP_STAT, GFS_OP_OPEN_READ, GFS_OP_OPEN_WRITE, GFS_OP_CREATE};
    struct run *run = argument;
    size_t next = 0;
    for (size_t batch = 0; batch < BATCHES; batch++) {
        int64_t now_ns = gfs_now_ns(), began_ns = gfs_monotonic_ns();
        for (size_t i = 0; i < BATCH; i++, next++)
            run->allowed += decide(run->authority, &pairs[next % run->pairs], now_ns, ops[next % 4]);
        run->values[batch] = (double)(gfs_monotonic_ns() - began_ns) / BATCH;
    }
    return NULL;
}

/* Decisions of `threads` threads at once, about so many pairs. The median in ns; *allocated receives the
 * allocations of all batches. */
static double measure_decisions(struct gfs_authority *authority, size_t pair_count, unsigned threads,
                                unsigned long *allocated) {
    enum { MOST_THREADS = 8 };
    static double values[MOST_THREADS][BATCHES];
    struct run runs[MOST_THREADS] = {{0}};
    pthread_t started[MOST_THREADS];
    unsigned long before = atomic_load(&allocations);
    for (unsigned i = 0; i < threads; i++)
        runs[i] = (struct run){.authority = authority, .pairs = pair_count, .values = values[i]};
    if (threads == 1) /* in this thread, so that not even a thread's stack is counted */
        run_batches(&runs[0]);
    for (unsigned i = 0; threads > 1 && i < threads; i++) {
        if (pthread_create(&started[i], NULL, run_batches, &runs[i]) != 0) {
            fprintf(stderr, "cannot start thread %u\n", i);
            exit(1);
        }
    }
    for (unsigned i = 0; threads > 1 && i < threads; i++)
        pthread_join(started[i], NULL);
    *allocated = atomic_load(&allocations) - before;
    struct figures figures = summary(&values[0][0], (size_t)threads * BATCHES);
    printf(
        "decision pairs=%zu threads=%u decisions=%zu allowed_percent=%.0f median_ns=%.1f p99_ns=%.1f slowest_ns=%.1f\n",
        pair_count, threads, (size_t)threads * BATCHES * BATCH,
        100.0 * (double)runs[0].allowed / ((double)BATCHES * BATCH), figures.median, figures.percentile99,
        figures.slowest);
    return figures.median;
}

static int measure(const struct options *options, const char *store) {
    struct gfs_authority *authority = NULL;
    struct gfs_authority_options authority_options = {0};
    struct gfs_error err = {0};
    unsigned long rss_before = status_kb("VmRSS:"), allocated;
    int64_t began_ns = gfs_monotonic_ns();
    if (gfs_authority_new(store, &authority_options, &authority, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    double load_ms = (double)(gfs_monotonic_ns() - began_ns) / 1e6;
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    double held_mb = (double)gfs_snapshot_memory(snapshot) / 1e6;
    printf("load users=%zu shares=%zu ms=%.0f snapshot_mb=%.1f resident_mb=%.1f peak_mb=%.1f\n",
           gfs_snapshot_user_count(snapshot), gfs_snapshot_share_count(snapshot), load_ms, held_mb,
           (double)(status_kb("VmRSS:") - rss_before) * 1.024e-3,
           (double)(status_kb("VmHWM:") - rss_before) * 1.024e-3);
    gfs_authority_leave(authority, snapshot);
    double peak_mb = (double)(status_kb("VmHWM:") - rss_before) * 1.024e-3;

    measure_first(authority);
    choose_pairs(authority);
    unsigned long ignored; /* warming up registers this thread, starting threads allocates */
    measure_decisions(authority, 16, 1, &ignored);
    double median_ns = measure_decisions(authority, WARM_PAIRS, 1, &allocated);
    printf("allocations=%lu\n", allocated);
    measure_decisions(authority, MOST_PAIRS, 1, &ignored);
    measure_decisions(authority, WARM_PAIRS, 2, &ignored);
    int rc = options->store == NULL ? measure_changes(authority, store) : 0; /* writes to it */
    gfs_authority_free(authority);
    if (rc < 0)
        return 1;

    if (allocated != 0) {
        fprintf(stderr, "a decision allocated memory\n");
        return 1;
    }
    if (options->check && (load_ms > GOAL_LOAD_MS || peak_mb > GOAL_MEMORY_MB || median_ns > GOAL_DECISION_NS)) {
        fprintf(stderr, "a goal was missed: load %d ms, memory %d MB, decision %d ns\n", GOAL_LOAD_MS, GOAL_MEMORY_MB,
                GOAL_DECISION_NS);
        return 1;
    }
    return 0;
}

/* ---- the store ---- */

static void remove_store(const char *directory) {
    static const char *const files[] = {"guildfs.db", "guildfs.db-wal", "guildfs.db-shm"};
    char path[256];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/data", directory);
    rmdir(path);
    rmdir(directory);
}

/* In a process of its own, so that what it used and freed is not counted as ours. */
static int make_store(const struct options *options, const char *directory) {
    int64_t began_ns = gfs_monotonic_ns();
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        struct gfs_error err = {0};
        if (bench_make_store(directory, options->users, options->groups, options->grants, &err) == 0)
            _exit(0);
        fprintf(stderr, "%s\n", err.message);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return 1;
    printf("store users=%u groups=%u grants=%u made_ms=%" PRId64 "\n", options->users, options->groups, options->grants,
           (gfs_monotonic_ns() - began_ns) / 1000000);
    return 0;
}

static int measure_made_store(const struct options *options) {
    char directory[] = "/tmp/guildfs-bench-XXXXXX";
    if (mkdtemp(directory) == NULL) {
        perror("cannot make a directory in /tmp");
        return 1;
    }
    int status = make_store(options, directory);
    if (status == 0)
        status = measure(options, directory);
    remove_store(directory);
    return status;
}

static const char usage[] = "usage: bench-decision [--users N] [--groups N] [--grants N] [--store DIR] [--check]\n"
                            "Measures loading a store and deciding from it. Without --store it makes one, of\n"
                            "100,000 users, 10,000 groups and 1,000,000 authorizations unless told otherwise.\n"
                            "--check fails when a goal of docs/benchmarks/authority.md is missed.\n";

static int parse(int argc, char **argv, struct options *options) {
    static const struct option names[] = {{"users", required_argument, NULL, 'u'},
                                          {"groups", required_argument, NULL, 'g'},
                                          {"grants", required_argument, NULL, 'a'},
                                          {"store", required_argument, NULL, 's'},
                                          {"check", no_argument, NULL, 'c'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'u':
            options->users = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'g':
            options->groups = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'a':
            options->grants = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            options->store = optarg;
            break;
        case 'c':
            options->check = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            return -EINVAL;
        }
    }
    return optind == argc && options->users > 0 && options->groups > 0 ? 0 : -EINVAL;
}

int main(int argc, char **argv) {
    struct options options = {.users = 100000, .groups = 10000, .grants = 1000000};
    if (parse(argc, argv, &options) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return options.store != NULL ? measure(&options, options.store) : measure_made_store(&options);
}
