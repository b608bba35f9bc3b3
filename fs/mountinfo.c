#include "fs/mountinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Compares a path with a field in which blanks and the like are written as "\040". */
static bool same_path(const char *field, const char *path) {
    while (*field && *path) {
        unsigned char byte = (unsigned char)*field;
        if (field[0] == '\\' && strspn(field + 1, "01234567") >= 3) {
            byte = (unsigned char)((field[1] - '0') * 64 + (field[2] - '0') * 8 + (field[3] - '0'));
            field += 3;
        }
        if (byte != (unsigned char)*path)
            return false;
        field++, path++;
    }
    return !*field && !*path;
}

/* A path, or (NULL) a number. */
struct wanted {
    const char *path;
    int id;
};

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 * Fields end at a blank; of those behind the sixth there may be any number, up to the "-". */
static bool parse(char *line, const struct wanted *wanted, struct gfs_mountinfo *out) {
    char *type = strstr(line, " - "), *rest = line, *fields[5];
    struct gfs_mountinfo found;

    if (!type)
        return false;
    *type = '\0';
    type += 3;
    for (size_t i = 0; i < 5; i++) {
        fields[i] = strsep(&rest, " ");
        if (!fields[i])
            return false;
    }
    if (wanted->path ? !same_path(fields[4], wanted->path) : strtol(fields[0], NULL, 10) != wanted->id)
        return false;
    if (sscanf(fields[2], "%u:%u", &found.major, &found.minor) != 2)
        return false;
    snprintf(found.type, sizeof found.type, "%.*s", (int)strcspn(type, " \n"), type);
    *out = found;
    return true;
}

static int search(FILE *list, const struct wanted *wanted, struct gfs_mountinfo *out) {
    struct gfs_mountinfo found;
    bool any = false;
    char *line = NULL;
    size_t size = 0;

    /* In the order in which they were mounted: the last one lies on top. */
    while (getline(&line, &size, list) > 0)
        any = parse(line, wanted, &found) || any;
    free(line);
    if (ferror(list))
        return -EIO;
    if (!any)
        return -ENOENT;
    *out = found;
    return 0;
}

int gfs_mountinfo_search(FILE *list, const char *path, struct gfs_mountinfo *out) {
    return search(list, &(struct wanted){.path = path}, out);
}

static int search_file(const char *list, const struct wanted *wanted, struct gfs_mountinfo *out) {
    FILE *file = fopen(list, "re");
    if (!file)
        return -errno;
    int rc = search(file, wanted, out);
    fclose(file);
    return rc;
}

int gfs_mountinfo_find(const char *path, struct gfs_mountinfo *out) {
    return search_file("/proc/self/mountinfo", &(struct wanted){.path = path}, out);
}

int gfs_mountinfo_by_id(const char *list, int id, struct gfs_mountinfo *out) {
    return search_file(list, &(struct wanted){.id = id}, out);
}
