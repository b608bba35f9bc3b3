/*
 * How long it takes from the commit that takes a right away until each way in is closed.
 *
 *     bench-revocation STORE SHARE UID FOLDER FILE ROUNDS kill|look|look-fast [LOAD_UID LOAD_FOLDER]
 *
 * In each round a person (uid UID, user "bob") is given the share SHARE, lists FOLDER, where it shows, and opens FILE there;
 * then the right is taken away, in this process, so that starting a program is not measured. "look": the person
 * tries each way, over and over, until all are refused ("look-fast": all but a mapping, which is left); "kill": until the process that holds the file is gone. With a
 * LOAD_FOLDER eight threads of another person create, read and rename there meanwhile.
 * One JSON object a line: way, rounds, median, 99th percentile and worst in milliseconds.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guildfs/admin.h"
#include "guildfs/clock.h"
#include "guildfs/store.h"

enum way { BY_READ, BY_WRITE, BY_FOLDER, BY_MAPPING, BY_PATH, WAYS, SETTLED = WAYS, KILLED, RESULTS };
enum phase { IDLE, PREPARE, READY, DONE, END, FAILED };
enum { LOAD_THREADS = 8, PAUSE_US = 50 };
static const int64_t LIMIT_NS = 10 * GFS_NS_PER_S;
static const char *const names[RESULTS] = {"read", "write", "folder", "mapping", "path", "settled", "killed"};

/* Between this process and the person's. */
struct shared {
    _Atomic int phase;
    _Atomic int64_t refused_ns[WAYS];
};

static struct {
    const char *store, *share, *folder, *file;
    uid_t uid;
    int rounds;
    bool kill, maps;
} args;
static struct shared *shared;
static double *results[RESULTS];
static _Thread_local sigjmp_buf fault;

static void pause_us(long us) {
    const struct timespec pause = {.tv_nsec = us * 1000};
    nanosleep(&pause, NULL);
}

static void fail(const char *what) {
    fprintf(stderr, "bench-revocation: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void become(uid_t uid) {
    if (setgroups(0, NULL) || setgid(uid) || setuid(uid))
        fail("cannot change the user");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* ---- the person ---- */

static struct {
    int reading, writing, folder;
    volatile char *mapping;
    char path[4096];
} held;

static void on_fault(int number) {
    (void)number;
    siglongjmp(fault, 1);
}

static bool try_path(void) {
    struct stat st;
    return stat(held.path, &st) == 0;
}

static bool try_mapping(void) {
    if (sigsetjmp(fault, 1))
        return false;
    (void)held.mapping[0];
    return true;
}

static bool try_folder(void) {
    char room[4096];
    lseek(held.folder, 0, SEEK_SET);
    return syscall(SYS_getdents64, held.folder, room, sizeof room) > 0;
}

static bool try_way(enum way way) {
    char byte = 'w';
    switch (way) {
    case BY_PATH: return try_path();
    case BY_READ: return pread(held.reading, &byte, 1, 0) == 1;
    case BY_WRITE: return pwrite(held.writing, &byte, 1, 1) == 1;
    case BY_FOLDER: return try_folder();
    case BY_MAPPING: return try_mapping();
    case WAYS:
    case KILLED:
    case RESULTS: break;
    }
    return false;
}

/* Has the kernel cache every item of the folder. */
static void list_folder(void) {
    DIR *folder = opendir(args.folder);
    while (folder && readdir(folder))
        ;
    if (folder)
        closedir(folder);
}

static bool hold(void) {
    int64_t deadline_ns = gfs_monotonic_ns() + LIMIT_NS;
    while ((held.reading = open(held.path, O_RDONLY)) < 0 && gfs_monotonic_ns() < deadline_ns)
        pause_us(200);
    held.writing = open(held.path, O_RDWR);
    held.folder = open(args.folder, O_RDONLY | O_DIRECTORY);
    void *area = mmap(NULL, 4096, PROT_READ, MAP_SHARED, held.reading, 0);
    if (held.reading < 0 || held.writing < 0 || held.folder < 0 || area == MAP_FAILED)
        return false;
    held.mapping = area;
    list_folder();
    return try_mapping();
}

static void let_go(void) {
    close(held.reading);
    close(held.writing);
    close(held.folder);
    munmap((void *)(uintptr_t)held.mapping, 4096);
}

/* Notes when the first call began that was refused. */
static void *look_by(void *context) {
    int way = (int)(intptr_t)context;
    int64_t deadline_ns = gfs_monotonic_ns() + LIMIT_NS;

    for (;;) {
        int64_t began_ns = gfs_monotonic_ns();
        if (!try_way((enum way)way)) {
            atomic_store(&shared->refused_ns[way], began_ns);
            return NULL;
        }
        if (began_ns > deadline_ns)
            return NULL;
        pause_us(PAUSE_US);
    }
}

/* A thread for each way, since a call may block: the first one that finds a path refused clears up what the kernel
 * has cached below. */
static void look(void) {
    pthread_t threads[WAYS];
    for (intptr_t way = 0; way < WAYS; way++)
        if (way != BY_MAPPING || args.maps)
            if (pthread_create(&threads[way], NULL, look_by, (void *)way))
                fail("cannot start a thread");
    for (int way = 0; way < WAYS; way++)
        if (way != BY_MAPPING || args.maps)
            pthread_join(threads[way], NULL);
}

static void live(void) {
    become(args.uid);
    signal(SIGBUS, on_fault);
    snprintf(held.path, sizeof held.path, "%s/%s", args.folder, args.file);
    for (;;) {
        int phase = atomic_load(&shared->phase);
        if (phase == END)
            exit(0);
        if (phase != PREPARE) {
            pause_us(200);
            continue;
        }
        bool holds = hold();
        atomic_store(&shared->phase, holds ? READY : FAILED);
        if (holds) {
            look();
            atomic_store(&shared->phase, DONE);
            let_go();
        }
    }
}

static void hold_and_wait(void) {
    become(args.uid);
    snprintf(held.path, sizeof held.path, "%s/%s", args.folder, args.file);
    atomic_store(&shared->phase, hold() ? READY : FAILED);
    for (;;)
        pause();
}

/* ---- the load ---- */

static const char *load_folder;

static void *work(void *context) {
    char name[4096], other[4096], byte = 'l';
    for (unsigned i = 0;; i++) {
        snprintf(name, sizeof name, "%s/%ld-%u", load_folder, (long)(intptr_t)context, i % 50);
        snprintf(other, sizeof other, "%s/%ld-x%u", load_folder, (long)(intptr_t)context, i % 50);
        int fd = open(name, O_RDWR | O_CREAT, 0600);
        if (fd >= 0) {
            if (write(fd, &byte, 1) == 1 && pread(fd, &byte, 1, 0) == 1)
                rename(name, other);
            close(fd);
        }
        unlink(other);
    }
    return NULL;
}

static pid_t start_load(uid_t uid) {
    pid_t child = fork();
    if (child != 0)
        return child;
    become(uid);
    for (intptr_t i = 0; i < LOAD_THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, (void *)i))
            fail("cannot start a thread");
    }
    for (;;)
        pause();
}

