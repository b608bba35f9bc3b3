#include "core/cli/mounts.h"

#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "\040" and the like become the byte they stand for. */
static bool unescape(const char *text, char *out, size_t size) {
    size_t used = 0;
    while (*text) {
        if (used + 1 >= size)
            return false;
        if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
            out[used++] = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text += 4;
        } else {
            out[used++] = *text++;
        }
    }
    out[used] = '\0';
    return true;
}

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 * A field's end is a blank; the optional fields end at " - ". */
static bool parse_line(char *line, struct cli_mount *mount) {
    char *filesystem = strstr(line, " - ");
    if (!filesystem || strncmp(filesystem + 3, "fuse.guildfs ", 13) != 0)
        return false;
    char *rest = line, *fields[5];
    for (size_t i = 0; i < 5; i++) {
        fields[i] = strsep(&rest, " ");
        if (!fields[i])
            return false;
    }
    if (strcmp(fields[3], "/") != 0)
        return false;
    snprintf(mount->device, sizeof(mount->device), "%s", fields[2]);
    return unescape(fields[4], mount->mountpoint, sizeof(mount->mountpoint));
}

int cli_mounts_each(int (*each)(void *context, const struct cli_mount *mount), void *context, struct gfs_error *err) {
    FILE *file = fopen("/proc/self/mountinfo", "re");
    if (!file)
        return gfs_error_set(err, errno, "cannot read /proc/self/mountinfo: %s", strerror(errno));
    char *line = NULL;
    size_t size = 0;
    int rc = 0;
    struct cli_mount mount;
    while (rc == 0 && getline(&line, &size, file) > 0) {
        if (parse_line(line, &mount))
            rc = each(context, &mount);
    }
    free(line);
    fclose(file);
    return rc;
}

/* Resolves all but the last component, so that the mount itself is not asked: its daemon may be
 * dead, or hang, and whoever asks with it. */
static int resolve_parent(const char *directory, char *out, size_t size, struct gfs_error *err) {
    char copy[PATH_MAX], copy2[PATH_MAX], parent[PATH_MAX];
    if (strlen(directory) >= sizeof(copy))
        return gfs_error_set(err, ENAMETOOLONG, "the path is too long");
    strcpy(copy, directory);
    strcpy(copy2, directory);
    if (!realpath(dirname(copy), parent))
        return gfs_error_set(err, errno, "%s: %s", directory, strerror(errno));
    int length = snprintf(out, size, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, basename(copy2));
    return length < 0 || (size_t)length >= size ? gfs_error_set(err, ENAMETOOLONG, "the path is too long") : 0;
}

struct search {
    const char *directory;
    struct cli_mount *found;
    bool any;
};

static int compare(void *context, const struct cli_mount *mount) {
    struct search *search = context;
    if (strcmp(mount->mountpoint, search->directory) == 0) {
        *search->found = *mount;
        search->any = true;
    }
    return 0;
}

int cli_mounts_find(const char *directory, struct cli_mount *out, struct gfs_error *err) {
    char path[PATH_MAX];
    struct cli_mount mount;
    struct search search = {.directory = path, .found = &mount};
    int rc = resolve_parent(directory, path, sizeof(path), err);
    if (rc == 0)
        rc = cli_mounts_each(compare, &search, err);
    if (rc < 0)
        return rc;
    /* No mount by that name: the last component may be ".", or a symlink to one. */
    if (!search.any) {
        if (!realpath(directory, path))
            return gfs_error_set(err, errno, "%s: %s", directory, strerror(errno));
        rc = cli_mounts_each(compare, &search, err);
    }
    if (rc < 0)
        return rc;
    if (!search.any)
        return gfs_error_set(err, ENOENT, "%s is no guildfs mount; guildfs status lists them", path);
    *out = mount;
    return 0;
}
