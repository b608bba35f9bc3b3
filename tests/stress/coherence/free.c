/*
 * All processes at once, in rounds of a second. In each, everybody writes and reads registers as
 * fast as possible, and logs it; then, when all have stopped, everybody looks at all registers once
 * more; then the parent judges.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "registers.h"

enum { PAGE = 4096, ROUND_MS = 1000 };

/* What a process holds open all the time. */
struct free_files {
    struct run *run;
    struct process *log;
    uint64_t random;
    const char *root;
    int cells, mapped, size, time, mode, attr, length;
    char *cells_map, *mapped_map;
};

static off_t cell_at(int cell) {
    return cell < 2 ? 8 * cell : (cell - 1) * PAGE + 16;
}

static unsigned pick(struct free_files *files, unsigned limit) {
    return below(&files->random, limit);
}

static uint64_t unique(struct free_files *files) {
    return atomic_fetch_add(&files->run->common->stamps, 1) + V_FIRST_UNIQUE;
}

static void note(struct free_files *files, int reg, enum event_kind kind, uint64_t begin, uint64_t value, int act) {
    if (files->log->event_count == EVENTS)
        return;
    files->log->events[files->log->event_count++] = (struct event){.begin = begin,
                                                                   .end = now_ns(),
                                                                   .value = value,
                                                                   .reg = (uint8_t)reg,
                                                                   .kind = (uint8_t)kind,
                                                                   .process = (uint8_t)files->run->self,
                                                                   .act = (uint8_t)act};
}

static void unexpected(struct free_files *files, const char *what) {
    printf("UNEXPECTED: process %d: %s: %s\n", files->run->self, what, strerror(errno));
    atomic_fetch_add(&files->run->common->failures, 1);
}

/* ---- names ---- */

struct name {
    int reg;
    char path[TEXT], own[TEXT]; /* own: a name that nobody else uses, in the same folder or in another */
};

static struct name some_name(struct free_files *files) {
    struct name name;
    unsigned folder = pick(files, NAME_FOLDERS), number = pick(files, FOLDER_NAMES);

    name.reg = (int)(R_NAMES + folder * FOLDER_NAMES + number);
    snprintf(name.path, sizeof name.path, "%s/f%u/n%u", files->root, folder, number);
    snprintf(name.own, sizeof name.own, pick(files, 2) ? "%s/f%u/t%d" : "%s/p/%u-%d", files->root, folder,
             files->run->self);
    return name;
}

/* The value of a name by stat: a symlink's does not show there. */
static void note_stat(struct free_files *files, int reg, uint64_t begin, const struct stat *st, int act) {
    if (S_ISREG(st->st_mode))
        note(files, reg, E_READ, begin, st->st_size ? (uint64_t)st->st_size : V_EMPTY, act);
    else if (S_ISDIR(st->st_mode))
        note(files, reg, E_READ, begin, V_FOLDER, act);
    else
        note(files, reg, E_THERE, begin, 0, act);
}

/* What a failure says about the name. */
static void note_failure(struct free_files *files, int reg, uint64_t begin, int act) {
    if (errno == ENOENT)
        note(files, reg, E_READ, begin, V_ABSENT, act);
    else if (errno == EEXIST || errno == EISDIR || errno == ENOTDIR || errno == ELOOP || errno == EPERM)
        note(files, reg, E_THERE, begin, 0, act);
    else
        unexpected(files, "a name");
}

/* A file whose size, or a symlink whose target, is the value. */
static bool make_own(struct free_files *files, const char *own, uint64_t value) {
    char target[32];

    if (pick(files, 2)) {
        snprintf(target, sizeof target, "%llu", (unsigned long long)value);
        if (symlink(target, own)) {
            unexpected(files, own);
            return false;
        }
        return true;
    }
    int fd = open(own, O_WRONLY | O_CREAT | O_EXCL, 0600);
    bool made = fd >= 0 && !ftruncate(fd, (off_t)value);
    if (!made)
        unexpected(files, own);
    if (fd >= 0)
        close(fd);
    return made;
}

