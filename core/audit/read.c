#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/audit/base64.h"
#include "core/audit/names.h"
#include "guildfs/audit.h"

enum { TRIES = 16 };

/* The files of one listing of the folder, open, in the order in which they are read. */
struct files {
    struct gfs_audit_name *names;
    int *fds; /* -1: it is gone, or has been read */
    size_t count;
};

static void close_files(struct files *files) {
    for (size_t i = 0; files->fds && i < files->count; i++)
        if (files->fds[i] >= 0)
            close(files->fds[i]);
    free(files->names);
    free(files->fds);
    *files = (struct files){0};
}

/* The oldest may be removed meanwhile; what is no file is none of the log's. */
static int open_one(int folder, struct gfs_audit_name name, int *out) {
    char text[GFS_AUDIT_NAME_SIZE];
    struct stat st;

    gfs_audit_name_format(name, text);
    int fd = openat(folder, text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : -errno;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return 0;
    }
    *out = fd;
    return 0;
}

static int open_listed(int folder, struct files *files) {
    int rc = gfs_audit_names_list(folder, &files->names, &files->count);

    if (rc == 0 && files->count && !(files->fds = malloc(files->count * sizeof *files->fds)))
        rc = -ENOMEM;
    for (size_t i = 0; files->fds && i < files->count; i++)
        files->fds[i] = -1;
    for (size_t i = 0; rc == 0 && i < files->count; i++)
        rc = open_one(folder, files->names[i], &files->fds[i]);
    return rc;
}

static uint64_t newest_rotated(const struct gfs_audit_name *names, size_t count, unsigned slot) {
    uint64_t newest = 0;
    for (size_t i = 0; i < count; i++)
        if (names[i].slot == slot && names[i].number != GFS_AUDIT_CURRENT && names[i].number > newest)
            newest = names[i].number;
    return newest;
}

/* Whether nothing was rotated since the listing: then each current file follows its last rotated one. */
static int is_whole(int folder, const struct files *files, bool *whole) {
    struct gfs_audit_name *names = NULL;
    size_t count = 0;
    int rc = gfs_audit_names_list(folder, &names, &count);

    *whole = rc == 0;
    for (size_t i = 0; *whole && i < files->count; i++) {
        unsigned slot = files->names[i].slot;
        *whole = newest_rotated(files->names, files->count, slot) == newest_rotated(names, count, slot);
    }
    free(names);
    return rc;
}

/*
 * Rotation goes on while the folder is read: what was the current file in the listing may be a
 * rotated one when it is opened, and its successor is opened instead, with a gap before it. So
 * this is done anew until nothing was rotated meanwhile. If that never happens the current
 * files are left out.
 */
static int open_all(int folder, struct files *files) {
    bool whole = false;
    int rc = 0;

    for (int i = 0; rc == 0 && !whole && i < TRIES; i++) {
        close_files(files);
        rc = open_listed(folder, files);
        if (rc == 0)
            rc = is_whole(folder, files, &whole);
    }
    for (size_t i = 0; rc == 0 && !whole && i < files->count; i++) {
        if (files->names[i].number == GFS_AUDIT_CURRENT && files->fds[i] >= 0) {
            close(files->fds[i]);
            files->fds[i] = -1;
        }
    }
    return rc;
}

static int take_line(struct gfs_audit_reading *reading, const char *line, size_t length) {
    json_t *record = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    const char *text = json_string_value(json_object_get(record, "time"));
    int64_t time_ns = 0;
    int rc = 0;

    if (!text || gfs_audit_time_parse(text, &time_ns))
        reading->damaged++;
    else if (time_ns >= reading->since_ns && time_ns <= reading->until_ns)
        rc = reading->each(reading->context, record, time_ns);
    json_decref(record);
    return rc;
}

static int read_file(struct gfs_audit_reading *reading, int *fd) {
    FILE *stream = fdopen(*fd, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int rc = 0;

    if (!stream)
        return -errno;
    *fd = -1; /* the stream's */
    while (rc == 0 && (errno = 0, length = getline(&line, &size, stream)) > 0) {
        if (line[length - 1] == '\n')
            rc = take_line(reading, line, (size_t)length - 1);
        else
            reading->damaged++; /* the end of a crash, or of what is being written */
    }
    if (rc == 0 && ferror(stream))
        rc = -EIO;
    free(line);
    fclose(stream);
    return rc;
}

int gfs_audit_read(const char *store, struct gfs_audit_reading *reading, struct gfs_error *err) {
    struct files files = {0};
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", store, GFS_AUDIT_DIRECTORY);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT)
        return 0;
    int rc = folder < 0 ? -errno : open_all(folder, &files);
    for (size_t i = 0; rc == 0 && i < files.count; i++)
        rc = files.fds[i] < 0 ? 0 : read_file(reading, &files.fds[i]);
    close_files(&files);
    if (folder >= 0)
        close(folder);
    return rc < 0 ? gfs_error_set(err, -rc, "cannot read the audit log in %s: %s", path, strerror(-rc)) : rc;
}

char *gfs_audit_bytes(const json_t *record, const char *member) {
    char exact[64];

    snprintf(exact, sizeof exact, "%s_base64", member);
    const char *base64 = json_string_value(json_object_get(record, exact));
    if (base64)
        return gfs_base64_decode(base64);
    const char *text = json_string_value(json_object_get(record, member));
    return text ? strdup(text) : NULL;
}
