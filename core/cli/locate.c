#include "core/cli/locate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Copies text without the slashes at its ends and without double ones. Refuses "." and "..",
 * which would make another path of it. */
static int normalize(const char *text, char *path, size_t size, struct gfs_error *err) {
    size_t used = 0;
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, "/");
        if ((length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
            return gfs_error_set(err, EINVAL, "\"%s\": a path here has no \".\" and no \"..\"", text);
        if (length > 0) {
            if (used + length + 2 > size)
                return gfs_error_set(err, EINVAL, "the path is too long");
            if (used > 0)
                path[used++] = '/';
            memcpy(path + used, at, length);
            used += length;
        }
        at += length + (at[length] == '/');
    }
    path[used] = '\0';
    return used > 0 ? 0 : gfs_error_set(err, EINVAL, "the path is empty; it begins with a share: NAME/path");
}

/* What follows `name` in path when its first components are name; else NULL. */
static const char *after(const char *path, const char *name) {
    size_t length = strlen(name);
    if (strncmp(path, name, length) != 0 || (path[length] != '\0' && path[length] != '/'))
        return NULL;
    return path + length + (path[length] == '/');
}

/* The same for GROUP/KINDFOLDER/NAME. */
static const char *after_three(const char *path, const char *group, const char *folder, const char *name) {
    path = after(path, group);
    path = path ? after(path, folder) : NULL;
    return path ? after(path, name) : NULL;
}

static bool by_group(const struct gfs_snapshot *snapshot, const char *path, struct cli_location *found) {
    size_t count = gfs_snapshot_share_count(snapshot);
    for (size_t i = 0; i < count; i++) {
        const struct gfs_share *share = gfs_snapshot_share_at(snapshot, i);
        const struct gfs_group *group = share->group ? gfs_snapshot_group(snapshot, share->group) : NULL;
        const char *rest = group ? after_three(path, group->name, gfs_kind_folder(share->kind), share->name) : NULL;
        if (rest) {
            found->share = share;
            strcpy(found->path, rest);
            return true;
        }
    }
    return false;
}

static const char *place_folder(const struct gfs_place *place) {
    switch (place->kind) {
    case GFS_PLACE_GROUP:
        return place->group->name;
    case GFS_PLACE_MY:
        return "my";
    case GFS_PLACE_PUBLIC:
        break;
    }
    return "public";
}

static bool by_view(const struct gfs_rights *rights, const char *path, struct cli_location *found) {
    size_t count = 0;
    const struct gfs_place *places = gfs_rights_places(rights, &count);
    for (size_t i = 0; i < count; i++) {
        const char *rest =
            after_three(path, place_folder(&places[i]), gfs_kind_folder(places[i].share->kind), places[i].name);
        if (rest) {
            found->share = places[i].share;
            strcpy(found->path, rest);
            return true;
        }
    }
    return false;
}

static int by_name(const struct gfs_snapshot *snapshot, const char *path, struct cli_location *found,
                   struct gfs_error *err) {
    const struct gfs_share *first = NULL;
    size_t count = gfs_snapshot_share_count(snapshot);
    for (size_t i = 0; i < count; i++) {
        const struct gfs_share *share = gfs_snapshot_share_at(snapshot, i);
        const char *rest = after(path, share->name);
        if (!rest)
            continue;
        if (first) {
            char one[CLI_REFERENCE_SIZE], other[CLI_REFERENCE_SIZE];
            cli_reference(snapshot, first, one);
            cli_reference(snapshot, share, other);
            return gfs_error_set(err, EINVAL, "several shares are called \"%s\": %s, %s; name one with its group",
                                 share->name, one, other);
        }
        first = share;
        found->share = share;
        strcpy(found->path, rest);
    }
    if (!first)
        return gfs_error_set(err, ENOENT, "there is no share at \"%s\"; guildfs share list lists the shares", path);
    return 0;
}

/* A path may lead into a share nested in the one it begins with; the innermost one judges. */
static void descend(const struct gfs_snapshot *snapshot, struct cli_location *location) {
    size_t count = 0;
    const struct gfs_share *const *nested = gfs_snapshot_nested(snapshot, location->share->id, &count);
    for (size_t i = 0; i < count;) {
        const char *below = after(nested[i]->path, location->share->path);
        const char *rest = below && *below ? after(location->path, below) : NULL;
        if (!rest) {
            i++;
            continue;
        }
        location->share = nested[i];
        memmove(location->path, rest, strlen(rest) + 1);
        nested = gfs_snapshot_nested(snapshot, location->share->id, &count);
        i = 0;
    }
}

int cli_locate(const struct gfs_snapshot *snapshot, const struct gfs_rights *rights, const char *text,
               struct cli_location *out, struct gfs_error *err) {
    char path[PATH_MAX];
    struct cli_location found = {0};
    int rc = normalize(text, path, sizeof(path), err);
    if (rc < 0)
        return rc;
    if (!by_group(snapshot, path, &found) && !(rights && by_view(rights, path, &found)))
        rc = by_name(snapshot, path, &found, err);
    if (rc < 0)
        return rc;
    descend(snapshot, &found);
    *out = found;
    return 0;
}

void cli_reference(const struct gfs_snapshot *snapshot, const struct gfs_share *share,
                   char text[static CLI_REFERENCE_SIZE]) {
    const struct gfs_group *group = share->group ? gfs_snapshot_group(snapshot, share->group) : NULL;
    if (group)
        snprintf(text, CLI_REFERENCE_SIZE, "%s/%s/%s", group->name, gfs_kind_folder(share->kind), share->name);
    else
        snprintf(text, CLI_REFERENCE_SIZE, "%s", share->name);
}
