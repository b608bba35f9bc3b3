/*
 * The file that a daemon appends to. Who holds the lock file of a slot is its one writer; the lock
 * ends with the process, however that ends. Each line is one record, so the file must never end in
 * half of one: what a full disk leaves of a line is cut off again, and what a crash left is ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/audit/names.h"
#include "guildfs/audit.h"

enum { SLOTS = 1000 };

struct gfs_audit_file {
    int folder, lock, fd; /* -1: not open */
    unsigned slot, keep;
    int64_t limit;
    off_t size;
    bool torn; /* what stands last is no whole line */
};

/* ---- opening ---- */

static int open_folder(const char *store, int *out) {
    int store_fd = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (store_fd < 0)
        return -errno;
    int rc = mkdirat(store_fd, GFS_AUDIT_DIRECTORY, 0700) && errno != EEXIST ? -errno : 0;
    int fd = rc ? -1 : openat(store_fd, GFS_AUDIT_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!rc && fd < 0)
        rc = -errno;
    close(store_fd);
    if (!rc)
        *out = fd;
    return rc;
}

/* -EAGAIN when another daemon has the slot. */
static int lock_slot(int folder, unsigned slot, int *out) {
    char name[GFS_AUDIT_NAME_SIZE];

    snprintf(name, sizeof name, "files-%u.lock", slot);
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *out = fd;
        return 0;
    }
    int rc = errno == EWOULDBLOCK ? -EAGAIN : -errno;
    close(fd);
    return rc;
}

static int take_slot(struct gfs_audit_file *file) {
    int rc = -EAGAIN;

    for (file->slot = 0; rc == -EAGAIN && file->slot < SLOTS; file->slot++)
        rc = lock_slot(file->folder, file->slot, &file->lock);
    file->slot--;
    return rc == -EAGAIN ? -EUSERS : rc;
}

static bool ends_in_half(int fd, off_t size) {
    char last = '\n';
    return size > 0 && (pread(fd, &last, 1, size - 1) != 1 || last != '\n');
}

/* The current file. O_NONBLOCK: a FIFO in its place must not hold the writer. */
static int open_current(struct gfs_audit_file *file) {
    char name[GFS_AUDIT_NAME_SIZE];
    struct stat st;

    gfs_audit_name_format((struct gfs_audit_name){file->slot, GFS_AUDIT_CURRENT}, name);
    int fd = openat(file->folder, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = fstat(fd, &st) ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
    if (rc) {
        close(fd);
        return rc;
    }
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    file->size = st.st_size;
    file->torn = ends_in_half(fd, st.st_size);
    return 0;
}

int gfs_audit_file_open(const char *store, int64_t limit_bytes, unsigned keep, struct gfs_audit_file **out,
                        struct gfs_error *err) {
    struct gfs_audit_file *file = malloc(sizeof *file);

    if (!file)
        return gfs_error_set(err, ENOMEM, "out of memory");
    *file = (struct gfs_audit_file){.folder = -1, .lock = -1, .fd = -1, .keep = keep, .limit = limit_bytes};
    int rc = open_folder(store, &file->folder);
    if (!rc)
        rc = take_slot(file);
    if (!rc)
        rc = open_current(file);
    if (rc) {
        gfs_audit_file_close(file);
        return gfs_error_set(err, -rc, "the audit log in %s/%s: %s", store, GFS_AUDIT_DIRECTORY, strerror(-rc));
    }
    *out = file;
    return 0;
}

void gfs_audit_file_close(struct gfs_audit_file *file) {
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    if (file->lock >= 0)
        close(file->lock);
    if (file->folder >= 0)
        close(file->folder);
    free(file);
}

/* ---- rotating ---- */

/* The rotated files of the slot but the newest `keep` go; returns the number for the next one. */
static uint64_t drop_oldest(struct gfs_audit_file *file) {
    struct gfs_audit_name *names = NULL;
    size_t count = 0, mine = 0;
    uint64_t last = 0;

    if (gfs_audit_names_list(file->folder, &names, &count))
        return 0;
    for (size_t i = 0; i < count; i++)
        mine += names[i].slot == file->slot && names[i].number != GFS_AUDIT_CURRENT;
    for (size_t i = 0; i < count; i++) {
        char name[GFS_AUDIT_NAME_SIZE];
        if (names[i].slot != file->slot || names[i].number == GFS_AUDIT_CURRENT)
            continue;
        last = names[i].number;
        if (mine < file->keep)
            continue;
        gfs_audit_name_format(names[i], name);
        unlinkat(file->folder, name, 0);
        mine--;
    }
    free(names);
    return last + 1;
}

/* What is in the file stays in it, under another name; when that fails the file just grows. */
static int rotate(struct gfs_audit_file *file) {
    char current[GFS_AUDIT_NAME_SIZE], rotated[GFS_AUDIT_NAME_SIZE];
    uint64_t number = drop_oldest(file);

    if (!number)
        return -EIO;
    fdatasync(file->fd);
    gfs_audit_name_format((struct gfs_audit_name){file->slot, GFS_AUDIT_CURRENT}, current);
    gfs_audit_name_format((struct gfs_audit_name){file->slot, number}, rotated);
    if (renameat2(file->folder, current, file->folder, rotated, RENAME_NOREPLACE))
        return -errno;
    int rc = open_current(file);
    if (rc && renameat2(file->folder, rotated, file->folder, current, RENAME_NOREPLACE))
        rc = -errno;
    return rc;
}

/* ---- appending ---- */

/* How much of the lines still fits in the file: whole lines. */
static size_t that_fit(const struct gfs_audit_file *file, const char *lines, size_t length) {
    if (file->size + (int64_t)length <= file->limit)
        return length;
    size_t room = file->size < file->limit ? (size_t)(file->limit - file->size) : 0;
    const char *end = memrchr(lines, '\n', room);
    return end ? (size_t)(end + 1 - lines) : 0;
}

/* As much as the disk takes; what is no whole line is cut off again. */
static int write_lines(struct gfs_audit_file *file, const char *lines, size_t length, size_t *written) {
    size_t done = 0;
    int rc = 0;

    while (!rc && done < length) {
        ssize_t n = write(file->fd, lines + done, length - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            rc = n == 0 ? -EIO : -errno;
    }
    const char *end = memrchr(lines, '\n', done);
    size_t whole = end ? (size_t)(end + 1 - lines) : 0;
    file->torn = whole < done && ftruncate(file->fd, file->size + (off_t)whole);
    file->size += (off_t)(file->torn ? done : whole);
    *written += whole;
    return rc;
}

int gfs_audit_file_append(struct gfs_audit_file *file, const char *lines, size_t length, size_t *written) {
    size_t done = 0;
    int rc = 0;

    if (file->torn) {
        if (write(file->fd, "\n", 1) != 1)
            rc = -errno;
        else
            file->size++;
        file->torn = rc != 0;
    }
    while (!rc && done < length) {
        size_t part = that_fit(file, lines + done, length - done);
        if (!part && (file->size == 0 || rotate(file))) {
            /* Longer than a whole file, or there is no way to begin another: over the limit. */
            const char *end = memchr(lines + done, '\n', length - done);
            part = end ? (size_t)(end + 1 - lines) - done : length - done;
        }
        rc = part ? write_lines(file, lines + done, part, &done) : 0;
    }
    *written = done;
    return rc;
}

int gfs_audit_file_sync(struct gfs_audit_file *file) {
    struct stat st;

    if (fdatasync(file->fd))
        return -errno;
    if (fstat(file->fd, &st))
        return -errno;
    return st.st_nlink ? 0 : open_current(file);
}