/* What has one's own name now was at the other between begin and end; and removes it. */
static void note_taken(struct free_files *files, struct event read, const char *own) {
    char target[32] = "";
    struct stat st;

    if (lstat(own, &st)) {
        unexpected(files, own);
        return;
    }
    read.value = S_ISDIR(st.st_mode) ? V_FOLDER : st.st_size ? (uint64_t)st.st_size : V_EMPTY;
    if (S_ISLNK(st.st_mode))
        read.value = readlink(own, target, sizeof target - 1) > 0 ? strtoull(target, NULL, 10) : 0;
    if (S_ISDIR(st.st_mode) ? rmdir(own) : unlink(own))
        unexpected(files, own);
    if (files->log->event_count < EVENTS)
        files->log->events[files->log->event_count++] = read;
}

static void replace_name(struct free_files *files, int act) {
    struct name name = some_name(files);
    uint64_t value = unique(files);

    if (!make_own(files, name.own, value))
        return;
    uint64_t begin = now_ns();
    int rc = act == 0   ? rename(name.own, name.path)
             : act == 1 ? renameat2(AT_FDCWD, name.own, AT_FDCWD, name.path, RENAME_EXCHANGE)
             : act == 2 ? renameat2(AT_FDCWD, name.own, AT_FDCWD, name.path, RENAME_NOREPLACE)
                        : link(name.own, name.path);
    if (rc)
        note_failure(files, name.reg, begin, act);
    else
        note(files, name.reg, E_WRITE, begin, value, act);
    struct event read = {.begin = begin,
                         .end = now_ns(),
                         .reg = (uint8_t)name.reg,
                         .kind = E_READ,
                         .process = (uint8_t)files->run->self,
                         .act = (uint8_t)act};
    if (!rc && act == 1)
        note_taken(files, read, name.own);
    else if ((rc || act == 3) && unlink(name.own))
        unexpected(files, name.own);
}

static void take_name(struct free_files *files, int act) {
    struct name name = some_name(files);
    uint64_t begin = now_ns();
    int rc = act == 10 ? unlink(name.path) : act == 11 ? rmdir(name.path) : rename(name.path, name.own);

    if (rc)
        note_failure(files, name.reg, begin, act);
    else
        note(files, name.reg, E_WRITE, begin, V_ABSENT, act);
    struct event read = {.begin = begin,
                         .end = now_ns(),
                         .reg = (uint8_t)name.reg,
                         .kind = E_READ,
                         .process = (uint8_t)files->run->self,
                         .act = (uint8_t)act};
    if (!rc && act == 12)
        note_taken(files, read, name.own);
}

static void make_name(struct free_files *files, int act) {
    struct name name = some_name(files);
    char target[32];
    uint64_t value = act == 20 ? V_EMPTY : act == 21 ? V_FOLDER : unique(files);
    uint64_t begin = now_ns();
    int fd = -1;

    snprintf(target, sizeof target, "%llu", (unsigned long long)value);
    if (act == 20)
        fd = open(name.path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    int rc = act == 20 ? (fd < 0 ? -1 : 0) : act == 21 ? mkdir(name.path, 0700) : symlink(target, name.path);
    if (rc)
        note_failure(files, name.reg, begin, act);
    else
        note(files, name.reg, E_WRITE, begin, value, act);
    if (fd >= 0)
        close(fd);
}

static void look_at(struct free_files *files, const char *path, int reg, int act) {
    char target[32] = "";
    struct stat st;
    uint64_t begin = now_ns();

    if (act == 30) {
        if (lstat(path, &st))
            note_failure(files, reg, begin, act);
        else
            note_stat(files, reg, begin, &st, act);
    } else if (act == 31) {
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length > 0)
            note(files, reg, E_READ, begin, strtoull(target, NULL, 10), act);
        else if (errno == EINVAL)
            note(files, reg, E_THERE, begin, 0, act);
        else
            note_failure(files, reg, begin, act);
    } else {
        int fd = open(path, O_RDONLY | O_NOFOLLOW);
        if (fd < 0)
            note_failure(files, reg, begin, act);
        else if (fstat(fd, &st))
            unexpected(files, "fstat");
        else if (st.st_nlink || S_ISDIR(st.st_mode))
            note_stat(files, reg, begin, &st, act);
        if (fd >= 0)
            close(fd);
    }
}

