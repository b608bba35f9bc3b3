/*
 * Does each view show at once what was done in another? Several processes work through several
 * views of one share, in one of two ways:
 *
 * turns.c   One process does one operation; after it returned, processes of the other views compare
 *           everything that they can see (by name, by open descriptor, by mapping) with a model.
 *           Nothing happens meanwhile, so that the model is exact.
 * free.c    All work at once. What they did and saw is logged with times, and judged afterwards:
 *           whatever was read must not have been replaced before the read began.
 *
 * The processes and the parent share one mapping, struct common. Run by ../coherence.py.
 */
#ifndef COHERENCE_H
#define COHERENCE_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum {
    VIEWS_MAX = 8,
    PROCESSES_MAX = 16,
    NAMES = 5,  /* in each folder: n0 ... */
    ITEMS = 64, /* files, folders and symlinks at one time */
    FOLDERS_MAX = 5,
    SLOTS = 3,       /* files that a process holds open */
    DEPTH = 3,       /* names in a path */
    CONTENT = 13000, /* the largest file */
    TEXT = 200,
};

/* ---- the model of turns.c ---- */

enum kind { FREE, REGULAR, FOLDER, SYMLINK };

struct item {
    enum kind kind;
    int links, uses; /* names, and slots in which it is open */
    mode_t mode;     /* the owner's bits */
    size_t size;
    unsigned char content[CONTENT];
    bool times_lag;     /* written through a mapping of a fast share: nobody hears of it, and times may lag */
    char value[24];     /* a symlink's target, else the attribute user.x; "": none */
    int entries[NAMES]; /* of a folder: items; -1: none */
    struct stat truth;  /* of the backing file, read when the last operation had returned */
};

struct slot {
    int item;  /* -1: free */
    int flags; /* of open(2) */
    bool mapped;
};

struct world {
    bool fast;                /* data=fast */
    struct item items[ITEMS]; /* the first is the share's root */
    struct slot slots[PROCESSES_MAX][SLOTS];
};

/* A name, as numbers of names from the root on. */
struct path {
    int depth, names[DEPTH];
};

enum act {
    OPEN,
    CLOSE,
    MAP,
    PWRITE,
    APPEND,
    MAP_WRITE,
    FSYNC,
    FTRUNCATE,
    FCHMOD,
    WRITE_PATH,
    TRUNCATE,
    CHMOD,
    UTIMENS,
    SETXATTR,
    REMOVEXATTR,
    MKDIR,
    RMDIR,
    UNLINK,
    RENAME,
    LINKAT,
    SYMLINKAT,
    ACTS,
    CHECK,
};

/* What a process is told to do, and how it went. */
struct order {
    enum act act;
    int process, slot, flags; /* flags: of open(2), renameat2(2), or what to check */
    struct path path, other;
    mode_t mode;
    off_t offset;
    size_t length;
    uint64_t stamp;
    int error;
    bool stale; /* of CHECK */
    char complaint[3 * TEXT];
};

enum look { LOOK_STAT = 1, LOOK_READ = 2, LOOK_LIST = 4, LOOK_VALUE = 8, LOOK_SLOTS = 16, LOOK_ALL = 31 };

void world_begin(struct world *world);
/* Does to the model what the order does to the files. The errno that it must end with, or 0. */
int world_apply(struct world *world, const struct order *order);
/* The item of a path, or a negative errno; -ENOENT with *folder set: only the last name is missing. */
int world_find(const struct world *world, const struct path *path, int *folder);
int world_count(const struct world *world, enum kind kind);
void stamp_bytes(unsigned char *to, size_t length, uint64_t stamp);
void path_text(char text[static TEXT], const char *root, const struct path *path);
void order_text(char *text, size_t size, const struct order *order);

/* ---- processes ---- */

/* A word to sleep on until it changes. */
struct bell {
    _Atomic uint32_t count;
};
void bell_ring(struct bell *bell);
/* False after a time in which everything that does not hang is over. */
bool bell_wait(struct bell *bell, uint32_t last);

enum job { JOB_ORDER, JOB_FREE, JOB_LOOK, JOB_END };

struct event;
struct free_files;

struct process {
    struct bell wanted, done;
    enum job job;
    int view;
    struct order order;
    struct event *events; /* of free.c, shared */
    size_t event_count;
};

struct view {
    const char *root;
    uid_t uid;
};

struct common {
    struct process processes[PROCESSES_MAX];
    struct world world;
    _Atomic bool stop;         /* of a free round */
    _Atomic uint64_t stamps;   /* the last unique value */
    _Atomic uint32_t failures; /* calls that ended in an unexpected way */
};

struct run {
    struct common *common;
    struct view views[VIEWS_MAX];
    int view_count, process_count;
    const char *backing;
    bool fast;
    double seconds;
    uint64_t seed;
    int mismatches_max;
    /* of a child: its own descriptors and mappings */
    int self, fds[SLOTS];
    unsigned char *maps[SLOTS];
    struct free_files *files; /* of free.c */
};

void run_order(struct run *run, struct order *order); /* act.c, in the child */
void run_check(struct run *run, struct order *order); /* check.c, in the child */
void run_free(struct run *run, bool last_look);       /* free.c, in the child */

/* In the parent. The number of mismatches; what was found is printed. */
int turns(struct run *run);
int free_running(struct run *run);

void start(struct run *run); /* the processes */
void send_job(struct run *run, int process, enum job job);
void await(struct run *run, int process); /* ends the program when the process hangs */

uint64_t now_ns(void);
uint64_t next_random(uint64_t *state);
unsigned below(uint64_t *state, unsigned limit);

#endif
