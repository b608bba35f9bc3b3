#include "guildfs/upload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guildfs/clock.h"

#define FORMAT_VERSION "1"

/* Takes the text up to the next blank, or up to the end, as one word. false when it is empty or
 * does not fit. */
static bool take_word(const char **at, const char *end, char *word, size_t size) {
    const char *blank = memchr(*at, ' ', (size_t)(end - *at));
    size_t length = (size_t)((blank ? blank : end) - *at);

    if (length == 0 || length >= size)
        return false;
    memcpy(word, *at, length);
    word[length] = '\0';
    *at = blank ? blank + 1 : end;
    return true;
}

/* Digits alone; strtoll would also take signs and blanks. */
static bool parse_time(const char *digits, int64_t *out) {
    int64_t value = 0;

    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *digits - '0', &value))
            return false;
    }
    *out = value;
    return true;
}

int gfs_upload_parse(const char *text, size_t size, struct gfs_upload *out) {
    const char *at = text, *end = text + size;
    char version[8], state[8], digits[24];
    struct gfs_upload upload = {0};

    /* A blank at the very end is no further word, but no record ends in one either. */
    if (size == 0 || end[-1] == ' ' || memchr(text, '\0', size))
        return -EINVAL;
    if (!take_word(&at, end, version, sizeof(version)) || strcmp(version, FORMAT_VERSION) != 0)
        return -EINVAL;
    if (!take_word(&at, end, upload.uploader, sizeof(upload.uploader)) || !gfs_uuid_valid(upload.uploader))
        return -EINVAL;
    if (!take_word(&at, end, state, sizeof(state)))
        return -EINVAL;
    upload.pending = strcmp(state, "pending") == 0;
    if (!upload.pending && strcmp(state, "settled") != 0)
        return -EINVAL;
    if (!take_word(&at, end, digits, sizeof(digits)) || at != end || !parse_time(digits, &upload.closed_ns))
        return -EINVAL;
    *out = upload;
    return 0;
}

size_t gfs_upload_format(const struct gfs_upload *upload, char text[static GFS_UPLOAD_TEXT_SIZE]) {
    /* A clock before 1970 is no time that a record can hold; the smallest one has long passed. */
    long long closed_ns = upload->closed_ns > 0 ? upload->closed_ns : 0;

    return (size_t)snprintf(text, GFS_UPLOAD_TEXT_SIZE, FORMAT_VERSION " %.36s %s %lld", upload->uploader,
                            upload->pending ? "pending" : "settled", closed_ns);
}

int64_t gfs_upload_pending_until(const struct gfs_upload *upload, const char *user_uuid, int64_t grace_ns,
                                 int64_t floor_ns, bool holds_open) {
    int64_t until_ns;

    if (!upload->pending || strcmp(upload->uploader, user_uuid) != 0 || upload->closed_ns < floor_ns)
        return 0;
    if (holds_open)
        return GFS_NEVER;
    if (__builtin_add_overflow(upload->closed_ns, grace_ns, &until_ns))
        return GFS_NEVER;
    return until_ns;
}
