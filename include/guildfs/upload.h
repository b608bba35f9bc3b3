/*
 * Who uploaded an item, and whether the upload is still pending. The record is kept in an
 * extended attribute of the backing item, which only root can read or write, so that it survives
 * the daemon and travels with a rename. Parsing and arithmetic only; the attribute is read and
 * written by whoever holds a descriptor.
 */
#ifndef GUILDFS_UPLOAD_H
#define GUILDFS_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guildfs/error.h"
#include "guildfs/uuid.h"

#define GFS_UPLOAD_XATTR "trusted.guildfs.upload"
#define GFS_UPLOAD_TEXT_SIZE 96

struct gfs_upload {
    char uploader[GFS_UUID_SIZE]; /* UUID of the user who made the item */
    bool pending;                 /* false: settled for good (written by another, taken back), whatever the time */
    int64_t closed_ns;            /* when that user made it or last closed it after writing, wall clock */
};

/* Text form: "1 UUID pending|settled NANOSECONDS", no NUL at the end of size bytes needed.
 * -EINVAL when it is anything else: the caller treats the item as one without a record. */
int gfs_upload_parse(const char *text, size_t size, struct gfs_upload *out) GFS_MUST_CHECK;
size_t gfs_upload_format(const struct gfs_upload *upload, char text[static GFS_UPLOAD_TEXT_SIZE]);

/*
 * When the item stops being user_uuid's own pending one, wall clock; 0 when it is not (another's,
 * settled, closed before floor_ns). floor_ns is the moment before which nothing counts: the later
 * of the share's last return from the archive and the user's last loss of Upload. While that user
 * holds it open for writing the caller passes holds_open, and the answer is GFS_NEVER; an open
 * handle does not bring back what settled, or what floor_ns has ended.
 * The result counts only while the user holds Upload (file) or Make Folder (folder): gfs_decide.
 */
int64_t gfs_upload_pending_until(const struct gfs_upload *upload, const char *user_uuid, int64_t grace_ns,
                                 int64_t floor_ns, bool holds_open);

#endif
