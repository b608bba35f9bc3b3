/*
 * Data through several views at once, against a model: after the idea of fsx.
 *
 *     fsx SECONDS SEED PROCESSES BACKING ROOT:UID...
 *
 * Two files, one of them with two names. One operation at a time, by a process, descriptor and name
 * that are chosen by chance, so that the model is exact: what is read (by read(2) and through
 * mappings) must be what was last written by whomever, and after every operation every process must
 * find the right size by stat, fstat and lseek. What is written through a mapping counts when
 * msync(2) has returned. Now and then the backing file is compared as a whole. Process number i
 * works through view i modulo the number of views. Ends with 0 when all was right, with 1 when
 * something was not, with 2 when it could not be tried. Run by fsx.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    FILE_MAX = 64 * PAGE,
    LENGTH_MAX = 12 * PAGE,
    FILES = 2,
    NAMES = 3, /* the first two are of one file */
    SLOTS = 4, /* descriptors of each process */
    PROCESSES_MAX = 16,
    HISTORY = 40,
    HANGS_AFTER_S = 30,
    BACKING_EVERY = 50,
    TEXT = 256,
};

static const char *const names[NAMES] = {"a", "a-link", "b"};
static const int file_of[NAMES] = {0, 0, 1};

enum act { OPEN, CLOSE, READ, WRITE, APPEND, MAP_READ, MAP_WRITE, TRUNCATE, FTRUNCATE, COPY, ALLOCATE, FSYNC, ACTS };
static const char *const act_names[ACTS] = {"open",      "close",       "read",         "write",
                                            "append",    "mapped read", "mapped write", "truncate",
                                            "ftruncate", "copy",        "fallocate",    "fsync"};

struct op {
    enum act act;
    int process, slot, to_slot, name, flags; /* flags: of open(2), or the mode of fallocate(2) */
    off_t offset, to_offset;
    size_t length;
    int error;
    ssize_t result;
};

/* Shared with one process. */
struct desk {
    struct op op;
    char complaint[TEXT]; /* of a look at the sizes */
    unsigned char data[LENGTH_MAX];
    bool look;
};

struct slot {
    int name; /* -1: free */
    int flags;
};

struct fsx {
    struct desk *desks;
    int sockets[PROCESSES_MAX], process_count;
    char *roots[PROCESSES_MAX]; /* of their views */
    struct slot slots[PROCESSES_MAX][SLOTS];
    unsigned char *content[FILES];
    size_t *sizes; /* shared */
    const char *backing;
    uint64_t random;
    struct op history[HISTORY];
    unsigned long count, by_act[ACTS], mismatches;
};

static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static unsigned pick(struct fsx *fsx, unsigned limit) {
    return (unsigned)(next_random(&fsx->random) % limit);
}

/* ---- a process ---- */

struct own {
    const char *root;
    struct desk *desk;
    const size_t *sizes;
    int fds[SLOTS], slot_names[SLOTS];
    unsigned char *maps[SLOTS];
};

static void path_of(const struct own *own, int name, char path[static TEXT]) {
    snprintf(path, TEXT, "%s/%s", own->root, names[name]);
}

static ssize_t open_slot(struct own *own, const struct op *op) {
    char path[TEXT];

    path_of(own, op->name, path);
    own->fds[op->slot] = open(path, op->flags);
    own->slot_names[op->slot] = op->name;
    return own->fds[op->slot];
}

static ssize_t close_slot(struct own *own, int slot) {
    int fd = own->fds[slot];

    if (own->maps[slot])
        munmap(own->maps[slot], FILE_MAX);
    own->maps[slot] = NULL;
    own->fds[slot] = -1;
    return close(fd);
}

static unsigned char *map_of(struct own *own, const struct op *op) {
    int protection = PROT_READ | ((op->flags & O_ACCMODE) == O_RDWR ? PROT_WRITE : 0);

    if (own->maps[op->slot])
        return own->maps[op->slot];
    void *map = mmap(NULL, FILE_MAX, protection, MAP_SHARED, own->fds[op->slot], 0);
    return map == MAP_FAILED ? NULL : (own->maps[op->slot] = map);
}

static ssize_t use_map(struct own *own, const struct op *op) {
    unsigned char *map = map_of(own, op);
    off_t page = op->offset & ~(off_t)(PAGE - 1);

    if (!map)
        return -1;
    if (op->act == MAP_READ) {
        memcpy(own->desk->data, map + op->offset, op->length);
        return (ssize_t)op->length;
    }
    memcpy(map + op->offset, own->desk->data, op->length);
    return msync(map + page, op->length + (size_t)(op->offset - page), MS_SYNC) ? -1 : (ssize_t)op->length;
}

