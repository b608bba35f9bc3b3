#include "core/cli/usage.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Inodes with several links that were counted already. */
struct seen {
    dev_t device;
    ino_t inode;
};

static int compare_seen(const void *a, const void *b) {
    const struct seen *one = a, *other = b;
    if (one->device != other->device)
        return one->device < other->device ? -1 : 1;
    return one->inode < other->inode ? -1 : one->inode > other->inode;
}

/* 1 when the inode is new, 0 when it was seen, or a negative errno. */
static int see(void **tree, const struct stat *st) {
    struct seen *item = malloc(sizeof(*item));
    if (!item)
        return -ENOMEM;
    *item = (struct seen){.device = st->st_dev, .inode = st->st_ino};
    struct seen **found = tsearch(item, tree, compare_seen);
    if (found && *found == item)
        return 1;
    free(item);
    return found ? 0 : -ENOMEM;
}

static bool is_nested_share(const struct gfs_snapshot *snapshot, const struct gfs_share *share, const char *path) {
    size_t count = 0, length = strlen(share->path);
    const struct gfs_share *const *nested = gfs_snapshot_nested(snapshot, share->id, &count);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(nested[i]->path, share->path, length) == 0 && nested[i]->path[length] == '/' &&
            strcmp(nested[i]->path + length + 1, path) == 0)
            return true;
    }
    return false;
}

static int add_entry(FTSENT *entry, void **tree, int64_t *bytes) {
    if (entry->fts_info != FTS_F || !S_ISREG(entry->fts_statp->st_mode))
        return 0;
    int fresh = entry->fts_statp->st_nlink > 1 ? see(tree, entry->fts_statp) : 1;
    if (fresh > 0)
        *bytes += entry->fts_statp->st_size;
    return fresh < 0 ? fresh : 0;
}

int cli_usage_count(const struct gfs_snapshot *snapshot, const struct gfs_share *share, int root_fd, int64_t *bytes) {
    char root[48];
    int root_length = snprintf(root, sizeof(root), "/proc/self/fd/%d/.", root_fd);
    char *const roots[] = {root, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    if (!walk)
        return -errno;
    void *tree = NULL;
    int64_t sum = 0;
    int rc = 0;
    for (FTSENT *entry; rc == 0 && (entry = fts_read(walk));) {
        if (entry->fts_info == FTS_D && entry->fts_level > 0 &&
            is_nested_share(snapshot, share, entry->fts_path + root_length + 1))
            fts_set(walk, entry, FTS_SKIP);
        else
            rc = add_entry(entry, &tree, &sum);
    }
    fts_close(walk);
    tdestroy(tree, free);
    if (rc == 0)
        *bytes = sum;
    return rc;
}