static void list_folder(struct free_files *files, unsigned folder) {
    char path[TEXT];
    bool there[FOLDER_NAMES] = {false};
    uint64_t begin = now_ns();

    snprintf(path, sizeof path, "%s/f%u", files->root, folder);
    DIR *dir = opendir(path);
    if (!dir) {
        unexpected(files, path);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] == 'n')
            there[(entry->d_name[1] - '0') % FOLDER_NAMES] = true;
    closedir(dir);
    for (int i = 0; i < FOLDER_NAMES; i++)
        note(files, (int)(R_NAMES + folder * FOLDER_NAMES) + i, there[i] ? E_THERE : E_READ, begin, V_ABSENT, 40);
}

/* A new file whose size changes at once, while others look it up for the first time. */
static void make_young(struct free_files *files) {
    int number = files->run->self;
    char path[TEXT];
    uint64_t begin = now_ns();

    if (number >= YOUNG)
        return;
    snprintf(path, sizeof path, "%s/young%d", files->root, number);
    if (unlink(path))
        unexpected(files, path);
    note(files, R_YOUNG + number, E_WRITE, begin, V_ABSENT, 70);
    begin = now_ns();
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    note(files, R_YOUNG + number, E_WRITE, begin, V_EMPTY, 71);
    for (int i = 0; i < 4; i++) {
        uint64_t value = unique(files);
        begin = now_ns();
        if (fd < 0 || ftruncate(fd, (off_t)value))
            unexpected(files, path);
        note(files, R_YOUNG + number, E_WRITE, begin, value, 72);
    }
    close(fd);
}

static void look_at_young(struct free_files *files, int number, int act) {
    char path[TEXT];

    snprintf(path, sizeof path, "%s/young%d", files->root, number);
    look_at(files, path, R_YOUNG + number, act);
}

/* ---- content and attributes ---- */

static int open_own(struct free_files *files, const char *name, int flags) {
    char path[TEXT];

    snprintf(path, sizeof path, "%s/%s", files->root, name);
    int fd = open(path, flags);
    if (fd < 0)
        unexpected(files, path);
    return fd;
}

static uint64_t load(const char *at) {
    const volatile uint64_t *cell = (const void *)at; /* aligned: read in one piece */
    return *cell;
}

static void write_cell(struct free_files *files) {
    int cell = (int)pick(files, CELLS);
    uint64_t value = unique(files);
    bool anew = pick(files, 4) == 0;
    uint64_t begin = now_ns();
    int fd = anew ? open_own(files, "cells", O_RDWR) : files->cells;

    if (pwrite(fd, &value, sizeof value, cell_at(cell)) != sizeof value)
        unexpected(files, "pwrite");
    note(files, R_CELLS + cell, E_WRITE, begin, value, 50);
    if (anew)
        close(fd);
}

static void read_cell(struct free_files *files, unsigned how, int cell) {
    uint64_t value = 0, begin = now_ns();

    if (how == 0) {
        value = load(files->cells_map + cell_at(cell));
        note(files, R_CELLS + cell, E_READ, begin, value, 51);
        return;
    }
    int fd = how == 1 ? open_own(files, "cells", O_RDONLY) : files->cells;
    if (pread(fd, &value, sizeof value, cell_at(cell)) != sizeof value)
        unexpected(files, "pread");
    note(files, R_CELLS + cell, E_READ, begin, value, how == 1 ? 52 : 53);
    if (how == 1)
        close(fd);
}

static void write_mapped(struct free_files *files) {
    uint64_t value = unique(files), begin = now_ns();
    int cell = files->run->self;

    if (cell >= MAP_CELLS)
        return;
    memcpy(files->mapped_map + cell * PAGE, &value, sizeof value);
    if (msync(files->mapped_map + cell * PAGE, PAGE, MS_SYNC))
        unexpected(files, "msync");
    note(files, R_MAP_CELLS + cell, E_WRITE, begin, value, 54);
}

