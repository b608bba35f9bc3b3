/*
 * Lines of the log. Written by hand and not by jansson: a line is made while a request waits, so
 * nothing is allocated; and jansson refuses text that is no UTF-8.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/audit/base64.h"
#include "guildfs/audit.h"

struct out {
    char *line;
    size_t length, size;
    bool full; /* nothing more fits, and the line is worth nothing */
};

static void put(struct out *out, const char *piece, size_t length) {
    if (out->full || length > out->size - out->length) {
        out->full = true;
        return;
    }
    memcpy(out->line + out->length, piece, length);
    out->length += length;
}

static void GFS_PRINTF(2, 3) put_format(struct out *out, const char *format, ...) {
    char piece[128];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    put(out, piece, (size_t)length);
}

/* ---- text ---- */

/* One character of UTF-8 (RFC 3629: nothing overlong, no surrogates), and its length; 0 when what
 * stands there is none. Ended by the NUL at the latest, which continues no character. */
static size_t read_character(const unsigned char *at, uint32_t *code) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;

    if (length < 2) {
        *code = *at;
        return length;
    }
    uint32_t value = *at & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        value = value << 6 | (at[i] & 0x3fU);
    }
    *code = value;
    return value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? 0 : length;
}

/* What would end a string or a line, or act on a terminal or an editor: controls of both sets, line
 * separators, marks that turn the direction of text, the byte order mark. */
