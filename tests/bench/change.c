/*
 * How long it takes from the return of a commit until requests are judged by it, for each kind of
 * change, and what memory many changes take. docs/benchmarks/authority.md says what is measured.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/store/grant.h"
#include "core/store/group.h"
#include "core/store/share.h"
#include "core/store/user.h"
#include "guildfs/authority.h"
#include "guildfs/clock.h"
#include "tests/bench/make_store.h"

#define MOST_CHANGES 1000
#define LIMIT_NS (20 * GFS_NS_PER_S)

struct options {
    unsigned users, groups, grants, changes, churn;
    const char *store; /* an existing one, which is changed; NULL: made, and removed */
};

struct bench {
    const struct options *options;
    struct gfs_authority *authority;
    struct gfs_store *store;
    struct gfs_error err;
};

/* One change; `i` counts. Every second one takes back what the one before it did. */
typedef int change_function(struct bench *bench, struct gfs_tx *tx, unsigned i);

static struct gfs_grant_record grant_of(const struct bench *bench, enum gfs_subject_kind kind, unsigned i) {
    unsigned subjects = kind == GFS_SUBJECT_USER ? bench->options->users : bench->options->groups;
    return (struct gfs_grant_record){.subject_kind = kind,
                                     .subject = 1 + (i / 2 * 7919U) % subjects,
                                     .object_kind = GFS_OBJECT_SHARE,
                                     .object = 1 + (i / 2 * 104729U) % bench->options->groups,
                                     .perms = GFS_VIEW,
                                     .expires_ns = GFS_NEVER};
}

static int change_grant(struct bench *bench, struct gfs_tx *tx, enum gfs_subject_kind kind, unsigned i) {
    struct gfs_grant_record grant = grant_of(bench, kind, i);
    return i % 2 == 0 ? gfs_store_grant_put(tx, &grant, &bench->err) : gfs_store_grant_remove(tx, &grant, &bench->err);
}

static int grant_user(struct bench *bench, struct gfs_tx *tx, unsigned i) {
    return change_grant(bench, tx, GFS_SUBJECT_USER, i);
}

static int grant_group(struct bench *bench, struct gfs_tx *tx, unsigned i) {
    return change_grant(bench, tx, GFS_SUBJECT_GROUP, i);
}

static int membership(struct bench *bench, struct gfs_tx *tx, unsigned i) {
    const struct gfs_membership_record record = {.group = 1 + (i / 2 * 31U) % bench->options->groups,
                                                 .user = 1 + (i / 2 * 7919U + 17) % bench->options->users,
                                                 .role = GFS_ROLE_MEMBER,
                                                 .status = GFS_ACCEPTED,
                                                 .expires_ns = GFS_NEVER};
    return i % 2 == 0 ? gfs_store_membership_put(tx, &record, &bench->err)
                      : gfs_store_membership_remove(tx, record.group, record.user, &bench->err);
}

static int share_option(struct bench *bench, struct gfs_tx *tx, unsigned i) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    int rc = gfs_store_share_load_id(gfs_tx_store(tx), 1 + (i / 2 * 31U) % bench->options->groups, &share, &bench->err);
    if (rc < 0)
        return rc;
    share->grace_ns = 1000 + i;
    return gfs_store_share_update(tx, share, &bench->err);
}

static int suspension(struct bench *bench, struct gfs_tx *tx, unsigned i) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_user_record *user = NULL;
    int rc = gfs_store_user_load_id(gfs_tx_store(tx), 1 + (i / 2 * 7919U) % bench->options->users, &user, &bench->err);
    if (rc < 0)
        return rc;
    user->suspended = i % 2 == 0;
    return gfs_store_user_update(tx, user, &bench->err);
}

static int new_user(struct bench *bench, struct gfs_tx *tx, unsigned i) {
    char name[64];
    gfs_id id;
    snprintf(name, sizeof name, "bench-%d-%u", (int)getpid(), i);
    const struct gfs_user_record user = gfs_user_record_default(name);
    return gfs_store_user_add(tx, &user, &id, &bench->err);
}

static int new_group(struct bench *bench, struct gfs_tx *tx, unsigned i) {
    char name[64];
    gfs_id id;
    snprintf(name, sizeof name, "bench-group-%d-%u", (int)getpid(), i);
    const struct gfs_group_record group = {.organization = 1, .name = name};
    return gfs_store_group_add(tx, &group, &id, &bench->err);
}

static int new_share(struct bench *bench, struct gfs_tx *tx, unsigned i) {
    char name[64];
    gfs_id id;
    snprintf(name, sizeof name, "bench-%d-%u", (int)getpid(), i);
    struct gfs_share_record share = gfs_share_record_default(name, GFS_KIND_FILES);
    share.group = 1 + i % bench->options->groups;
    return gfs_store_share_add(tx, &share, &id, &bench->err);
}

static const struct {
    const char *name;
    change_function *change;
} kinds[] = {{"grant_user", grant_user},     {"grant_group", grant_group}, {"membership", membership},
             {"share_option", share_option}, {"suspension", suspension},   {"new_user", new_user},
             {"new_group", new_group},       {"new_share", new_share}};

static int commit(struct bench *bench, change_function *change, unsigned i, uint64_t *generation) {
    const struct gfs_audit_entry entry = {.actor_name = "system", .action = "bench"};
    GFS_CLEANUP(gfs_tx_endp) struct gfs_tx *tx = NULL;
    int rc = gfs_tx_begin(bench->store, &tx, &bench->err);
    if (rc == 0)
        rc = change(bench, tx, i);
    if (rc == 0)
        rc = gfs_tx_audit(tx, &entry, &bench->err);
    if (rc < 0)
        return rc;
    *generation = gfs_tx_generation(tx);
    return gfs_tx_commit(tx, &bench->err);
}

