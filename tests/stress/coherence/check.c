/* Compares all that a process sees through its view with the model. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/xattr.h>

#include "coherence.h"

struct check {
    struct run *run;
    struct order *order;
    const struct world *world;
};

static void __attribute__((format(printf, 2, 3))) complain(struct check *check, const char *format, ...) {
    va_list arguments;

    if (check->order->stale)
        return;
    check->order->stale = true;
    va_start(arguments, format);
    vsnprintf(check->order->complaint, sizeof check->order->complaint, format, arguments);
    va_end(arguments);
}

static int64_t ns(struct timespec time) {
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void check_stat(struct check *check, const char *what, const char *path, const struct item *item,
                       const struct stat *st) {
    const struct stat *truth = &item->truth;

    if ((st->st_mode & S_IFMT) != (truth->st_mode & S_IFMT) || (st->st_mode & 07777) != (truth->st_mode & 0700))
        complain(check, "%s %s: mode %o, expected %o", what, path, st->st_mode, truth->st_mode & (S_IFMT | 0700));
    else if (st->st_size != truth->st_size)
        complain(check, "%s %s: size %lld, expected %lld", what, path, (long long)st->st_size,
                 (long long)truth->st_size);
    else if (st->st_nlink != truth->st_nlink)
        complain(check, "%s %s: %lu links, expected %lu", what, path, (unsigned long)st->st_nlink,
                 (unsigned long)truth->st_nlink);
    else if (!item->times_lag && ns(st->st_mtim) != ns(truth->st_mtim))
        complain(check, "%s %s: mtime %lld, expected %lld", what, path, (long long)ns(st->st_mtim),
                 (long long)ns(truth->st_mtim));
    else if (!item->times_lag && ns(st->st_ctim) != ns(truth->st_ctim))
        complain(check, "%s %s: ctime %lld, expected %lld", what, path, (long long)ns(st->st_ctim),
                 (long long)ns(truth->st_ctim));
}

static void check_bytes(struct check *check, const char *what, const char *path, const struct item *item,
                        const unsigned char *found, size_t length) {
    size_t at = 0;

    if (length != item->size) {
        complain(check, "%s %s: %zu bytes, expected %zu", what, path, length, item->size);
        return;
    }
    while (at < length && found[at] == item->content[at])
        at++;
    if (at < length)
        complain(check, "%s %s: byte %zu of %zu is %02x, expected %02x", what, path, at, length, found[at],
                 item->content[at]);
}

static void check_content(struct check *check, const char *what, const char *path, const struct item *item, int fd) {
    unsigned char found[CONTENT + 1];
    ssize_t length = pread(fd, found, sizeof found, 0);

    if (length < 0)
        complain(check, "%s %s: %s", what, path, strerror(errno));
    else
        check_bytes(check, what, path, item, found, (size_t)length);
}

/* ---- by name ---- */

static void check_read(struct check *check, const char *path, const struct item *item) {
    int fd = open(path, O_RDONLY | O_NOFOLLOW);
    int wanted = item->mode & 0400 ? 0 : EACCES, found = fd < 0 ? errno : 0;

    if (found != wanted)
        complain(check, "open %s: %s, expected %s", path, strerror(found), strerror(wanted));
    if (fd < 0)
        return;
    check_content(check, "read", path, item, fd);
    close(fd);
}

static void check_value(struct check *check, const char *path, const struct item *item) {
    char found[64] = "";
    ssize_t length = item->kind == SYMLINK ? readlink(path, found, sizeof found - 1)
                                           : getxattr(path, "user.x", found, sizeof found - 1);
    if (item->kind != SYMLINK && !(item->mode & 0400)) /* EACCES, from the kernel */
        return;
    if (length < 0 && errno != ENODATA)
        complain(check, "value of %s: %s", path, strerror(errno));
    else if (strcmp(found, item->value) != 0)
        complain(check, "value of %s: \"%s\", expected \"%s\"", path, found, item->value);
}

static void check_absent(struct check *check, const char *path) {
    struct stat st;

    if (!lstat(path, &st))
        complain(check, "lstat %s: there, expected none", path);
    else if (errno != ENOENT)
        complain(check, "lstat %s: %s, expected none", path, strerror(errno));
}

static void check_item(struct check *check, const char *path, const struct item *item) {
    int looks = check->order->flags;
    struct stat st;

    if (looks & LOOK_STAT) {
        if (lstat(path, &st))
            complain(check, "lstat %s: %s", path, strerror(errno));
        else
            check_stat(check, "lstat", path, item, &st);
    }
    if ((looks & LOOK_READ) && item->kind == REGULAR)
        check_read(check, path, item);
    if (looks & LOOK_VALUE)
        check_value(check, path, item);
}

static void check_list(struct check *check, const char *path, const struct item *folder) {
    bool seen[NAMES] = {false};
    DIR *dir = opendir(path);

    if (!dir) {
        complain(check, "opendir %s: %s", path, strerror(errno));
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        int name = entry->d_name[0] == 'n' && !entry->d_name[2] ? entry->d_name[1] - '0' : -1;
        if (name >= 0 && name < NAMES)
            seen[name] = true;
        else if (entry->d_name[0] != '.')
            complain(check, "list %s: %s, expected no such name", path, entry->d_name);
    }
    closedir(dir);
    for (int i = 0; i < NAMES; i++)
        if (seen[i] != (folder->entries[i] >= 0))
            complain(check, "list %s: n%d is %s", path, i, seen[i] ? "there, expected none" : "missing");
}

static void check_folder(struct check *check, const char *path, int at) {
    const struct item *folder = &check->world->items[at];
    char below[TEXT];

    if (check->order->flags & LOOK_LIST)
        check_list(check, path, folder);
    for (int i = 0; i < NAMES; i++) {
        int child = folder->entries[i];
        if (snprintf(below, sizeof below, "%s/n%d", path, i) >= (int)sizeof below)
            return;
        if (child < 0)
            check_absent(check, below);
        else
            check_item(check, below, &check->world->items[child]);
        if (child >= 0 && check->world->items[child].kind == FOLDER)
            check_folder(check, below, child);
    }
}

/* ---- by descriptor ---- */

static void check_slot(struct check *check, int number) {
    const struct slot *slot = &check->world->slots[check->run->self][number];
    int fd = check->run->fds[number];
    struct stat st;
    char name[32];

    if (slot->item < 0)
        return;
    const struct item *item = &check->world->items[slot->item];
    snprintf(name, sizeof name, "descriptor %d", number);
    if (fstat(fd, &st))
        complain(check, "fstat %s: %s", name, strerror(errno));
    else
        check_stat(check, "fstat", name, item, &st);
    if (lseek(fd, 0, SEEK_END) != (off_t)item->size)
        complain(check, "end of %s: %lld, expected %zu", name, (long long)lseek(fd, 0, SEEK_END), item->size);
    if (slot->mapped)
        check_bytes(check, "mapping of", name, item, check->run->maps[number], item->size);
    if ((slot->flags & O_ACCMODE) != O_WRONLY)
        check_content(check, "read of", name, item, fd);
}

void run_check(struct run *run, struct order *order) {
    struct check check = {.run = run, .order = order, .world = &run->common->world};

    order->stale = false;
    if ((order->flags & LOOK_SLOTS) && (order->stamp & 1))
        for (int i = 0; i < SLOTS; i++)
            check_slot(&check, i);
    check_folder(&check, run->views[run->self % run->view_count].root, 0);
    if ((order->flags & LOOK_SLOTS) && !(order->stamp & 1))
        for (int i = 0; i < SLOTS; i++)
            check_slot(&check, i);
}