static ssize_t perform(struct own *own, const struct op *op) {
    static _Alignas(PAGE) unsigned char aligned[LENGTH_MAX];
    loff_t from = op->offset, to = op->to_offset;
    char path[TEXT];
    ssize_t length;

    switch (op->act) {
    case OPEN:
        return open_slot(own, op);
    case CLOSE:
        return close_slot(own, op->slot);
    case READ:
        length = pread(own->fds[op->slot], aligned, op->length, op->offset);
        memcpy(own->desk->data, aligned, length > 0 ? (size_t)length : 0);
        return length;
    case WRITE:
    case APPEND:
        memcpy(aligned, own->desk->data, op->length);
        return op->act == WRITE ? pwrite(own->fds[op->slot], aligned, op->length, op->offset)
                                : write(own->fds[op->slot], aligned, op->length);
    case MAP_READ:
    case MAP_WRITE:
        return use_map(own, op);
    case TRUNCATE:
        path_of(own, op->name, path);
        return truncate(path, op->offset);
    case FTRUNCATE:
        return ftruncate(own->fds[op->slot], op->offset);
    case COPY:
        return copy_file_range(own->fds[op->slot], &from, own->fds[op->to_slot], &to, op->length, 0);
    case ALLOCATE:
        return fallocate(own->fds[op->slot], op->flags, op->offset, (off_t)op->length);
    case FSYNC:
        return fsync(own->fds[op->slot]);
    case ACTS:
        break;
    }
    return -1;
}

static void want_size(struct own *own, const char *how, int name, off_t found) {
    if (found != (off_t)own->sizes[file_of[name]] && !*own->desk->complaint)
        snprintf(own->desk->complaint, TEXT, "the size of %s by %s is %lld, expected %zu", names[name], how,
                 (long long)found, own->sizes[file_of[name]]);
}

static void look_at_sizes(struct own *own) {
    char path[TEXT];
    struct stat st;

    *own->desk->complaint = '\0';
    for (int slot = 0; slot < SLOTS; slot++) {
        if (own->fds[slot] < 0)
            continue;
        want_size(own, "lseek", own->slot_names[slot], lseek(own->fds[slot], 0, SEEK_END));
        want_size(own, "fstat", own->slot_names[slot], fstat(own->fds[slot], &st) ? -errno : st.st_size);
    }
    for (int name = 0; name < NAMES; name++) {
        path_of(own, name, path);
        want_size(own, "stat", name, stat(path, &st) ? -errno : st.st_size);
    }
}

static void serve(struct own *own, int sock) {
    char byte;

    for (int slot = 0; slot < SLOTS; slot++)
        own->fds[slot] = -1;
    while (read(sock, &byte, 1) == 1) {
        if (own->desk->look) {
            look_at_sizes(own);
        } else {
            own->desk->op.result = perform(own, &own->desk->op);
            own->desk->op.error = own->desk->op.result < 0 ? errno : 0;
        }
        if (write(sock, &byte, 1) != 1)
            break;
    }
    _exit(0);
}

static void start(struct fsx *fsx, int process, const char *root, uid_t uid) {
    int pair[2];
    pid_t parent = getpid();
    struct own own = {.root = root, .desk = &fsx->desks[process], .sizes = fsx->sizes};

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        exit(2);
    pid_t child = fork();
    if (child < 0)
        exit(2);
    if (child) {
        close(pair[1]);
        fsx->sockets[process] = pair[0];
        return;
    }
    close(pair[0]);
    for (int i = 0; i < process; i++)
        close(fsx->sockets[i]);
    if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
        _exit(2);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        serve(&own, pair[1]);
    _exit(2);
}

/* ---- talking to processes ---- */

static void op_text(char *text, size_t size, const struct op *op) {
    int used = snprintf(text, size, "process %d %s", op->process, act_names[op->act]);
    char *rest = text + used;
    size_t left = size - (size_t)used;

    if (op->act == OPEN)
        snprintf(rest, left, " slot %d = %s, flags %o", op->slot, names[op->name], op->flags);
    else if (op->act == COPY)
        snprintf(rest, left, " slot %d (%s) at %lld to slot %d at %lld, %zu bytes", op->slot, names[op->name],
                 (long long)op->offset, op->to_slot, (long long)op->to_offset, op->length);
    else
        snprintf(rest, left, " slot %d (%s) at %lld, %zu bytes, flags %x", op->slot, names[op->name],
                 (long long)op->offset, op->length, op->flags);
    used = (int)strlen(text);
    snprintf(text + used, size - (size_t)used, ": %zd%s%s", op->result, op->error ? " " : "",
             op->error ? strerror(op->error) : "");
}

