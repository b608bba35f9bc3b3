/*
 * How long calls on names and attributes take, on several directories side by side: in rounds, one
 * directory after the other, so that what disturbs the machine disturbs all of them alike. All rounds
 * of a workload come before the next one, since ext4 makes files slowly where some were just removed.
 *
 *     bench-metadata [-u UID] [-r ROUNDS] [-n FILES] [-w WORKLOAD,...] LABEL=DIRECTORY ...
 *
 * Prints a line for each workload: the median of each directory in µs, and in brackets the best
 * round's ratio to the best one of the first directory.
 * Must be started by root, since cold means that the kernel's names and inodes were dropped; with -u
 * everything else is done as that user. The directories are filled, and emptied again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PLACES = 8, MOST_ROUNDS = 99, THREADS = 4, FILE_BYTES = 4096, WARM_PASSES = 5 };

struct place {
    const char *label, *path;
    int fd;
};

static struct place places[MOST_PLACES];
static int place_count;
static unsigned files = 2000;
static uid_t uid;
static char content[FILE_BYTES];

/* ---- errors, clock, identity ---- */

static void check(bool worked, const char *what) {
    if (worked)
        return;
    fprintf(stderr, "bench-metadata: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void drop_caches(void) {
    check(seteuid(0) == 0, "becoming root");
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    check(fd >= 0 && write(fd, "2", 1) == 1, "/proc/sys/vm/drop_caches");
    close(fd);
    check(seteuid(uid) == 0, "becoming the user");
}

static void name_of(char name[static 32], const char *prefix, int round, unsigned number) {
    snprintf(name, 32, "%s-%d-%u", prefix, round, number);
}

/* ---- what is measured: each is done for files 0 to files-1 of an open directory ---- */

static void make_one(int folder, const char *name) {
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    check(fd >= 0, name);
    check(write(fd, content, sizeof content) == sizeof content, name);
    check(close(fd) == 0, name);
}

static void create_all(int folder, int round) {
    char name[32];
    for (unsigned i = 0; i < files; i++) {
        name_of(name, "new", round, i);
        make_one(folder, name);
    }
}

static void rename_all(int folder, int round) {
    char from[32], to[32];
    for (unsigned i = 0; i < files; i++) {
        name_of(from, "new", round, i);
        name_of(to, "renamed", round, i);
        check(renameat(folder, from, folder, to) == 0, from);
    }
}

static void unlink_all(int folder, int round) {
    char name[32];
    for (unsigned i = 0; i < files; i++) {
        name_of(name, "renamed", round, i);
        check(unlinkat(folder, name, 0) == 0, name);
    }
}

static void stat_all(int folder, int round) {
    char name[32];
    struct stat st;
    (void)round;
    for (unsigned i = 0; i < files; i++) {
        name_of(name, "file", 0, i);
        check(fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0, name);
    }
}

static void stat_again(int folder, int round) {
    for (int pass = 0; pass < WARM_PASSES; pass++)
        stat_all(folder, round);
}

/* As ls -l does it, but for extended attributes. */
static void list_all(int folder, int round) {
    struct stat st;
    (void)round;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    check(list != NULL, "opening a directory");
    for (const struct dirent *entry; (entry = readdir(list));)
        check(fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0, entry->d_name);
    closedir(list);
}

static void read_one(int folder, const char *name) {
    char buffer[FILE_BYTES];
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    check(fd >= 0, name);
    check(read(fd, buffer, sizeof buffer) == sizeof buffer, name);
    close(fd);
}

static void read_all(int folder, int round) {
    char name[32];
    (void)round;
    for (unsigned i = 0; i < files; i++) {
        name_of(name, "file", 0, i);
        read_one(folder, name);
    }
}

static void *read_in_thread(void *context) {
    const int *folder = context;
    read_all(*folder, 0);
    return NULL;
}

static void read_by_threads(int folder, int round) {
    pthread_t threads[THREADS];
    (void)round;
    for (int i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, read_in_thread, &folder) == 0, "starting a thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void nothing(int folder, int round) {
    (void)folder, (void)round;
}

/* `before` is not timed. In this order each finds what the earlier ones left. */
static const struct workload {
    const char *name;
    void (*before)(int folder, int round);
    void (*run)(int folder, int round);
    unsigned times; /* operations per file */
    bool cold;
} workloads[] = {
    {"stat-cold", nothing, stat_all, 1, true},
    {"list-cold", nothing, list_all, 1, true},
    {"stat-warm", stat_all, stat_again, WARM_PASSES, false},
    {"open-warm", read_all, read_all, 1, false},
    {"open-warm-4", read_all, read_by_threads, THREADS, false},
    {"create", nothing, create_all, 1, false},
    {"rename", nothing, rename_all, 1, false},
    {"unlink", nothing, unlink_all, 1, false},
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

static double results[WORKLOADS][MOST_PLACES][MOST_ROUNDS];

/* ---- rounds ---- */

static void run_one(int w, int p, int round) {
    const struct workload *workload = &workloads[w];
    if (workload->cold)
        drop_caches();
    workload->before(places[p].fd, round);
    double start = now_us();
    workload->run(places[p].fd, round);
    results[w][p][round] = (now_us() - start) / files / workload->times;
}

static bool is_wanted(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; at && (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || !at[length]))
            return true;
    return !list;
}

static int compare(const void *a, const void *b) {
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void print_results(const char *wanted, int rounds) {
    printf("%-12s", "µs");
    for (int p = 0; p < place_count; p++)
        printf(" %16s", places[p].label);
    printf("\n");
    for (int w = 0; w < WORKLOADS; w++) {
        if (!is_wanted(wanted, workloads[w].name))
            continue;
        printf("%-12s", workloads[w].name);
        for (int p = 0; p < place_count; p++)
            qsort(results[w][p], (size_t)rounds, sizeof(double), compare);
        for (int p = 0; p < place_count; p++)
            printf(" %8.2f (%5.2f)", results[w][p][rounds / 2], results[w][p][0] / results[w][0][0]);
        printf("\n");
    }
}

static void fill(const struct place *place) {
    char name[32];
    for (unsigned i = 0; i < files; i++) {
        name_of(name, "file", 0, i);
        if (faccessat(place->fd, name, F_OK, 0) != 0)
            make_one(place->fd, name);
    }
}

/* Also what a workload left whose counterpart was not wanted. */
static void clear(const struct place *place, int rounds) {
    char name[32];
    for (const char *const *prefix = (const char *const[]){"file", "new", "renamed", NULL}; *prefix; prefix++)
        for (int round = 0; round < rounds; round++)
            for (unsigned i = 0; i < files; i++) {
                name_of(name, *prefix, round, i);
                unlinkat(place->fd, name, 0);
            }
}

static void add_place(char *argument) {
    char *path = strchr(argument, '=');
    check(path && place_count < MOST_PLACES, argument);
    *path++ = '\0';
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(fd >= 0, path);
    places[place_count++] = (struct place){.label = argument, .path = path, .fd = fd};
}

int main(int argc, char **argv) {
    const char *wanted = NULL;
    int rounds = 5;
    for (int option; (option = getopt(argc, argv, "u:r:n:w:")) != -1;) {
        if (option == 'u')
            uid = (uid_t)strtoul(optarg, NULL, 10);
        else if (option == 'r')
            rounds = atoi(optarg);
        else if (option == 'n')
            files = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'w')
            wanted = optarg;
        else
            return 2;
    }
    if (rounds < 1 || rounds > MOST_ROUNDS || !files || optind == argc)
        return 2;
    check(seteuid(uid) == 0, "becoming the user");
    for (int i = optind; i < argc; i++)
        add_place(argv[i]);
    for (int p = 0; p < place_count; p++)
        fill(&places[p]);
    for (int w = 0; w < WORKLOADS; w++)
        for (int round = 0; is_wanted(wanted, workloads[w].name) && round < rounds; round++)
            for (int p = 0; p < place_count; p++)
                run_one(w, p, round);
    for (int p = 0; p < place_count; p++)
        clear(&places[p], rounds);
    print_results(wanted, rounds);
    return 0;
}
