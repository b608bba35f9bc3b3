#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guildfs/model.h"

const char *gfs_kind_name(enum gfs_kind kind) {
    switch (kind) {
    case GFS_KIND_FILES:
        return "files";
    case GFS_KIND_VOLUME:
        return "volume";
    case GFS_KIND_DATABASE:
        return "database";
    case GFS_KIND_IMAGE:
        return "image";
    case GFS_KIND_CAPSULE:
        return "capsule";
    case GFS_KIND_COUNT:
        break;
    }
    return NULL;
}

const char *gfs_kind_folder(enum gfs_kind kind) {
    switch (kind) {
    case GFS_KIND_FILES:
        return "files";
    case GFS_KIND_VOLUME:
        return "volumes";
    case GFS_KIND_DATABASE:
        return "databases";
    case GFS_KIND_IMAGE:
        return "images";
    case GFS_KIND_CAPSULE:
        return "capsules";
    case GFS_KIND_COUNT:
        break;
    }
    return NULL;
}

const char *gfs_share_audit_name(enum gfs_share_audit audit) {
    switch (audit) {
    case GFS_AUDIT_NONE:
        return "none";
    case GFS_AUDIT_CHANGES:
        return "changes";
    case GFS_AUDIT_ALL:
        return "all";
    }
    return NULL;
}

int gfs_kind_parse(const char *name, enum gfs_kind *out, struct gfs_error *err) {
    for (enum gfs_kind kind = 0; kind < GFS_KIND_COUNT; kind++) {
        const char *candidate = gfs_kind_name(kind);
        if (name && candidate && strcmp(name, candidate) == 0) {
            *out = kind;
            return 0;
        }
    }
    return gfs_error_set(err, EINVAL, "\"%s\" is no kind of share: use files, volume, database, image or capsule",
                         name ? name : "");
}