static void read_mapped(struct free_files *files, bool by_map, int cell) {
    uint64_t value = 0, begin = now_ns();

    if (by_map)
        value = load(files->mapped_map + cell * PAGE);
    else if (pread(files->mapped, &value, sizeof value, cell * PAGE) != sizeof value)
        unexpected(files, "pread");
    note(files, R_MAP_CELLS + cell, E_READ, begin, value, by_map ? 55 : 56);
}

static void write_attribute(struct free_files *files, int reg) {
    uint64_t value = reg == R_MODE ? pick(files, 8) : unique(files);
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = (time_t)(value / 1000), .tv_nsec = value % 1000}};
    uint64_t begin = now_ns();
    int rc = reg == R_SIZE    ? ftruncate(files->size, (off_t)value)
             : reg == R_MTIME ? futimens(files->time, times)
             : reg == R_MODE  ? fchmod(files->mode, (mode_t)value << 6)
             : reg == R_XATTR ? fsetxattr(files->attr, "user.x", &value, sizeof value, 0)
                              : (write(files->length, &value, sizeof value) == sizeof value ? 0 : -1);
    if (rc)
        unexpected(files, "an attribute");
    note(files, reg, E_WRITE, begin, reg == R_LENGTH ? sizeof value : value, 60);
}

static uint64_t value_of(int reg, const struct stat *st) {
    return reg == R_MTIME  ? (uint64_t)st->st_mtim.tv_sec * 1000 + (uint64_t)st->st_mtim.tv_nsec
           : reg == R_MODE ? (st->st_mode >> 6) & 7
                           : (uint64_t)st->st_size;
}

/* By path, by descriptor, or (2) by lseek(2): that only when nothing changes any more. The kernel drops the
 * answer to its question for the size when it hears of a change meanwhile, and lseek then goes by what
 * it knew before, however old that is; stat and fstat take the answer all the same. */
static void read_attribute(struct free_files *files, int reg, unsigned how) {
    static const char *const names[] = {"size", "time", "mode", "attr", "length"};
    const int fds[] = {files->size, files->time, files->mode, files->attr, files->length};
    int fd = fds[reg - R_SIZE];
    uint64_t value = 0;
    char path[TEXT];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", files->root, names[reg - R_SIZE]);
    uint64_t begin = now_ns();
    if (reg == R_XATTR) {
        if (fgetxattr(fd, "user.x", &value, sizeof value) != sizeof value)
            unexpected(files, "fgetxattr");
    } else if (how == 2 && reg != R_MODE && reg != R_MTIME) {
        value = (uint64_t)lseek(fd, 0, SEEK_END);
    } else if (how ? fstat(fd, &st) : stat(path, &st)) {
        unexpected(files, "stat");
    } else {
        value = value_of(reg, &st);
    }
    note(files, reg, E_READ, begin, value, 61 + (int)how);
}

/* ---- a process ---- */

static struct free_files *open_files(struct run *run) {
    struct free_files *files = calloc(1, sizeof *files);

    if (!files)
        _exit(2);
    *files = (struct free_files){.run = run,
                                 .log = &run->common->processes[run->self],
                                 .random = run->seed * 64 + (uint64_t)run->self,
                                 .root = run->views[run->self % run->view_count].root};
    files->cells = open_own(files, "cells", O_RDWR);
    files->mapped = open_own(files, "mapped", O_RDWR);
    files->size = open_own(files, "size", O_RDWR);
    files->time = open_own(files, "time", O_RDONLY);
    files->mode = open_own(files, "mode", O_RDONLY);
    files->attr = open_own(files, "attr", O_RDWR);
    files->length = open_own(files, "length", O_WRONLY | O_APPEND);
    files->cells_map = mmap(NULL, (CELLS + 1) * PAGE, PROT_READ, MAP_SHARED, files->cells, 0);
    files->mapped_map = mmap(NULL, MAP_CELLS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, files->mapped, 0);
    if (files->cells_map == MAP_FAILED || files->mapped_map == MAP_FAILED)
        unexpected(files, "mmap");
    return files;
}