static bool needs_escape(uint32_t code) {
    return code < 0x20 || code == '"' || code == '\\' || (code >= 0x7f && code < 0xa0) || code == 0x61c ||
           (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

/* False when the text is no UTF-8; U+FFFD then stands for each byte that is wrong. */
static bool put_text(struct out *out, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    bool exact = true;

    put(out, "\"", 1);
    while (*at) {
        uint32_t code = 0;
        size_t length = read_character(at, &code);
        if (!length)
            put(out, "\xef\xbf\xbd", 3);
        else if (needs_escape(code))
            put_format(out, "\\u%04x", (unsigned)code);
        else
            put(out, (const char *)at, length);
        exact = exact && length;
        at += length ? length : 1;
    }
    put(out, "\"", 1);
    return exact;
}

char *gfs_audit_shown(const char *bytes) {
    char *shown = malloc(4 * strlen(bytes) + 1), *end = shown;
    const unsigned char *at = (const unsigned char *)bytes;

    while (shown && *at) {
        uint32_t code = 0;
        size_t length = read_character(at, &code);
        bool plain = length && (!needs_escape(code) || code == '"');
        for (length = length ? length : 1; length; length--, at++) {
            if (plain)
                *end++ = (char)*at;
            else
                end += *at == '\\' ? sprintf(end, "\\\\") : sprintf(end, "\\x%02x", *at);
        }
    }
    if (shown)
        *end = '\0';
    return shown;
}

static void put_base64(struct out *out, const char *text) {
    size_t length = strlen(text);

    put(out, "\"", 1);
    for (size_t i = 0; i < length; i += 3) {
        char piece[4];
        gfs_base64_encode((const unsigned char *)text + i, length - i < 3 ? length - i : 3, piece);
        put(out, piece, sizeof piece);
    }
    put(out, "\"", 1);
}

/* ---- members ---- */

static void put_time(struct out *out, const char *name, int64_t ns) {
    char text[GFS_AUDIT_TIME_SIZE];

    gfs_audit_time_format(ns, text);
    put_format(out, "\"%s\":\"%s\"", name, text);
}

static void put_member(struct out *out, const char *name, const char *text) {
    put_format(out, ",\"%s\":", name);
    if (!text) {
        put(out, "null", 4);
    } else if (!put_text(out, text)) {
        put_format(out, ",\"%s_base64\":", name);
        put_base64(out, text);
    }
}

static void put_perms(struct out *out, const char *name, gfs_perms perms) {
    const char *comma = "";

    put_format(out, ",\"%s\":[", name);
    for (unsigned bit = 1; bit <= GFS_ALL_PERMS; bit <<= 1) {
        char text[GFS_PERMS_TEXT_SIZE];
        if (!(perms & bit))
            continue;
        gfs_perms_format((gfs_perms)bit, text);
        put_format(out, "%s\"%s\"", comma, text);
        comma = ",";
    }
    put(out, "]", 1);
}

static void put_sources(struct out *out, const struct gfs_audit_event *event) {
    put_format(out, ",\"authorizations\":[");
    for (size_t i = 0; i < event->source_count; i++) {
        put_format(out, "%s{\"via\":", i ? "," : "");
        put_text(out, event->sources[i].via);
        put_perms(out, "perms", event->sources[i].perms);
        put(out, "}", 1);
    }
    put(out, "]", 1);
}

static const char *reason_name(enum gfs_reason reason) {
    switch (reason) {
    case GFS_REASON_MISSING:
        return "missing";
    case GFS_REASON_NEVER:
        return "never";
    case GFS_REASON_ARCHIVED:
        return "archived";
    case GFS_REASON_QUOTA:
        return "quota";
    case GFS_REASON_TAKEN:
        return "taken";
    case GFS_REASON_NONE:
    case GFS_REASON_ALLOWED:
    case GFS_REASON_HIDDEN:
        break;
    }
    return NULL;
}

static void put_outcome(struct out *out, const struct gfs_audit_event *event) {
    put_member(out, "outcome", event->error ? "denied" : "allowed");
    if (!event->error)
        return;
    const char *name = strerrorname_np(event->error);
    put_member(out, "error", name ? name : "EACCES");
    put_member(out, "reason", reason_name(event->reason));
}

static void put_flag(struct out *out, const char *name, bool set) {
    if (set)
        put_format(out, ",\"%s\":true", name);
}

static size_t end_line(struct out *out) {
    put(out, "}\n", 2);
    return out->full ? 0 : out->length;
}

/* ---- lines ---- */

static void put_who(struct out *out, const struct gfs_audit_event *event) {
    put_member(out, "user", event->user);
    put_member(out, "user_uuid", event->user_uuid);
    put_format(out, ",\"uid\":%" PRIu32 ",\"pid\":%" PRId64, event->uid, event->pid);
    put_member(out, "process", event->process);
}

static void put_what(struct out *out, const struct gfs_audit_event *event) {
    put_member(out, "share", event->share);
    put_member(out, "share_uuid", event->share_uuid);
    put_member(out, "path", event->path);
    if (event->new_path)
        put_member(out, "new_path", event->new_path);
    put_format(out, ",\"inode\":%" PRIu64, event->inode);
    put_flag(out, "truncates", event->truncates);
    put_flag(out, "replaces", event->replaces);
    put_flag(out, "handle", event->handle);
    put_flag(out, "flood", event->flood);
}

size_t gfs_audit_encode(const struct gfs_audit_event *event, char *line, size_t size) {
    struct out out = {.line = line, .size = size};

    put(&out, "{", 1);
    put_time(&out, "time", event->time_ns);
    put_member(&out, "event", "access");
    put_outcome(&out, event);
    put_member(&out, "operation", event->operation);
    put_who(&out, event);
    put_what(&out, event);
    put_perms(&out, "needed", event->needed);
    if (event->error)
        put_perms(&out, "missing", event->missing);
    put_sources(&out, event);
    put_format(&out, ",\"generation\":%" PRIu64, event->generation);
    put_member(&out, "mount", event->mount);
    return end_line(&out);
}

size_t gfs_audit_encode_note(const char *event, int64_t time_ns, const char *mount, uint64_t count, char *line,
                             size_t size) {
    struct out out = {.line = line, .size = size};

    put(&out, "{", 1);
    put_time(&out, "time", time_ns);
    put_member(&out, "event", event);
    if (count)
        put_format(&out, ",\"%s\":%" PRIu64, event, count);
    put_member(&out, "mount", mount);
    return end_line(&out);
}

size_t gfs_audit_encode_repeated(const char *first, size_t length, uint64_t count, int64_t until_ns, char *line,
                                 size_t size) {
    struct out out = {.line = line, .size = size};

    if (length < 2)
        return 0;
    put(&out, first, length - 2); /* without "}\n" */
    put_format(&out, ",\"repeated\":%" PRIu64 ",", count);
    put_time(&out, "until", until_ns);
    return end_line(&out);
}
