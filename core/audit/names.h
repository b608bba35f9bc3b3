/* The files of the log, by their names. Internal to core/audit. */
#ifndef GUILDFS_CORE_AUDIT_NAMES_H
#define GUILDFS_CORE_AUDIT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guildfs/compiler.h"

#define GFS_AUDIT_DIRECTORY "audit"
#define GFS_AUDIT_NAME_SIZE 48
#define GFS_AUDIT_CURRENT UINT64_MAX /* the number of the file that is written to: it sorts last */

struct gfs_audit_name {
    unsigned slot;   /* which daemon's */
    uint64_t number; /* of a rotated file, rising */
};

void gfs_audit_name_format(struct gfs_audit_name name, char text[static GFS_AUDIT_NAME_SIZE]);
bool gfs_audit_name_parse(const char *text, struct gfs_audit_name *out);

/* The log's files in the folder, oldest first in each slot. The caller frees *out. */
int gfs_audit_names_list(int folder_fd, struct gfs_audit_name **out, size_t *count) GFS_MUST_CHECK;

#endif