static void do_something(struct free_files *files) {
    unsigned what = pick(files, 24);
    struct name name;

    if (what < 3)
        replace_name(files, (int)pick(files, 4));
    else if (what < 5)
        take_name(files, 10 + (int)pick(files, 3));
    else if (what < 7)
        make_name(files, 20 + (int)pick(files, 3));
    else if (what < 11)
        name = some_name(files), look_at(files, name.path, name.reg, 30 + (int)pick(files, 3));
    else if (what < 12)
        list_folder(files, pick(files, NAME_FOLDERS));
    else if (what < 13)
        write_cell(files);
    else if (what < 15)
        read_cell(files, pick(files, 3), (int)pick(files, CELLS));
    else if (what < 16)
        write_mapped(files);
    else if (what < 17)
        read_mapped(files, pick(files, 2), (int)pick(files, MAP_CELLS));
    else if (what < 18)
        write_attribute(files, R_SIZE + (int)pick(files, R_YOUNG - R_SIZE));
    else if (what < 20)
        read_attribute(files, R_SIZE + (int)pick(files, R_YOUNG - R_SIZE), pick(files, 2));
    else if (what < 21)
        make_young(files);
    else
        look_at_young(files, (int)pick(files, YOUNG), pick(files, 2) ? 30 : 32);
}

static void look_at_all(struct free_files *files) {
    char path[TEXT];

    for (unsigned i = 0; i < NAME_FOLDERS; i++)
        list_folder(files, i);
    for (int how = 30; how < 33; how++)
        for (int i = 0; i < NAME_FOLDERS * FOLDER_NAMES; i++) {
            snprintf(path, sizeof path, "%s/f%d/n%d", files->root, i / FOLDER_NAMES, i % FOLDER_NAMES);
            look_at(files, path, R_NAMES + i, how);
        }
    for (unsigned how = 0; how < 3; how++) {
        for (int i = 0; i < CELLS; i++)
            read_cell(files, how, i);
        for (int i = 0; i < MAP_CELLS; i++)
            read_mapped(files, how & 1, i);
        for (int reg = R_SIZE; reg < R_YOUNG; reg++)
            read_attribute(files, reg, how);
        for (int i = 0; i < YOUNG; i++)
            look_at_young(files, i, how ? 30 : 32);
    }
}

void run_free(struct run *run, bool last_look) {
    if (!run->files)
        run->files = open_files(run);
    if (last_look) {
        look_at_all(run->files);
        return;
    }
    while (!atomic_load(&run->common->stop) && run->files->log->event_count < EVENTS - 400)
        do_something(run->files);
}

/* ---- the parent ---- */

static void prepare(const char *backing, const char *name, off_t size) {
    char path[TEXT];
    uint64_t value = 0;

    snprintf(path, sizeof path, "%s/%s", backing, name);
    int fd = size < 0 ? mkdir(path, 0777) : open(path, O_RDWR | O_CREAT | O_EXCL, 0666);
    if (fd < 0 || (size > 0 && ftruncate(fd, size))) {
        perror(path);
        exit(2);
    }
    if (size < 0)
        return;
    if (!strcmp(name, "attr") && fsetxattr(fd, "user.x", &value, sizeof value, 0))
        perror("user.x");
    close(fd);
}

static void prepare_all(const char *backing) {
    static const char *const folders[] = {"f0", "f1", "f2", "p"};

    umask(0);
    for (int i = 0; i < 4; i++)
        prepare(backing, folders[i], -1);
    prepare(backing, "cells", (CELLS + 1) * PAGE);
    prepare(backing, "mapped", MAP_CELLS * PAGE);
    prepare(backing, "size", 0);
    prepare(backing, "time", 0);
    prepare(backing, "mode", 0);
    prepare(backing, "attr", 0);
    prepare(backing, "length", 0);
    prepare(backing, "young0", 0);
    prepare(backing, "young1", 0);
    prepare(backing, "young2", 0);
}

