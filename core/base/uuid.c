#include "guildfs/uuid.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

#include "guildfs/clock.h"

#define UUID_SIZE_BYTES 16

/* RFC 9562, 5.7: 48 bits of milliseconds, version, 12 random bits, variant, 62 random bits. */
int gfs_uuid_new(char uuid[static GFS_UUID_SIZE]) {
    unsigned char b[UUID_SIZE_BYTES];
    ssize_t got;

    do
        got = getrandom(b, sizeof(b), 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (got != sizeof(b)) /* cannot happen below 256 bytes: random(7) */
        return -EIO;

    uint64_t now_ms = (uint64_t)gfs_now_ns() / 1000000;
    for (int i = 0; i < 6; i++)
        b[i] = (unsigned char)(now_ms >> (40 - 8 * i));
    b[6] = (unsigned char)(0x70 | (b[6] & 0x0f));
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f));
    snprintf(uuid, GFS_UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return 0;
}

static bool is_dash_position(size_t i) {
    return i == 8 || i == 13 || i == 18 || i == 23;
}

static bool is_lower_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool gfs_uuid_valid(const char *text) {
    if (!text)
        return false;
    /* A NUL that comes early is neither a dash nor a digit, so the loop ends there. */
    for (size_t i = 0; i < GFS_UUID_SIZE - 1; i++)
        if (is_dash_position(i) ? text[i] != '-' : !is_lower_hex(text[i]))
            return false;
    return text[GFS_UUID_SIZE - 1] == '\0';
}