static uint64_t in_force(struct gfs_authority *authority) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    uint64_t generation = snapshot == NULL ? 0 : gfs_snapshot_generation(snapshot);
    gfs_authority_leave(authority, snapshot);
    return generation;
}

static int compare_doubles(const void *a, const void *b) {
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static int measure_kind(struct bench *bench, size_t kind) {
    static double values[MOST_CHANGES];
    unsigned count = bench->options->changes;
    for (unsigned i = 0; i < count; i++) {
        uint64_t generation = 0;
        usleep(5000 + i * 7919U % 20000); /* not in step with the refresher's looks */
        int rc = commit(bench, kinds[kind].change, i, &generation);
        if (rc < 0)
            return rc;
        int64_t committed_ns = gfs_monotonic_ns();
        while (in_force(bench->authority) < generation && gfs_monotonic_ns() - committed_ns < LIMIT_NS)
            usleep(20);
        values[i] = (double)(gfs_monotonic_ns() - committed_ns) / 1e6;
    }
    qsort(values, count, sizeof values[0], compare_doubles);
    printf("change kind=%s commits=%u median_ms=%.2f p99_ms=%.2f slowest_ms=%.2f\n", kinds[kind].name, count,
           values[count / 2], values[count * 99 / 100], values[count - 1]);
    return 0;
}

static double memory_mb(struct gfs_authority *authority) {
    const struct gfs_snapshot *snapshot = gfs_authority_enter(authority);
    double bytes = snapshot == NULL ? 0 : (double)gfs_snapshot_memory(snapshot);
    gfs_authority_leave(authority, snapshot);
    return bytes / 1e6;
}

/* Changes one after the other, of the kinds that leave the store as large as it was. */
static int churn(struct bench *bench) {
    uint64_t generation = 0;
    double before = memory_mb(bench->authority), half = 0;
    for (unsigned i = 0; i < bench->options->churn; i++) {
        int rc = commit(bench, kinds[i / 2 % 5].change, i / 10 * 2 + i % 2, &generation);
        if (rc < 0)
            return rc;
        while (in_force(bench->authority) + 50 < generation)
            usleep(100);
        if (i == bench->options->churn / 2)
            half = memory_mb(bench->authority);
    }
    int64_t end_ns = gfs_monotonic_ns() + LIMIT_NS;
    while (in_force(bench->authority) < generation && gfs_monotonic_ns() < end_ns)
        usleep(1000);
    printf("churn changes=%u before_mb=%.2f half_mb=%.2f after_mb=%.2f\n", bench->options->churn, before, half,
           memory_mb(bench->authority));
    return 0;
}

static int measure(const struct options *options, const char *directory) {
    struct bench bench = {.options = options};
    int rc = gfs_authority_new(directory, NULL, &bench.authority, &bench.err);
    if (rc == 0)
        rc = gfs_store_open(directory, GFS_STORE_WRITE, 1000, &bench.store, &bench.err);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && rc == 0; i++)
        rc = measure_kind(&bench, i);
    if (rc == 0)
        rc = churn(&bench);
    if (rc < 0)
        fprintf(stderr, "%s\n", bench.err.message);
    gfs_store_close(bench.store);
    gfs_authority_free(bench.authority);
    return rc < 0 ? 1 : 0;
}

static int measure_made_store(const struct options *options) {
    char directory[] = "/tmp/guildfs-bench-XXXXXX", command[64];
    struct gfs_error err = {0};
    if (mkdtemp(directory) == NULL) {
        perror("cannot make a directory in /tmp");
        return 1;
    }
    int status = 1;
    if (bench_make_store(directory, options->users, options->groups, options->grants, &err) < 0)
        fprintf(stderr, "%s\n", err.message);
    else
        status = measure(options, directory);
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command) == 0 ? status : 1;
}

static const char usage[] = "usage: bench-change [--users N] [--groups N] [--grants N] [--changes N] [--churn N]\n"
                            "                    [--store DIR]\n"
                            "Measures how soon a commit is in force. Without --store it makes one, of 100,000 users,\n"
                            "10,000 groups and 1,000,000 authorizations unless told otherwise; a store that is given\n"
                            "must have been made with the same numbers, and is changed.\n";

static int parse(int argc, char **argv, struct options *options) {
    static const struct option names[] = {{"users", required_argument, NULL, 'u'},
                                          {"groups", required_argument, NULL, 'g'},
                                          {"grants", required_argument, NULL, 'a'},
                                          {"changes", required_argument, NULL, 'n'},
                                          {"churn", required_argument, NULL, 'c'},
                                          {"store", required_argument, NULL, 's'},
                                          {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        unsigned *const numbers[] = {&options->users, &options->groups, &options->grants, &options->changes,
                                     &options->churn};
        size_t which = strcspn("uganc", (const char[]){(char)option, '\0'});
        if (option == 's')
            options->store = optarg;
        else if (which < sizeof numbers / sizeof numbers[0])
            *numbers[which] = (unsigned)strtoul(optarg, NULL, 10);
        else
            return -EINVAL;
    }
    bool right = options->users > 0 && options->groups > 0 && options->changes > 0 && options->changes <= MOST_CHANGES;
    return optind == argc && right ? 0 : -EINVAL;
}

int main(int argc, char **argv) {
    struct options options = {.users = 100000, .groups = 10000, .grants = 1000000, .changes = 200, .churn = 10000};
    if (parse(argc, argv, &options) < 0) {
        fputs(usage, stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    return options.store != NULL ? measure(&options, options.store) : measure_made_store(&options);
}
