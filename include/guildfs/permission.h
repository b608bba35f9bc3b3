/*
 * The six content permissions. They are independent: all 64 sets are legal.
 */
#ifndef GUILDFS_PERMISSION_H
#define GUILDFS_PERMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "guildfs/error.h"

typedef uint8_t gfs_perms;

enum gfs_permission {
    GFS_VIEW = 1 << 0,        /* see that an item exists: name, kind, size, times */
    GFS_DOWNLOAD = 1 << 1,    /* read a file's content */
    GFS_UPLOAD = 1 << 2,      /* add a file; finish, correct or abandon an upload of one's own */
    GFS_RENAME = 1 << 3,      /* another name in the same folder */
    GFS_DELETE = 1 << 4,      /* remove an item, or destroy its content */
    GFS_MAKE_FOLDER = 1 << 5, /* add a folder */
    GFS_ALL_PERMS = (1 << 6) - 1,
    GFS_NOBODY = 1 << 7, /* needed by what nobody may do; no authorization can hold it */
};

static inline bool gfs_perms_include(gfs_perms held, gfs_perms wanted) {
    return (held & wanted) == wanted;
}

/*
 * Text form: a comma-separated list of view, download, upload, rename, delete, make-folder; or
 * one of the presets viewer, reader, contributor, editor, dropbox; or none. Presets and
 * permissions may be mixed in one list. Parsing forgives blanks around the commas, nothing else.
 * -EINVAL, with a message that names the bad word, when the text is not such a list.
 */
int gfs_perms_parse(const char *text, gfs_perms *out, struct gfs_error *err) GFS_MUST_CHECK;

/* "view,download" in the order above; "none" for the empty set. text is always terminated. */
#define GFS_PERMS_TEXT_SIZE 64
void gfs_perms_format(gfs_perms perms, char text[static GFS_PERMS_TEXT_SIZE]);

/* The preset with exactly this set, or NULL. Static storage. */
const char *gfs_perms_preset(gfs_perms perms);

#endif
