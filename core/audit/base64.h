/* Base64 of RFC 4648, with padding. Internal to core/audit. */
#ifndef GUILDFS_CORE_AUDIT_BASE64_H
#define GUILDFS_CORE_AUDIT_BASE64_H

#include <stddef.h>

/* Three bytes (or one or two, the last ones) as four characters. */
void gfs_base64_encode(const unsigned char *bytes, size_t count, char text[static 4]);

/* The bytes of a text, ended by a NUL, to free(3). NULL when it is no base64, or memory is out. */
char *gfs_base64_decode(const char *text);

#endif
