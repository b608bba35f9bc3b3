#include "guildfs/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* How many bytes of text, up to size, are a control character in UTF-8: C0 and DEL take one, C1
 * two, the line and the paragraph separator three. 0: none begins here. */
static size_t control_length(const unsigned char *text) {
    if (text[0] < 0x20 || text[0] == 0x7f)
        return 1;
    if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f)
        return 2;
    if (text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9))
        return 3;
    return 0;
}

/* The message stays on its line, whatever names were formatted into it. */
static void make_one_line(char *text) {
    char *to = text;

    for (const char *from = text; *from;) {
        size_t length = control_length((const unsigned char *)from);
        *to++ = length ? '?' : *from;
        from += length ? length : 1;
    }
    *to = '\0';
}

/* A message that was cut must not end in the middle of a character: a reader of JSON refuses it. */
static void cut_to_whole_characters(char *text) {
    size_t end = strlen(text), start = end;

    while (start > 0 && end - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t wanted = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (end - start < wanted)
        text[start - 1] = '\0';
}

static void write_message(struct gfs_error *err, const char *text, int length) {
    bool cut = length < 0 || (size_t)length >= sizeof(err->message);

    memcpy(err->message, text, sizeof(err->message));
    if (cut)
        cut_to_whole_characters(err->message);
    make_one_line(err->message);
}

int gfs_error_set(struct gfs_error *err, int code, const char *format, ...) {
    if (err) {
        /* Not straight into err: an argument may be the message that is there. */
        char text[sizeof(err->message)] = "";
        va_list arguments;

        va_start(arguments, format);
        int length = vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        err->code = code;
        write_message(err, text, length);
    }
    return -code;
}

int gfs_error_prefix(struct gfs_error *err, const char *format, ...) {
    char text[sizeof(err->message)] = "";
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof(text))
        length += snprintf(text + length, sizeof(text) - (size_t)length, ": %s", err->message);
    write_message(err, text, length);
    return -err->code;
}