static uint64_t value_at(const char *path) {
    char target[32] = "";
    struct stat st;

    if (lstat(path, &st))
        return V_ABSENT;
    if (readlink(path, target, sizeof target - 1) > 0)
        return strtoull(target, NULL, 10);
    return S_ISDIR(st.st_mode) ? V_FOLDER : st.st_size ? (uint64_t)st.st_size : V_EMPTY;
}

/* Before a round: what the backing files hold. */
static void read_initial(const char *backing, uint64_t initial[static REGISTERS]) {
    static const char *const names[] = {"size", "time", "mode", "attr", "length"};
    char path[TEXT];
    struct stat st;

    for (int i = 0; i < NAME_FOLDERS * FOLDER_NAMES; i++) {
        snprintf(path, sizeof path, "%s/f%d/n%d", backing, i / FOLDER_NAMES, i % FOLDER_NAMES);
        initial[R_NAMES + i] = value_at(path);
    }
    for (int reg = R_CELLS; reg < R_SIZE; reg++) {
        bool mapped = reg >= R_MAP_CELLS;
        snprintf(path, sizeof path, "%s/%s", backing, mapped ? "mapped" : "cells");
        int fd = open(path, O_RDONLY);
        off_t offset = mapped ? (reg - R_MAP_CELLS) * PAGE : cell_at(reg - R_CELLS);
        if (pread(fd, &initial[reg], sizeof *initial, offset) != sizeof *initial)
            perror(path);
        close(fd);
    }
    for (int i = 0; i < YOUNG; i++) {
        snprintf(path, sizeof path, "%s/young%d", backing, i);
        initial[R_YOUNG + i] = value_at(path);
    }
    for (int reg = R_SIZE; reg < R_YOUNG; reg++) {
        snprintf(path, sizeof path, "%s/%s", backing, names[reg - R_SIZE]);
        if (stat(path, &st))
            perror(path);
        initial[reg] = value_of(reg, &st);
        if (reg == R_XATTR && getxattr(path, "user.x", &initial[reg], sizeof *initial) != sizeof *initial)
            perror(path);
    }
}

static void all(struct run *run, enum job job, unsigned sleep_ms) {
    atomic_store(&run->common->stop, false);
    for (int i = 0; i < run->process_count; i++)
        send_job(run, i, job);
    usleep(sleep_ms * 1000);
    atomic_store(&run->common->stop, true);
    for (int i = 0; i < run->process_count; i++)
        await(run, i);
}

static int one_round(struct run *run, struct event *gathered, unsigned long *events) {
    uint64_t initial[REGISTERS], began = now_ns();
    size_t count = 0;

    read_initial(run->backing, initial);
    for (int i = 0; i < run->process_count; i++)
        run->common->processes[i].event_count = 0;
    all(run, JOB_FREE, ROUND_MS);
    all(run, JOB_LOOK, 0);
    for (int i = 0; i < run->process_count; i++) {
        const struct process *process = &run->common->processes[i];
        memcpy(gathered + count, process->events, process->event_count * sizeof *gathered);
        count += process->event_count;
    }
    *events += count;
    return judge(gathered, count, initial, began);
}

int free_running(struct run *run) {
    uint64_t end = now_ns() + (uint64_t)(run->seconds * 1e9);
    size_t size = (size_t)run->process_count * EVENTS * sizeof(struct event);
    struct event *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct event *gathered = malloc(size);
    unsigned long rounds = 0, events = 0;
    int stale = 0;

    if (shared == MAP_FAILED || !gathered)
        return 1;
    for (int i = 0; i < run->process_count; i++)
        run->common->processes[i].events = shared + (size_t)i * EVENTS;
    prepare_all(run->backing);
    start(run);
    for (; now_ns() < end && stale < run->mismatches_max; rounds++)
        stale += one_round(run, gathered, &events);
    printf("free: %lu rounds, %lu events, %d stale, %u unexpected\n", rounds, events, stale,
           atomic_load(&run->common->failures));
    free(gathered);
    return stale + (int)atomic_load(&run->common->failures);
}
