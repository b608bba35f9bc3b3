/*
 * Small file operations with a clock around them: what bench.py measures where no public tool does. Works in
 * the current directory on files that are called by their number, and prints the nanoseconds of one operation.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guildfs/clock.h"

enum { MAX_THREADS = 64, MAX_PASSES = 1000, MAX_BYTES = 1 << 16 };

struct work {
    unsigned long files;   /* they are 0 to files - 1 */
    unsigned long passes;  /* over all of them, in one thread */
    unsigned long threads; /* each makes all the passes */
    unsigned long bytes;   /* of each file */
};

/* What is measured: one pass. 0 or a negative errno. */
typedef int pass_fn(const struct work *work);

static char buffer[MAX_BYTES];

static const char *name_of(unsigned long number, char name[static 32]) {
    snprintf(name, 32, "%06lu", number);
    return name;
}

/* ---- the passes ---- */

static int stat_all(const struct work *work) {
    struct stat st;
    char name[32];
    for (unsigned long i = 0; i < work->files; i++) {
        if (stat(name_of(i, name), &st) < 0)
            return -errno;
    }
    return 0;
}

static int read_one(const char *name, char *into) {
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = read(fd, into, MAX_BYTES) < 0 ? -errno : 0;
    return close(fd) < 0 && rc == 0 ? -errno : rc;
}

static int read_all(const struct work *work) {
    char own[MAX_BYTES], name[32]; /* not the shared buffer: threads would fight for its cache lines */
    int rc = 0;
    for (unsigned long i = 0; i < work->files && rc == 0; i++)
        rc = read_one(name_of(i, name), own);
    return rc;
}

static int create_one(const char *name, size_t bytes) {
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    int rc = 0;
    if (bytes > 0 && write(fd, buffer, bytes) != (ssize_t)bytes)
        rc = errno != 0 ? -errno : -ENOSPC;
    return close(fd) < 0 && rc == 0 ? -errno : rc;
}

static int create_all(const struct work *work) {
    char name[32];
    int rc = 0;
    for (unsigned long i = 0; i < work->files && rc == 0; i++)
        rc = create_one(name_of(i, name), work->bytes);
    return rc;
}

/* There and, in the next pass, back would need a name for each state: so only once. */
static int rename_all(const struct work *work) {
    char old[32], new[48];
    for (unsigned long i = 0; i < work->files; i++) {
        snprintf(new, sizeof new, "renamed-%s", name_of(i, old));
        if (rename(old, new) < 0)
            return -errno;
    }
    return 0;
}

static int unlink_all(const struct work *work) {
    char old[32], new[48];
    for (unsigned long i = 0; i < work->files; i++) {
        snprintf(new, sizeof new, "renamed-%s", name_of(i, old));
        if (unlink(new) < 0)
            return -errno;
    }
    return 0;
}

/* What ls -l asks of the filesystem: the names, then the attributes of each. */
static int list_all(const struct work *work) {
    unsigned long seen = 0;
    DIR *folder = opendir(".");
    if (folder == NULL)
        return -errno;
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (errno = 0, entry = readdir(folder)) != NULL) {
        struct stat st;
        if (fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            rc = -errno;
        seen += entry->d_name[0] != '.';
    }
    closedir(folder);
    return rc == 0 && seen != work->files ? -ENOENT : rc;
}

/* ---- measuring ---- */