static void mismatch(struct fsx *fsx, const char *what) {
    char text[2 * TEXT];

    fsx->mismatches++;
    printf("MISMATCH after operation %lu: %s\nwhat went before:\n", fsx->count, what);
    for (unsigned long i = fsx->count > HISTORY ? fsx->count - HISTORY + 1 : 1; i <= fsx->count; i++) {
        op_text(text, sizeof text, &fsx->history[i % HISTORY]);
        printf("  %lu %s\n", i, text);
    }
}

static void tell(struct fsx *fsx, int process) {
    char byte = 0;
    if (write(fsx->sockets[process], &byte, 1) != 1)
        exit(2);
}

static void await(struct fsx *fsx, int process) {
    char byte, text[2 * TEXT];

    alarm(HANGS_AFTER_S);
    if (read(fsx->sockets[process], &byte, 1) == 1)
        return;
    op_text(text, sizeof text, &fsx->desks[process].op);
    printf("process %d ended or hangs: %s\n", process, text);
    exit(1);
}

static void look(struct fsx *fsx) {
    char what[2 * TEXT];

    for (int i = 0; i < fsx->process_count; i++) {
        fsx->desks[i].look = true;
        tell(fsx, i);
    }
    for (int i = 0; i < fsx->process_count; i++) {
        await(fsx, i);
        fsx->desks[i].look = false;
        if (!*fsx->desks[i].complaint)
            continue;
        snprintf(what, sizeof what, "process %d: %s", i, fsx->desks[i].complaint);
        mismatch(fsx, what);
    }
}

/* ---- the model ---- */

static void compare(struct fsx *fsx, const char *how, int file, size_t offset, const unsigned char *found,
                    size_t length) {
    char what[TEXT];
    size_t at = 0;

    while (at < length && found[at] == fsx->content[file][offset + at])
        at++;
    if (at == length)
        return;
    snprintf(what, sizeof what, "%s: byte %zu of file %d is %02x, expected %02x", how, offset + at, file, found[at],
             fsx->content[file][offset + at]);
    mismatch(fsx, what);
}

static void compare_backing(struct fsx *fsx) {
    static unsigned char found[FILE_MAX + 1];
    char path[TEXT], what[2 * TEXT];

    for (int name = 0; name < NAMES; name++) {
        int file = file_of[name];
        snprintf(path, sizeof path, "%s/%s", fsx->backing, names[name]);
        int fd = open(path, O_RDONLY);
        ssize_t length = pread(fd, found, sizeof found, 0);
        close(fd);
        if (length == (ssize_t)fsx->sizes[file]) {
            compare(fsx, "the backing file", file, 0, found, (size_t)length);
        } else {
            snprintf(what, sizeof what, "the backing file %s has %zd bytes, expected %zu", path, length,
                     fsx->sizes[file]);
            mismatch(fsx, what);
        }
    }
}

static void resize(struct fsx *fsx, int file, size_t size) {
    size_t before = fsx->sizes[file];

    if (size > before)
        memset(fsx->content[file] + before, 0, size - before);
    fsx->sizes[file] = size;
}

static void put(struct fsx *fsx, int file, size_t offset, const unsigned char *data, size_t length) {
    if (length && offset + length > fsx->sizes[file])
        resize(fsx, file, offset + length);
    if (data)
        memmove(fsx->content[file] + offset, data, length);
    else
        memset(fsx->content[file] + offset, 0, length);
}

