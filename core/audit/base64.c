#include "core/audit/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void gfs_base64_encode(const unsigned char *bytes, size_t count, char text[static 4]) {
    uint32_t word = (uint32_t)bytes[0] << 16;

    if (count > 1)
        word |= (uint32_t)bytes[1] << 8;
    if (count > 2)
        word |= bytes[2];
    text[0] = alphabet[word >> 18];
    text[1] = alphabet[word >> 12 & 63];
    text[2] = alphabet[word >> 6 & 63];
    text[3] = alphabet[word & 63];
    if (count < 3)
        text[3] = '=';
    if (count < 2)
        text[2] = '=';
}

char *gfs_base64_decode(const char *text) {
    size_t length = strlen(text), used = 0;
    char *bytes = length % 4 ? NULL : malloc(length / 4 * 3 + 1);

    for (size_t i = 0; bytes && i < length; i += 4) {
        size_t padding = i + 4 < length ? 0 : (text[i + 3] == '=') + (size_t)(text[i + 2] == '=');
        uint32_t word = 0;
        for (size_t j = 0; j < 4; j++) {
            const char *found = j < 4 - padding ? strchr(alphabet, text[i + j]) : alphabet;
            if (!found) {
                free(bytes);
                return NULL;
            }
            word = word << 6 | (uint32_t)(found - alphabet);
        }
        for (size_t j = 0; j < 3 - padding; j++)
            bytes[used++] = (char)(word >> (16 - 8 * j));
    }
    if (bytes)
        bytes[used] = '\0';
    return bytes;
}
