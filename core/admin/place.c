#include "core/admin/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store/node.h"

const char *gfs_path_below(const char *path, const char *folder) {
    size_t length = strcmp(folder, "/") == 0 ? 0 : strlen(folder);
    if (strncmp(path, folder, length) != 0 || (path[length] != '/' && path[length] != '\0'))
        return NULL;
    return path + length + (path[length] == '/');
}

int gfs_place_on_node(struct gfs_tx *tx, const char *name, struct gfs_share_record *record, struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_node_record *node = NULL;
    int rc = gfs_store_node_load(gfs_tx_store(tx), name ? name : "default", &node, err);
    if (rc < 0)
        return rc;
    record->node = node->id;
    return 0;
}

/* A path in a share: at least one name, none of them "." or "..", no empty one, no control
 * character (it is printed in tables and logs). */
static int check_path(const char *path, struct gfs_error *err) {
    for (const char *at = path;;) {
        size_t length = strcspn(at, "/");
        if (length == 0 || (length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
            return gfs_error_set(err, EINVAL, "\"%s\" is no path in a share; write SHARE/sub/path, without \"..\"",
                                 path);
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    for (const char *at = path; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return gfs_error_set(err, EINVAL, "the path \"%s\" has a control character in it", path);
    }
    return 0;
}

/* The nested share whose path the wanted one lies in. */
struct descent {
    const char *wanted;
    gfs_id found;
};

static int compare_nested(void *context, const struct gfs_share_record *nested) {
    struct descent *descent = context;
    const char *below = gfs_path_below(descent->wanted, nested->path);
    if (below && *below)
        descent->found = nested->id;
    return 0;
}

/* The innermost share around a path on the parent's node. */
static int innermost(struct gfs_store *store, gfs_id share, const char *path, gfs_id *out, struct gfs_error *err) {
    struct descent descent = {.wanted = path, .found = share};
    int rc = 0;
    do {
        share = descent.found;
        const struct gfs_share_filter filter = {.parent = share};
        rc = gfs_store_share_list(store, &filter, compare_nested, &descent, err);
    } while (rc == 0 && descent.found != share);
    if (rc == 0)
        *out = share;
    return rc;
}

int gfs_place_in_share(struct gfs_tx *tx, const char *in, struct gfs_share_record *record, char **path_text,
                       struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *parent = NULL;
    const char *rest = NULL;
    char *path = NULL;
    int rc = gfs_store_share_resolve(gfs_tx_store(tx), in, &parent, &rest, err);
    if (rc == 0)
        rc = check_path(rest, err);
    if (rc < 0)
        return rc;
    if (asprintf(&path, "%s/%s", parent->path, rest) < 0)
        return gfs_error_set(err, ENOMEM, "out of memory");
    rc = innermost(gfs_tx_store(tx), parent->id, path, &record->parent, err);
    if (rc < 0) {
        free(path);
        return rc;
    }
    record->node = parent->node;
    record->path = *path_text = path;
    return 0;
}
