#include "fs/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guildfs/item.h"

int gfs_share_open(const struct gfs_share *share, int *fd) {
    return gfs_open_share(share->node_path, share->path, fd);
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether the share's root is the folder of st. A share without a folder is nowhere. */
static int is_root_of(const struct gfs_share *share, const struct stat *st, bool *is_root) {
    struct stat root;
    int fd = -1;
    int rc = gfs_share_open(share, &fd);

    *is_root = false;
    if (rc)
        return rc == -ENOENT ? 0 : rc;
    if (fstat(fd, &root))
        rc = -errno;
    else
        *is_root = same_file(&root, st);
    close(fd);
    return rc;
}

int gfs_share_nested_at(const struct gfs_snapshot *snapshot, const struct gfs_share *around, const struct stat *st,
                        const struct gfs_share **out) {
    size_t count = 0;
    const struct gfs_share *const *nested = gfs_snapshot_nested(snapshot, around->id, &count);

    for (size_t i = 0; i < count; i++) {
        bool is_root = false;
        int rc = is_root_of(nested[i], st, &is_root);
        if (rc)
            return rc;
        if (is_root) {
            *out = nested[i];
            return 0;
        }
    }
    *out = NULL;
    return 0;
}

/* Whether the folder of st is met on the way from the share around down to the nested one. */
static bool on_the_way(const struct gfs_share *around, const struct gfs_share *nested, const struct stat *st) {
    size_t skip = strlen(around->path);
    char *path = strdup(nested->path);
    bool met = false;

    if (!path)
        return true;
    if (strncmp(path, around->path, skip) != 0) {
        free(path);
        return false;
    }
    for (char *end = path + skip; !met && *end;) {
        end += *end == '/';
        end += strcspn(end, "/");
        char cut = *end;
        *end = '\0';
        struct gfs_share part = *nested;
        part.path = path;
        if (is_root_of(&part, st, &met))
            met = true;
        *end = cut;
    }
    free(path);
    return met;
}

bool gfs_share_holds_nested(const struct gfs_snapshot *snapshot, const struct gfs_share *around,
                            const struct stat *st) {
    size_t count = 0;
    const struct gfs_share *const *nested = gfs_snapshot_nested(snapshot, around->id, &count);

    for (size_t i = 0; i < count; i++)
        if (on_the_way(around, nested[i], st) || gfs_share_holds_nested(snapshot, nested[i], st))
            return true;
    return false;
}
