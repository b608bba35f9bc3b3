#include "guildfs/name.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Reads one character of UTF-8 (RFC 3629) and returns its length in bytes; 0 when the bytes are no
 * character: overlong, a surrogate, above U+10FFFF, or cut. A NUL in the middle ends the text and
 * is no continuation byte, so nothing behind it is read.
 */
static size_t decode_character(const unsigned char *text, uint32_t *out) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = text[0] < 0x80   ? 1
                    : text[0] < 0xc0 ? 0
                    : text[0] < 0xe0 ? 2
                    : text[0] < 0xf0 ? 3
                    : text[0] < 0xf8 ? 4
                                     : 0;

    if (length == 0)
        return 0;
    uint32_t character = length == 1 ? text[0] : text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text[i] & 0x3f);
    }
    if (character < smallest[length] || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
        return 0;
    *out = character;
    return length;
}

/* What would break the lines of a log, a listing or a terminal. */
static bool is_control(uint32_t character) {
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) || character == 0x2028 || character == 0x2029;
}

static bool is_reserved(const char *name) {
    return strcmp(name, "my") == 0 || strcmp(name, "public") == 0 || strncmp(name, ".guildfs", 8) == 0;
}

/* Which rule the characters of a name break; NULL when none. */
static const char *bad_character(const char *name) {
    for (const unsigned char *at = (const unsigned char *)name; *at;) {
        uint32_t character;
        size_t length = decode_character(at, &character);

        if (length == 0)
            return "is not valid UTF-8";
        if (is_control(character))
            return "holds a control character";
        if (character == '/')
            return "holds a '/'";
        at += length;
    }
    return NULL;
}

int gfs_name_check(const char *what, const char *name, struct gfs_error *err) {
    if (!name || !*name)
        return gfs_error_set(err, EINVAL, "the %s is empty: give one of 1 to %d bytes", what, GFS_NAME_MAX);
    if (strlen(name) > GFS_NAME_MAX)
        return gfs_error_set(err, EINVAL, "the %s \"%.40s...\" is too long: give one of at most %d bytes", what, name,
                             GFS_NAME_MAX);
    const char *problem = bad_character(name);
    if (problem)
        return gfs_error_set(err, EINVAL, "the %s \"%s\" %s: choose another", what, name, problem);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return gfs_error_set(err, EINVAL, "\"%s\" is no %s: it means a folder itself, or the one around it", name,
                             what);
    if (is_reserved(name))
        return gfs_error_set(err, EINVAL, "the %s \"%s\" is reserved by Guildfs: choose another", what, name);
    return 0;
}
