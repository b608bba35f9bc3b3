/*
 * Making an existing directory a share where it lies.
 *
 * Its node is the directory that holds it: a node with that path is used again, or made. Whether
 * that is a filesystem of its own does not matter.
 *
 * Shares must not overlap, and the store must not be reached through one: then a person could hold
 * a right on the same file twice, or read the database. Paths are compared as text, resolved; and
 * the directories above the adopted one are compared by inode as well, for a bind mount gives a
 * directory a second name.
 */
#include <errno.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/admin/place.h"
#include "core/store/node.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

/* ---- the directory itself ---- */

/* Resolves everything but the last component, which must not be a symlink. */
static int resolve(const char *directory, char *path, size_t size, struct gfs_error *err) {
    char copy[PATH_MAX], copy2[PATH_MAX], parent[PATH_MAX];
    struct stat st;
    if (strlen(directory) >= sizeof(copy))
        return gfs_error_set(err, ENAMETOOLONG, "the path of the directory is too long");
    strcpy(copy, directory);
    strcpy(copy2, directory);
    const char *name = basename(copy2);
    if (*directory == '\0' || strcmp(name, "/") == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return gfs_error_set(err, EINVAL, "\"%s\" cannot be adopted; name a directory inside another, not / or .",
                             directory);
    if (!realpath(dirname(copy), parent))
        return gfs_error_set(err, errno, "%s: %s", directory, strerror(errno));
    int length = snprintf(path, size, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, name);
    if (length < 0 || (size_t)length >= size)
        return gfs_error_set(err, ENAMETOOLONG, "the path of the directory is too long");
    if (lstat(path, &st) < 0)
        return gfs_error_set(err, errno, "%s: %s", path, strerror(errno));
    if (S_ISLNK(st.st_mode))
        return gfs_error_set(err, ELOOP, "%s is a symlink; adopt the directory that it points to", path);
    if (!S_ISDIR(st.st_mode))
        return gfs_error_set(err, ENOTDIR, "%s is no directory", path);
    /* It is printed in tables and in JSON. */
    json_t *probe = json_string(path);
    json_decref(probe);
    if (!probe || strpbrk(path, "\n\r\t\033"))
        return gfs_error_set(err, EINVAL, "%s: the path must be UTF-8 without control characters; rename it first",
                             path);
    return 0;
}

/* ---- what it must not overlap ---- */

#define MAX_DEPTH (PATH_MAX / 2)
#define MAX_NESTING 64

struct overlap {
    const char *path;
    struct {
        dev_t device;
        ino_t inode;
    } above[MAX_DEPTH]; /* the directory and those above it */
    size_t depth;
    gfs_id around[MAX_NESTING]; /* the share that it may lie in, and the shares around that one */
    size_t around_count;
    struct gfs_error *err;
};

static bool may_lie_in(const struct overlap *overlap, gfs_id share) {
    for (size_t i = 0; i < overlap->around_count; i++) {
        if (overlap->around[i] == share)
            return true;
    }
    return false;
}

static int allow_parents(struct overlap *overlap, struct gfs_store *store, gfs_id share) {
    while (share != 0) {
        GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *record = NULL;
        int rc = gfs_store_share_load_id(store, share, &record, overlap->err);
        if (rc < 0)
            return rc;
        if (overlap->around_count == MAX_NESTING)
            return gfs_error_set(overlap->err, EINVAL, "shares are nested at most %d deep", MAX_NESTING);
        overlap->around[overlap->around_count++] = share;
        share = record->parent;
    }
    return 0;
}

/* stat(2) of every directory from path up to the root. */
static int look_above(struct overlap *overlap) {
    char path[PATH_MAX];
    struct stat st;
    strcpy(path, overlap->path);
    for (char *slash = path; slash && overlap->depth < MAX_DEPTH;) {
        if (stat(*path ? path : "/", &st) < 0)
            return gfs_error_set(overlap->err, errno, "%s: %s", path, strerror(errno));
        overlap->above[overlap->depth].device = st.st_dev;
        overlap->above[overlap->depth++].inode = st.st_ino;
        slash = strrchr(path, '/');
        if (slash)
            *slash = '\0';
    }
    return 0;
}

/* Whether the directory is, or lies below, what stands at path under any name. */
static bool is_below(const struct overlap *overlap, const char *path) {
    struct stat st;
    if (gfs_path_below(overlap->path, path))
        return true;
    if (stat(path, &st) < 0)
        return false;
    for (size_t i = 0; i < overlap->depth; i++) {
        if (overlap->above[i].device == st.st_dev && overlap->above[i].inode == st.st_ino)
            return true;
    }
    return false;
}

static int check_store(const struct overlap *overlap, const char *store) {
    char data[PATH_MAX + 8];
    snprintf(data, sizeof(data), "%s/data", store);
    if (gfs_path_below(store, overlap->path))
        return gfs_error_set(overlap->err, EBUSY, "%s holds the store itself", overlap->path);
    const char *in_data = gfs_path_below(overlap->path, data);
    if (is_below(overlap, store) && !(in_data && *in_data))
        return gfs_error_set(overlap->err, EBUSY, "%s lies in the store; only what is below %s can be adopted",
                             overlap->path, data);
    return 0;
}

/* Callback of gfs_store_share_list(). */
static int check_share(void *context, const struct gfs_share_record *share) {
    const struct overlap *overlap = context;
    char root[2 * PATH_MAX];
    snprintf(root, sizeof(root), "%s/%s", strcmp(share->node_path, "/") == 0 ? "" : share->node_path, share->path);
    if (strcmp(root, overlap->path) == 0)
        return gfs_error_set(overlap->err, EEXIST, "%s is the share \"%s\" already", overlap->path, share->name);
    if (gfs_path_below(root, overlap->path))
        return gfs_error_set(overlap->err, EBUSY, "%s holds the share \"%s\" (%s)", overlap->path, share->name, root);
    if (!may_lie_in(overlap, share->id) && is_below(overlap, root))
        return gfs_error_set(overlap->err, EBUSY, "%s lies in the share \"%s\"; to nest it there, give --in %s",
                             overlap->path, share->name, share->name);
    return 0;
}

static int check_overlaps(struct gfs_store *store, const char *path, gfs_id parent, struct gfs_error *err) {
    static const struct gfs_share_filter all = {0};
    struct overlap *overlap = calloc(1, sizeof(*overlap));
    if (!overlap)
        return gfs_error_set(err, ENOMEM, "out of memory");
    overlap->path = path;
    overlap->err = err;
    int rc = allow_parents(overlap, store, parent);
    if (rc == 0)
        rc = look_above(overlap);
    if (rc == 0)
        rc = check_store(overlap, gfs_store_path(store));
    if (rc == 0)
        rc = gfs_store_share_list(store, &all, check_share, overlap, err);
    free(overlap);
    return rc;
}

/* ---- its place ---- */

/* A name for the node at path: the path with '-' for '/', made unique where that name is taken. */
static int name_node(struct gfs_store *store, const char *path, char name[static GFS_NAME_MAX + 1],
                     struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_node_record *taken = NULL;
    char uuid[GFS_UUID_SIZE], stem[128];
    struct gfs_error ignored;
    /* Bytes past the limit are dropped from the front: the end of a path tells more. */
    size_t length = strlen(path), cut = length >= sizeof(stem) ? length - sizeof(stem) + 1 : 0;
    while (((unsigned char)path[cut] & 0xC0) == 0x80)
        cut++;
    snprintf(stem, sizeof(stem), "%s", path + cut + (path[cut] == '/'));
    for (char *at = stem; *at; at++)
        *at = *at == '/' ? '-' : *at;
    snprintf(name, GFS_NAME_MAX + 1, "%s", *stem ? stem : "root");
    bool usable = gfs_name_check("node name", name, &ignored) == 0;
    if (usable && gfs_store_node_load(store, name, &taken, &ignored) == -ENOENT)
        return 0;
    int rc = gfs_uuid_new(uuid);
    if (rc < 0)
        return gfs_error_set(err, -rc, "cannot make a name for the node: %s", strerror(-rc));
    snprintf(name, GFS_NAME_MAX + 1, "%s~%s", usable ? stem : "node", uuid + strlen(uuid) - 8);
    return 0;
}

/* The node at path; a new one where there is none. */
static int find_node(struct gfs_tx *tx, const char *path, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_node_record *node = NULL;
    char name[GFS_NAME_MAX + 1];
    int rc = gfs_store_node_load_path(gfs_tx_store(tx), path, &node, err);
    if (rc == 0)
        *id = node->id;
    if (rc != -ENOENT)
        return rc;
    rc = name_node(gfs_tx_store(tx), path, name, err);
    const struct gfs_node_record added = {.name = name, .path = path};
    return rc == 0 ? gfs_store_node_add(tx, &added, id, err) : rc;
}

static int place_on_node(struct gfs_tx *tx, const char *path, struct gfs_share_record *record, char **path_text,
                         struct gfs_error *err) {
    char folder[PATH_MAX];
    const char *name = strrchr(path, '/') + 1;
    snprintf(folder, sizeof(folder), "%.*s", name - path > 1 ? (int)(name - path - 1) : 1, path);
    *path_text = strdup(name);
    if (!*path_text)
        return gfs_error_set(err, ENOMEM, "out of memory");
    record->path = *path_text;
    return find_node(tx, folder, &record->node, err);
}

static int place_in(const char *path, const struct gfs_share_record *parent, struct gfs_share_record *record,
                    char **path_text, struct gfs_error *err) {
    const char *below = gfs_path_below(path, parent->node_path);
    const char *in_share = below ? gfs_path_below(below, parent->path) : NULL;
    if (!in_share || !*in_share)
        return gfs_error_set(err, EINVAL, "%s does not lie in the share \"%s\" (%s/%s)", path, parent->name,
                             parent->node_path, parent->path);
    *path_text = strdup(below);
    if (!*path_text)
        return gfs_error_set(err, ENOMEM, "out of memory");
    record->path = *path_text;
    record->node = parent->node;
    record->parent = parent->id;
    return 0;
}

int gfs_place_of_directory(struct gfs_tx *tx, const char *directory, const char *in, struct gfs_share_record *record,
                           char **path_text, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *parent = NULL;
    struct gfs_store *store = gfs_tx_store(tx);
    char path[PATH_MAX];
    int rc = resolve(directory, path, sizeof(path), err);
    if (rc == 0 && in)
        rc = gfs_store_share_load(store, in, &parent, err);
    if (rc == 0)
        rc = check_overlaps(store, path, parent ? parent->id : 0, err);
    if (rc < 0)
        return rc;
    return parent ? place_in(path, parent, record, path_text, err) : place_on_node(tx, path, record, path_text, err);
}