/* ---- the administrator ---- */

static struct gfs_store *store;
static struct gfs_actor actor;

static void administer(bool give) {
    struct gfs_error err;
    int rc = give ? gfs_admin_grant(store, &actor, "user:bob", args.share, GFS_ALL_PERMS, GFS_NEVER, &err)
                  : gfs_admin_revoke(store, &actor, "user:bob", args.share, GFS_ALL_PERMS, &err);
    if (rc < 0) {
        fprintf(stderr, "bench-revocation: %s\n", err.message);
        exit(1);
    }
}

static long long ask_settled(const char *socket_path) {
    static char answer[1 << 18];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t used = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) || write(fd, "status\n", 7) != 7)
        fail("cannot ask the daemon");
    for (ssize_t got = 1; got > 0 && used < sizeof answer - 1; used += got > 0 ? (size_t)got : 0)
        got = read(fd, answer + used, sizeof answer - 1 - used);
    answer[used] = '\0';
    close(fd);
    const char *at = strstr(answer, "\"settled\":");
    return at ? strtoll(at + 10, NULL, 10) : -1;
}

static void await_settled(const char *socket_path) {
    struct gfs_error err;
    uint64_t generation = 0;
    int64_t deadline_ns = gfs_monotonic_ns() + 6 * LIMIT_NS;
    if (gfs_store_generation(store, &generation, &err) < 0)
        exit(1);
    while (ask_settled(socket_path) < (long long)generation) {
        if (gfs_monotonic_ns() > deadline_ns)
            fail("the daemon does not settle");
        pause_us(500);
    }
}

static void await_phase(int phase) {
    int64_t deadline_ns = gfs_monotonic_ns() + 12 * LIMIT_NS;
    int now;
    while ((now = atomic_load(&shared->phase)) != phase) {
        if (now == FAILED || gfs_monotonic_ns() > deadline_ns)
            fail(now == FAILED ? "the person cannot open the file" : "the person does not answer");
        pause_us(100);
    }
}

