#include "core/audit/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void gfs_audit_name_format(struct gfs_audit_name name, char text[static GFS_AUDIT_NAME_SIZE]) {
    if (name.number == GFS_AUDIT_CURRENT)
        snprintf(text, GFS_AUDIT_NAME_SIZE, "files-%u.jsonl", name.slot);
    else
        snprintf(text, GFS_AUDIT_NAME_SIZE, "files-%u.%06" PRIu64 ".jsonl", name.slot, name.number);
}

/* Exactly what is written: leading zeros, signs and the like make another name. */
bool gfs_audit_name_parse(const char *text, struct gfs_audit_name *out) {
    struct gfs_audit_name name = {.number = GFS_AUDIT_CURRENT};
    char again[GFS_AUDIT_NAME_SIZE];

    if (sscanf(text, "files-%u.%" SCNu64, &name.slot, &name.number) < 1)
        return false;
    gfs_audit_name_format(name, again);
    if (strcmp(text, again) != 0)
        return false;
    *out = name;
    return true;
}

static int compare(const void *a, const void *b) {
    const struct gfs_audit_name *one = a, *other = b;

    if (one->slot != other->slot)
        return one->slot < other->slot ? -1 : 1;
    return one->number < other->number ? -1 : one->number > other->number;
}

static int add(struct gfs_audit_name **list, size_t *count, struct gfs_audit_name name) {
    struct gfs_audit_name *longer = reallocarray(*list, *count + 1, sizeof name);

    if (!longer)
        return -ENOMEM;
    longer[(*count)++] = name;
    *list = longer;
    return 0;
}

int gfs_audit_names_list(int folder_fd, struct gfs_audit_name **out, size_t *count) {
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct gfs_audit_name *list = NULL, name;
    const struct dirent *entry;
    size_t found = 0;
    int rc = 0;

    if (!folder) {
        rc = -errno;
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (errno = 0, entry = readdir(folder)))
        if (gfs_audit_name_parse(entry->d_name, &name))
            rc = add(&list, &found, name);
    if (rc == 0 && errno)
        rc = -errno;
    closedir(folder);
    if (rc) {
        free(list);
        return rc;
    }
    if (found)
        qsort(list, found, sizeof *list, compare);
    *out = list;
    *count = found;
    return 0;
}
