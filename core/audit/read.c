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

enum { LISTINGS = 16 };

/* Files that are open, or have been read: rotation renames them meanwhile. */
struct files {
    struct seen {
        dev_t device;
        ino_t inode;
        int fd;
    } * list;
    size_t count;
};

static void close_files(struct files *files) {
    for (size_t i = 0; i < files->count; i++)
        if (files->list[i].fd >= 0)
            close(files->list[i].fd);
    free(files->list);
}

/* 1: one more; 0: it is there already, or is gone. */
static int open_one(struct files *files, int folder, struct gfs_audit_name name) {
    char text[GFS_AUDIT_NAME_SIZE];
    struct stat st;

    gfs_audit_name_format(name, text);
    int fd = openat(folder, text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    bool known = fstat(fd, &st) || !S_ISREG(st.st_mode);
    for (size_t i = 0; i < files->count; i++)
        known = known || (files->list[i].device == st.st_dev && files->list[i].inode == st.st_ino);
    struct seen *longer = known ? NULL : reallocarray(files->list, files->count + 1, sizeof *longer);
    if (!longer) {
        close(fd);
        return known ? 0 : -ENOMEM;
    }
    files->list = longer;
    files->list[files->count++] = (struct seen){st.st_dev, st.st_ino, fd};
    return 1;
}

/* Whatever was the current file when its name was read may be a rotated one when it is opened. So
 * the folder is read until nothing in it is new. */
static int open_all(struct files *files, int folder) {
    int added = 1;

    for (int i = 0; added > 0 && i < LISTINGS; i++) {
        struct gfs_audit_name *names = NULL;
        size_t count = 0;
        int rc = gfs_audit_names_list(folder, &names, &count);
        added = rc;
        for (size_t j = 0; rc >= 0 && j < count; j++) {
            rc = open_one(files, folder, names[j]);
            added = rc < 0 ? rc : added + rc;
        }
        free(names);
    }
    return added < 0 ? added : 0;
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
    int rc = folder < 0 ? -errno : open_all(&files, folder);
    for (size_t i = 0; rc == 0 && i < files.count; i++)
        rc = read_file(reading, &files.list[i].fd);
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
