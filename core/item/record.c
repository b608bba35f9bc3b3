/* What the daemon keeps in extended attributes that only root can touch. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
enum { FLOOR_NAME_SIZE = sizeof FLOOR_PREFIX + GFS_UUID_SIZE };

static const char *floor_name(const char *user_uuid, char name[static FLOOR_NAME_SIZE]) {
    snprintf(name, FLOOR_NAME_SIZE, FLOOR_PREFIX "%s", user_uuid);
    return name;
}

int64_t gfs_floor_read(int root_fd, const char *user_uuid) {
    char name[FLOOR_NAME_SIZE], text[24];
    ssize_t length = gfs_path_getxattr(root_fd, floor_name(user_uuid, name), text, sizeof text - 1);

    if (length <= 0)
        return 0;
    text[length] = '\0';
    return strtoll(text, NULL, 10);
}

int gfs_floor_write(int root_fd, const char *user_uuid, int64_t floor_ns) {
    char name[FLOOR_NAME_SIZE], text[24];
    int length = snprintf(text, sizeof text, "%" PRId64, floor_ns);

    return gfs_path_setxattr(root_fd, floor_name(user_uuid, name), text, (size_t)length, 0);
}
