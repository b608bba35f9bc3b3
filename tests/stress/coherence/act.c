/* Does one order, in a process that works through a view; and says orders in words. */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "coherence.h"

enum { MAPPED = (CONTENT + 4095) / 4096 * 4096 };

void path_text(char text[static TEXT], const char *root, const struct path *path) {
    int used = snprintf(text, TEXT, "%s", root);
    for (int i = 0; i < path->depth; i++)
        used += snprintf(text + used, (size_t)(TEXT - used), "%sn%d", used ? "/" : "", path->names[i]);
}

static const char *const act_names[] = {
    [OPEN] = "open",
    [CLOSE] = "close",
    [MAP] = "mmap",
    [PWRITE] = "pwrite",
    [APPEND] = "append",
    [MAP_WRITE] = "write to mapping",
    [FSYNC] = "fsync",
    [FTRUNCATE] = "ftruncate",
    [FCHMOD] = "fchmod",
    [WRITE_PATH] = "open, pwrite, close",
    [TRUNCATE] = "truncate",
    [CHMOD] = "chmod",
    [UTIMENS] = "utimens",
    [SETXATTR] = "setxattr",
    [REMOVEXATTR] = "removexattr",
    [MKDIR] = "mkdir",
    [RMDIR] = "rmdir",
    [UNLINK] = "unlink",
    [RENAME] = "rename",
    [LINKAT] = "link",
    [SYMLINKAT] = "symlink",
    [ACTS] = "",
    [CHECK] = "check",
};

static void flags_text(char *text, size_t size, const struct order *order) {
    int flags = order->flags;

    *text = '\0';
    if (order->act == RENAME)
        snprintf(text, size, "%s%s", flags & RENAME_EXCHANGE ? " exchange" : "",
                 flags & RENAME_NOREPLACE ? " noreplace" : "");
    else if (order->act == OPEN || order->act == WRITE_PATH)
        snprintf(text, size, " %s%s%s%s%s%s",
                 (flags & O_ACCMODE) == O_RDONLY   ? "RDONLY"
                 : (flags & O_ACCMODE) == O_WRONLY ? "WRONLY"
                                                   : "RDWR",
                 flags & O_CREAT ? "|CREAT" : "", flags & O_EXCL ? "|EXCL" : "", flags & O_TRUNC ? "|TRUNC" : "",
                 flags & O_APPEND ? "|APPEND" : "", flags & O_DIRECT ? "|DIRECT" : "");
}

void order_text(char *text, size_t size, const struct order *order) {
    char path[TEXT], other[TEXT], flags[64];

    path_text(path, "", &order->path);
    path_text(other, "", &order->other);
    flags_text(flags, sizeof flags, order);
    snprintf(text, size, "process %d: %s%s %s%s%s slot=%d offset=%lld length=%zu mode=%o: %s", order->process,
             act_names[order->act], flags, path, *other ? " -> " : "", other, order->slot, (long long)order->offset,
             order->length, order->mode, order->error ? strerror(order->error) : "done");
}

static int status(int result) {
    return result < 0 ? errno : 0;
}

static int write_fd(int fd, const struct order *order, bool append) {
    unsigned char bytes[CONTENT];

    stamp_bytes(bytes, order->length, order->stamp);
    ssize_t length = append ? write(fd, bytes, order->length) : pwrite(fd, bytes, order->length, order->offset);
    return length < 0 ? errno : (size_t)length != order->length ? EIO : 0;
}

static int open_slot(struct run *run, const struct order *order, const char *path) {
    int fd = open(path, order->flags | O_NOFOLLOW, order->mode);
    int rc = status(fd);

    if (!rc && order->act == WRITE_PATH)
        rc = write_fd(fd, order, false);
    if (fd >= 0 && (order->act == WRITE_PATH || order->slot < 0))
        rc = rc ? rc : status(close(fd));
    else
        run->fds[order->slot < 0 ? 0 : order->slot] = fd >= 0 ? fd : run->fds[order->slot < 0 ? 0 : order->slot];
    return rc;
}

static int close_slot(struct run *run, int slot) {
    if (run->maps[slot])
        munmap(run->maps[slot], MAPPED);
    run->maps[slot] = NULL;
    return status(close(run->fds[slot]));
}

static int map_slot(struct run *run, int slot, int flags) {
    int protection = PROT_READ | ((flags & O_ACCMODE) == O_RDWR ? PROT_WRITE : 0);
    void *map = mmap(NULL, MAPPED, protection, MAP_SHARED, run->fds[slot], 0);

    if (map == MAP_FAILED)
        return errno;
    run->maps[slot] = map;
    return 0;
}

static int write_map(struct run *run, const struct order *order) {
    stamp_bytes(run->maps[order->slot] + order->offset, order->length, order->stamp);
    return status(msync(run->maps[order->slot], MAPPED, MS_SYNC));
}

static int by_slot(struct run *run, const struct order *order) {
    int fd = run->fds[order->slot];
    const struct slot *slot = &run->common->world.slots[run->self][order->slot];

    switch ((int)order->act) {
    case CLOSE:
        return close_slot(run, order->slot);
    case MAP:
        return map_slot(run, order->slot, slot->flags);
    case MAP_WRITE:
        return write_map(run, order);
    case FSYNC:
        return status(fsync(fd));
    case FTRUNCATE:
        return status(ftruncate(fd, (off_t)order->length));
    case FCHMOD:
        return status(fchmod(fd, order->mode));
    default:
        return write_fd(fd, order, order->act == APPEND);
    }
}

static int by_path(const struct order *order, const char *path, const char *other) {
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = (time_t)order->stamp, .tv_nsec = (long)order->offset}};
    char value[24];

    snprintf(value, sizeof value, order->act == SYMLINKAT ? "no/%016llx" : "%016llx", (unsigned long long)order->stamp);
    switch ((int)order->act) {
    case TRUNCATE:
        return status(truncate(path, (off_t)order->length));
    case CHMOD:
        return status(chmod(path, order->mode));
    case UTIMENS:
        return status(utimensat(AT_FDCWD, path, times, 0));
    case SETXATTR:
        return status(setxattr(path, "user.x", value, strlen(value), 0));
    case REMOVEXATTR:
        return status(removexattr(path, "user.x"));
    case MKDIR:
        return status(mkdir(path, 0700));
    case RMDIR:
        return status(rmdir(path));
    case UNLINK:
        return status(unlink(path));
    case RENAME:
        return status(renameat2(AT_FDCWD, path, AT_FDCWD, other, (unsigned)order->flags));
    case LINKAT:
        return status(link(path, other));
    default:
        return status(symlink(value, path));
    }
}

void run_order(struct run *run, struct order *order) {
    const char *root = run->views[run->self % run->view_count].root;
    char path[TEXT], other[TEXT];

    path_text(path, root, &order->path);
    path_text(other, root, &order->other);
    order->error = order->act == OPEN || order->act == WRITE_PATH ? open_slot(run, order, path)
                   : order->act < WRITE_PATH                      ? by_slot(run, order)
                                                                  : by_path(order, path, other);
}
