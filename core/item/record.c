/* What the daemon keeps in extended attributes that only root can touch. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guildfs/item.h"

int gfs_upload_read(int fd, struct gfs_upload *out) {
    char text[GFS_UPLOAD_TEXT_SIZE];
    ssize_t length = gfs_path_getxattr(fd, GFS_UPLOAD_XATTR, text, sizeof text);

    return length < 0 ? (int)length : gfs_upload_parse(text, (size_t)length, out);
}

int gfs_upload_write(int fd, const struct gfs_upload *upload) {
    char text[GFS_UPLOAD_TEXT_SIZE];
    size_t length = gfs_upload_format(upload, text);

    return gfs_path_setxattr(fd, GFS_UPLOAD_XATTR, text, length, 0);
}

#define FLOOR_PREFIX "trusted.guildfs.floor."
#define FLOOR_OF_ALL FLOOR_PREFIX "all"
enum { FLOOR_NAME_SIZE = sizeof FLOOR_PREFIX + GFS_UUID_SIZE, LIST_SIZE = 65536 };

static const char *floor_name(const char *user_uuid, char name[static FLOOR_NAME_SIZE]) {
    snprintf(name, FLOOR_NAME_SIZE, FLOOR_PREFIX "%s", user_uuid);
    return name;
}

static int64_t read_ns(int root_fd, const char *attribute) {
    char text[24];
    ssize_t length = gfs_path_getxattr(root_fd, attribute, text, sizeof text - 1);

    if (length <= 0)
        return 0;
    text[length] = '\0';
    return strtoll(text, NULL, 10);
}

static int write_ns(int root_fd, const char *attribute, int64_t time_ns) {
    char text[24];
    int length = snprintf(text, sizeof text, "%" PRId64, time_ns);

    return gfs_path_setxattr(root_fd, attribute, text, (size_t)length, 0);
}

int64_t gfs_floor_read(int root_fd, const char *user_uuid) {
    char name[FLOOR_NAME_SIZE];
    int64_t own_ns = read_ns(root_fd, floor_name(user_uuid, name));
    int64_t shared_ns = read_ns(root_fd, FLOOR_OF_ALL);

    return own_ns > shared_ns ? own_ns : shared_ns;
}

/* Makes room: no user's own floor is left. The caller writes one that is above all of them. */
static int remove_floors(int root_fd) {
    char *list = malloc(LIST_SIZE);
    ssize_t length = list ? gfs_path_listxattr(root_fd, list, LIST_SIZE) : -ENOMEM;
    int rc = length < 0 ? (int)length : 0;

    for (ssize_t at = 0; !rc && at < length; at += (ssize_t)strlen(list + at) + 1)
        if (!strncmp(list + at, FLOOR_PREFIX, strlen(FLOOR_PREFIX)))
            rc = gfs_path_removexattr(root_fd, list + at);
    free(list);
    return rc;
}

int gfs_floor_write(int root_fd, const char *user_uuid, int64_t floor_ns) {
    char name[FLOOR_NAME_SIZE];
    int rc = write_ns(root_fd, floor_name(user_uuid, name), floor_ns);

    if (rc != -ENOSPC && rc != -E2BIG)
        return rc;
    rc = remove_floors(root_fd);
    return rc ? rc : write_ns(root_fd, FLOOR_OF_ALL, floor_ns);
}