static double since_ms(int64_t from_ns, int64_t to_ns) {
    return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e6 : 0;
}

static void look_round(int round, const char *socket_path) {
    for (int way = 0; way < WAYS; way++)
        atomic_store(&shared->refused_ns[way], 0);
    atomic_store(&shared->phase, PREPARE);
    administer(true);
    await_phase(READY);
    administer(false);
    int64_t committed_ns = gfs_monotonic_ns();
    await_settled(socket_path);
    results[SETTLED][round] = since_ms(committed_ns, gfs_monotonic_ns());
    await_phase(DONE);
    for (int way = 0; way < WAYS; way++) {
        int64_t refused_ns = atomic_load(&shared->refused_ns[way]);
        results[way][round] = refused_ns ? since_ms(committed_ns, refused_ns) : -1; /* it is left */
    }
}

static void kill_round(int round) {
    atomic_store(&shared->phase, IDLE);
    administer(true);
    pid_t child = fork();
    if (child == 0)
        hold_and_wait();
    await_phase(READY);
    administer(false);
    int64_t committed_ns = gfs_monotonic_ns();
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
        fail("the process was not killed");
    results[KILLED][round] = since_ms(committed_ns, gfs_monotonic_ns());
}

/* ---- results ---- */

static int ascending(const void *a, const void *b) {
    const double *left = a, *right = b;
    return *left < *right ? -1 : *left > *right;
}

static void print_result(enum way way) {
    double *list = results[way];
    int count = args.rounds;
    qsort(list, (size_t)count, sizeof *list, ascending);
    if (list[0] < 0) {
        printf("{\"way\": \"%s\", \"left\": true}\n", names[way]);
        return;
    }
    printf("{\"way\": \"%s\", \"rounds\": %d, \"median_ms\": %.2f, \"p99_ms\": %.2f, \"worst_ms\": %.2f}\n", names[way],
           count, list[count / 2], list[(count * 99 - 1) / 100], list[count - 1]);
}

static void run_looks(const char *socket_path) {
    pid_t person = fork();
    if (person == 0)
        live();
    for (int round = 0; round < args.rounds; round++)
        look_round(round, socket_path);
    atomic_store(&shared->phase, END);
    waitpid(person, NULL, 0);
    for (int way = 0; way <= SETTLED; way++)
        print_result((enum way)way);
}

static void read_arguments(int argc, char **argv) {
    if (argc != 8 && argc != 10) {
        fprintf(stderr,
                "usage: bench-revocation STORE SHARE UID FOLDER FILE ROUNDS kill|look|look-fast [LOAD_UID LOAD_FOLDER]\n");
        exit(2);
    }
    args.store = argv[1];
    args.share = argv[2];
    args.uid = (uid_t)strtoul(argv[3], NULL, 10);
    args.folder = argv[4];
    args.file = argv[5];
    args.rounds = (int)strtol(argv[6], NULL, 10);
    args.kill = strcmp(argv[7], "kill") == 0;
    args.maps = strcmp(argv[7], "look") == 0;
    load_folder = argc == 10 ? argv[9] : NULL;
}

int main(int argc, char **argv) {
    struct gfs_error err;
    struct stat mount;
    char socket_path[64];
    pid_t load = 0;

    read_arguments(argc, argv);
    gfs_actor_origin(&actor);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < RESULTS; i++)
        results[i] = calloc((size_t)args.rounds + 1, sizeof(double));
    if (shared == MAP_FAILED || args.rounds < 1)
        return 2;
    char view[4096]; /* "my", which is there whatever is given */
    snprintf(view, sizeof view, "%s", args.folder);
    for (int i = 0; i < 2 && strrchr(view, '/'); i++)
        *strrchr(view, '/') = '\0';
    if (load_folder)
        load = start_load((uid_t)strtoul(argv[8], NULL, 10));
    if (stat(view, &mount))
        fail(view);
    snprintf(socket_path, sizeof socket_path, "/run/guildfs/%u-%u.sock", major(mount.st_dev), minor(mount.st_dev));
    if (gfs_store_open(args.store, GFS_STORE_WRITE, 5000, &store, &err) < 0) {
        fprintf(stderr, "bench-revocation: %s\n", err.message);
        return 1;
    }
    if (args.kill) {
        for (int round = 0; round < args.rounds; round++)
            kill_round(round);
        print_result(KILLED);
    } else {
        run_looks(socket_path);
    }
    gfs_store_close(store);
    if (load > 0) {
        kill(load, SIGKILL);
        waitpid(load, NULL, 0);
    }
    return 0;
}