static int by_time(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* The time of the median pass: a neighbour that takes the processor for a moment does not show. */
static int median_pass(const struct work *work, pass_fn *pass, double *out_ns) {
    int64_t took_ns[MAX_PASSES];
    for (unsigned long i = 0; i < work->passes; i++) {
        int64_t began_ns = gfs_monotonic_ns();
        int rc = pass(work);
        if (rc < 0)
            return rc;
        took_ns[i] = gfs_monotonic_ns() - began_ns;
    }
    qsort(took_ns, work->passes, sizeof took_ns[0], by_time);
    *out_ns = (double)took_ns[work->passes / 2] / (double)work->files;
    return 0;
}

struct part {
    const struct work *work;
    pass_fn *pass;
    int rc;
};

static void *make_passes(void *argument) {
    struct part *own = argument;
    for (unsigned long i = 0; i < own->work->passes && own->rc == 0; i++)
        own->rc = own->pass(own->work);
    return NULL;
}

/* The time that all threads together need, for each operation of any of them. */
static int in_threads(const struct work *work, pass_fn *pass, double *out_ns) {
    pthread_t threads[MAX_THREADS];
    struct part parts[MAX_THREADS];
    unsigned long started = 0;
    int rc = 0;
    int64_t began_ns = gfs_monotonic_ns();
    while (started < work->threads && rc == 0) {
        parts[started] = (struct part){.work = work, .pass = pass};
        rc = -pthread_create(&threads[started], NULL, make_passes, &parts[started]);
        started += rc == 0;
    }
    for (unsigned long i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        rc = rc == 0 ? parts[i].rc : rc;
    }
    *out_ns = (double)(gfs_monotonic_ns() - began_ns) / (double)(work->files * work->passes * work->threads);
    return rc;
}

/* Nanoseconds of one operation. More than one pass: after one that is not measured. */
static int measure(const struct work *work, pass_fn *pass, double *out_ns) {
    int rc = work->passes > 1 ? pass(work) : 0;
    if (rc < 0)
        return rc;
    return work->threads > 1 ? in_threads(work, pass, out_ns) : median_pass(work, pass, out_ns);
}

static const struct {
    const char *name;
    pass_fn *pass;
    bool repeats; /* may be made more than once */
} actions[] = {
    {"stat", stat_all, true},      {"list", list_all, true},      {"read", read_all, true},
    {"create", create_all, false}, {"rename", rename_all, false}, {"unlink", unlink_all, false},
};

static const char usage[] =
    "usage: bench-workload stat|list|read FILES PASSES [THREADS]\n"
    "       bench-workload create|rename|unlink FILES [BYTES]\n"
    "Prints the nanoseconds of one operation (of the median pass) on one of the files 000000, 000001 ... in the "
    "current directory.\n"
    "More than one pass: after one that is not measured. rename follows create, unlink follows rename.\n";

/* The number at an index, or the one that is given where the words end before. Whether it is one, and not too large. */
static bool number(char **argv, int argc, int index, unsigned long most, unsigned long *value) {
    if (index >= argc)
        return true;
    char *end;
    *value = strtoul(argv[index], &end, 10);
    return argv[index][0] >= '0' && argv[index][0] <= '9' && *end == '\0' && *value <= most;
}

static bool parse(int argc, char **argv, bool repeats, struct work *out) {
    struct work work = {.passes = repeats ? 0 : 1, .threads = 1, .bytes = repeats ? 0 : 4096};
    bool right = argc <= (repeats ? 5 : 4) && number(argv, argc, 2, 10000000, &work.files);
    if (repeats)
        right = right && number(argv, argc, 3, MAX_PASSES, &work.passes) &&
                number(argv, argc, 4, MAX_THREADS, &work.threads);
    else
        right = right && number(argv, argc, 3, MAX_BYTES, &work.bytes);
    *out = work;
    return right && work.files > 0 && work.passes > 0 && work.threads > 0;
}

static int run(int argc, char **argv, size_t action) {
    struct work work;
    if (!parse(argc, argv, actions[action].repeats, &work)) {
        fputs(usage, stderr);
        return 2;
    }
    double ns = 0;
    int rc = measure(&work, actions[action].pass, &ns);
    if (rc < 0) {
        fprintf(stderr, "bench-workload: %s: %s\n", argv[1], strerror(-rc));
        return 1;
    }
    printf("%.1f\n", ns);
    return 0;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(argv[1], actions[i].name) == 0)
            return run(argc, argv, i);
    }
    fputs(usage, stderr);
    return 2;
}