static void allocate(struct fsx *fsx, const struct op *op, int file) {
    size_t offset = (size_t)op->offset, size = fsx->sizes[file], end = offset + op->length;
    size_t inside = offset >= size ? 0 : end > size ? size - offset : op->length;

    if (op->flags & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
        put(fsx, file, offset, NULL, inside);
    if (!(op->flags & FALLOC_FL_KEEP_SIZE) && end > size)
        resize(fsx, file, end);
}

/* What the operation must have done, and did. */
static void apply(struct fsx *fsx, const struct op *op, const unsigned char *data) {
    int file = file_of[op->name];
    size_t offset = (size_t)op->offset, done = op->result < 0 ? 0 : (size_t)op->result;

    switch (op->act) {
    case OPEN:
        fsx->slots[op->process][op->slot] = (struct slot){.name = op->name, .flags = op->flags};
        if (op->flags & O_TRUNC)
            resize(fsx, file, 0);
        break;
    case CLOSE:
        fsx->slots[op->process][op->slot].name = -1;
        break;
    case READ:
    case MAP_READ:
        compare(fsx, act_names[op->act], file, offset, data, done);
        break;
    case WRITE:
    case MAP_WRITE:
        put(fsx, file, offset, data, done);
        break;
    case APPEND:
        put(fsx, file, fsx->sizes[file], data, done);
        break;
    case TRUNCATE:
    case FTRUNCATE:
        resize(fsx, file, offset);
        break;
    case COPY:
        put(fsx, file_of[fsx->slots[op->process][op->to_slot].name], (size_t)op->to_offset, fsx->content[file] + offset,
            done);
        break;
    case ALLOCATE:
        allocate(fsx, op, file);
        break;
    case FSYNC:
    case ACTS:
        break;
    }
}

/* How much the operation must say it has done; copies may be cut short. */
static ssize_t wanted_result(const struct fsx *fsx, const struct op *op) {
    size_t size = fsx->sizes[file_of[op->name]], offset = (size_t)op->offset;
    size_t there = offset >= size ? 0 : size - offset;

    switch ((int)op->act) {
    case READ:
    case COPY:
        return (ssize_t)(op->length < there ? op->length : there);
    case WRITE:
    case APPEND:
    case MAP_READ:
    case MAP_WRITE:
        return (ssize_t)op->length;
    default:
        return 0;
    }
}

/* ---- what to do ---- */

static off_t some_offset(struct fsx *fsx, size_t size) {
    unsigned how = pick(fsx, 4);

    if (how == 0)
        return (off_t)(pick(fsx, FILE_MAX / PAGE - 16) * PAGE);
    if (how == 1 && size < FILE_MAX - LENGTH_MAX)
        return (off_t)size;
    return (off_t)pick(fsx, how == 2 && size ? (unsigned)size : FILE_MAX - LENGTH_MAX);
}

static const int open_flags[] = {
    O_RDWR,          O_RDWR, O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_APPEND, O_RDWR | O_APPEND, O_RDWR | O_DIRECT,
    O_RDWR | O_TRUNC};
static const int modes[] = {0,
                            FALLOC_FL_KEEP_SIZE,
                            FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            FALLOC_FL_ZERO_RANGE,
                            FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};

static void align(struct op *op) {
    op->offset &= ~(off_t)(PAGE - 1);
    op->length = (op->length + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* Fits an operation to its descriptor; false when that does not allow it. */
static bool fits(struct fsx *fsx, struct op *op) {
    const struct slot *slot = &fsx->slots[op->process][op->slot], *to = &fsx->slots[op->process][op->to_slot];
    bool reads, writes, direct = slot->flags & O_DIRECT;
    size_t size;

    if ((op->act == TRUNCATE || op->act == FTRUNCATE) && pick(fsx, 3))
        return false;
    if (op->act == TRUNCATE)
        return true;
    if (op->act == OPEN)
        return slot->name < 0 && (!(op->flags & O_TRUNC) || pick(fsx, 4) == 0);
    if (slot->name < 0)
        return false;
    reads = (slot->flags & O_ACCMODE) != O_WRONLY;
    writes = (slot->flags & O_ACCMODE) != O_RDONLY;
    op->name = slot->name;
    size = fsx->sizes[file_of[op->name]];
    if (op->act == MAP_READ || op->act == MAP_WRITE) {
        op->flags = slot->flags;
        if ((size_t)op->offset >= size || !reads || (op->act == MAP_WRITE && !writes))
            return false;
        op->length = op->length < size - (size_t)op->offset ? op->length : size - (size_t)op->offset;
        return true;
    }
    if (direct && (op->act == READ || op->act == WRITE))
        align(op);
    if (op->act == READ)
        return reads;
    if (op->act == COPY)
        return reads && to->name >= 0 && (to->flags & O_ACCMODE) != O_RDONLY && !(to->flags & (O_APPEND | O_DIRECT)) &&
               !direct &&
               (file_of[to->name] != file_of[slot->name] || llabs(op->offset - op->to_offset) >= (off_t)op->length);
    if (op->act == WRITE)
        return writes && !(slot->flags & O_APPEND);
    if (op->act == APPEND)
        return (slot->flags & O_APPEND) && size + op->length <= FILE_MAX;
    return op->act == CLOSE ? pick(fsx, 3) == 0 : op->act == FSYNC ? pick(fsx, 6) == 0 : writes;
}

static struct op some_op(struct fsx *fsx) {
    struct op op;

    do {
        op = (struct op){.act = (enum act)pick(fsx, ACTS), .process = (int)pick(fsx, (unsigned)fsx->process_count)};
        op.slot = (int)pick(fsx, SLOTS);
        op.to_slot = (int)pick(fsx, SLOTS);
        op.name = (int)pick(fsx, NAMES);
        op.offset = some_offset(fsx, fsx->sizes[file_of[op.name]]);
        op.to_offset = some_offset(fsx, fsx->sizes[file_of[op.name]]);
        op.length = 1 + pick(fsx, pick(fsx, 3) ? 3000 : LENGTH_MAX - PAGE);
        op.flags = op.act == OPEN       ? open_flags[pick(fsx, sizeof open_flags / sizeof *open_flags)]
                   : op.act == ALLOCATE ? modes[pick(fsx, sizeof modes / sizeof *modes)]
                                        : 0;
    } while (!fits(fsx, &op));
    return op;
}

static void one(struct fsx *fsx) {
    struct op op = some_op(fsx);
    struct desk *desk = &fsx->desks[op.process];
    char what[2 * TEXT];

    if (op.act == WRITE || op.act == APPEND || op.act == MAP_WRITE)
        for (size_t i = 0; i < op.length; i++)
            desk->data[i] = (unsigned char)((fsx->count + 1) * 31 + i / 7 + 1);
    desk->op = op;
    tell(fsx, op.process);
    await(fsx, op.process);
    op = desk->op;
    fsx->count++;
    fsx->by_act[op.act]++;
    fsx->history[fsx->count % HISTORY] = op;
    ssize_t wanted = wanted_result(fsx, &op);
    bool right = op.act == OPEN   ? op.result >= 0
                 : op.act == COPY ? op.result >= (wanted > 0) && op.result <= wanted
                                  : op.result == wanted;
    if (!right) {
        snprintf(what, sizeof what, "the result is %zd, expected %zd", op.result, wanted);
        mismatch(fsx, what);
        if (op.act == OPEN)
            return;
    }
    apply(fsx, &op, desk->data);
    look(fsx);
    if (fsx->count % BACKING_EVERY == 0)
        compare_backing(fsx);
}

/* ---- */

static void *shared(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(2);
    return memory;
}

static void prepare(struct fsx *fsx, char **views, int view_count) {
    char path[TEXT], link_path[TEXT];

    fsx->desks = shared(sizeof *fsx->desks * (size_t)fsx->process_count);
    fsx->sizes = shared(sizeof *fsx->sizes * FILES);
    for (int i = 0; i < FILES; i++)
        fsx->content[i] = shared(FILE_MAX + LENGTH_MAX);
    umask(0);
    for (int i = 0; i < NAMES; i += 2) {
        snprintf(path, sizeof path, "%s/%s", fsx->backing, names[i]);
        close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0666));
    }
    snprintf(path, sizeof path, "%s/%s", fsx->backing, names[0]);
    snprintf(link_path, sizeof link_path, "%s/%s", fsx->backing, names[1]);
    if (link(path, link_path))
        exit(2);
    for (int i = 0; i < fsx->process_count; i++) {
        const char *view = views[i % view_count], *colon = strrchr(view, ':');
        if (!colon || !(fsx->roots[i] = strndup(view, (size_t)(colon - view))))
            exit(2);
        for (int slot = 0; slot < SLOTS; slot++)
            fsx->slots[i][slot].name = -1;
        start(fsx, i, fsx->roots[i], (uid_t)strtoul(colon + 1, NULL, 10));
    }
}

static double seconds_since(const struct timespec *start_time) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start_time->tv_sec) + (double)(now.tv_nsec - start_time->tv_nsec) / 1e9;
}

int main(int argc, char **argv) {
    static struct fsx fsx;
    struct timespec began;

    if (argc < 6) {
        fprintf(stderr, "usage: fsx SECONDS SEED PROCESSES BACKING ROOT:UID...\n");
        return 2;
    }
    fsx.random = strtoull(argv[2], NULL, 10);
    fsx.process_count = atoi(argv[3]);
    fsx.backing = argv[4];
    if (fsx.process_count < 1 || fsx.process_count > PROCESSES_MAX)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    prepare(&fsx, argv + 5, argc - 5);
    clock_gettime(CLOCK_MONOTONIC, &began);
    while (seconds_since(&began) < strtod(argv[1], NULL) && !fsx.mismatches)
        one(&fsx);
    compare_backing(&fsx);
    printf("%lu operations (", fsx.count);
    for (int act = 0; act < ACTS; act++)
        printf("%s%s %lu", act ? ", " : "", act_names[act], fsx.by_act[act]);
    printf("), %lu mismatches\n", fsx.mismatches);
    return fsx.mismatches ? 1 : 0;
}
