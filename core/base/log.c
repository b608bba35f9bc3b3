/*
 * A line is put together in a buffer and leaves by one write(2), so that the lines of several
 * threads and processes do not mix.
 *
 * To quote what a %s brings along, the format is walked here and each conversion is formatted by
 * itself. GFS_PRINTF has checked the arguments against the format; of printf's conversions the
 * ones that a log needs are understood: d i u x o c s p, with a width, a leading 0, a precision
 * for s, and every length. At any other the line ends, because the type of what follows is not
 * known.
 */
#include "guildfs/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_SIZE_BYTES 2048

static _Atomic enum gfs_log_level max_level = GFS_LOG_NOTICE;
static _Atomic bool to_syslog;
static char syslog_identity[64]; /* written before to_syslog is set; openlog(3) keeps the pointer */

void gfs_log_set_level(enum gfs_log_level level) {
    atomic_store(&max_level, level);
}

enum gfs_log_level gfs_log_level(void) {
    return atomic_load(&max_level);
}

void gfs_log_use_syslog(const char *ident) {
    if (atomic_load(&to_syslog))
        closelog();
    snprintf(syslog_identity, sizeof(syslog_identity), "%s", ident);
    openlog(syslog_identity, LOG_PID, LOG_DAEMON);
    atomic_store(&to_syslog, true);
}

/* A line in the making; the last byte is kept for its newline. */
struct line {
    char text[LINE_SIZE_BYTES];
    size_t length;
    bool full; /* a piece did not fit: nothing more is added, so that no piece stands half */
};

static bool put(struct line *line, const char *piece, size_t length, size_t spare) {
    if (line->full || line->length + length + spare >= sizeof(line->text)) {
        line->full = true;
        return false;
    }
    memcpy(line->text + line->length, piece, length);
    line->length += length;
    return true;
}

static size_t escape(unsigned char c, char out[static 8]) {
    if (c == '"' || c == '\\')
        return (size_t)snprintf(out, 8, "\\%c", c);
    if (c == '\n')
        return (size_t)snprintf(out, 8, "\\n");
    if (c == '\t')
        return (size_t)snprintf(out, 8, "\\t");
    if (c < 0x20 || c >= 0x7f)
        return (size_t)snprintf(out, 8, "\\x%02x", c);
    out[0] = (char)c;
    return 1;
}

/* The closing quote stands even when the value is cut: room for it is kept. */
static void put_quoted(struct line *line, const char *value, size_t max_length) {
    char piece[8];

    if (!value)
        value = "(null)";
    if (!put(line, "\"", 1, 1))
        return;
    for (size_t i = 0; i < max_length && value[i]; i++)
        if (!put(line, piece, escape((unsigned char)value[i], piece), 1))
            break;
    line->text[line->length++] = '"';
}

/* One conversion, as it stands between '%' and its letter. */
struct conversion {
    bool zero;
    int width;
    size_t precision; /* SIZE_MAX: none */
    char length;      /* 'H' for hh, 'h', 'l', 'L' for ll, 'z', 'j', 't'; 0: none */
    char letter;
};

/* The arguments left, by reference: a va_list that was passed by value may not be used again. */
struct arguments {
    va_list list;
};

static const char *parse_number(const char *at, struct arguments *arguments, int *out) {
    if (*at == '*') {
        *out = va_arg(arguments->list, int);
        return at + 1;
    }
    for (*out = 0; *at >= '0' && *at <= '9' && *out < LINE_SIZE_BYTES; at++)
        *out = *out * 10 + (*at - '0');
    return at;
}

static const char *parse_length(const char *at, char *out) {
    *out = 0;
    if (at[0] == 'h' || at[0] == 'l') {
        bool twice = at[1] == at[0];
        *out = at[0] == 'h' ? (twice ? 'H' : 'h') : (twice ? 'L' : 'l');
        return at + (twice ? 2 : 1);
    }
    if (*at == 'z' || *at == 'j' || *at == 't')
        *out = *at++;
    return at;
}

static const char *parse_conversion(const char *at, struct arguments *arguments, struct conversion *out) {
    int precision;

    out->zero = *at == '0';
    at = parse_number(at, arguments, &out->width);
    out->precision = SIZE_MAX;
    if (*at == '.') {
        at = parse_number(at + 1, arguments, &precision);
        if (precision >= 0)
            out->precision = (size_t)precision;
    }
    at = parse_length(at, &out->length);
    out->letter = *at;
    return *at ? at + 1 : at;
}

static intmax_t take_signed(const struct conversion *conversion, struct arguments *arguments) {
    switch (conversion->length) {
    case 'l':
        return va_arg(arguments->list, long);
    case 'L':
        return va_arg(arguments->list, long long);
    case 'z':
        return va_arg(arguments->list, ssize_t);
    case 'j':
        return va_arg(arguments->list, intmax_t);
    case 't':
        return va_arg(arguments->list, ptrdiff_t);
    default:
        return va_arg(arguments->list, int);
    }
}

static uintmax_t take_unsigned(const struct conversion *conversion, struct arguments *arguments) {
    uintmax_t value = (uintmax_t)take_signed(conversion, arguments);

    switch (conversion->length) {
    case 'H':
        return (unsigned char)value;
    case 'h':
        return (unsigned short)value;
    case 0:
        return (unsigned)value;
    default:
        return value;
    }
}

static void put_integer(struct line *line, const struct conversion *conversion, struct arguments *arguments) {
    char text[128];
    int width = conversion->width < 0 ? 0 : conversion->width > 64 ? 64 : conversion->width;
    int precision = conversion->zero ? width : 1, length;

    if (conversion->letter == 'd' || conversion->letter == 'i')
        length = snprintf(text, sizeof(text), "%*.*jd", width, precision, take_signed(conversion, arguments));
    else if (conversion->letter == 'u')
        length = snprintf(text, sizeof(text), "%*.*ju", width, precision, take_unsigned(conversion, arguments));
    else if (conversion->letter == 'o')
        length = snprintf(text, sizeof(text), "%*.*jo", width, precision, take_unsigned(conversion, arguments));
    else
        length = snprintf(text, sizeof(text), "%*.*jx", width, precision, take_unsigned(conversion, arguments));
    put(line, text, (size_t)length, 0);
}

/* false for a conversion that is not understood. */
static bool put_conversion(struct line *line, const struct conversion *conversion, struct arguments *arguments) {
    char text[32];

    switch (conversion->letter) {
    case 's':
        put_quoted(line, va_arg(arguments->list, const char *), conversion->precision);
        return true;
    case 'c':
        put_quoted(line, (const char[]){(char)va_arg(arguments->list, int), '\0'}, 1);
        return true;
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'o':
        put_integer(line, conversion, arguments);
        return true;
    case 'p':
        put(line, text, (size_t)snprintf(text, sizeof(text), "%p", va_arg(arguments->list, void *)), 0);
        return true;
    case '%':
        put(line, "%", 1, 0);
        return true;
    default:
        return false;
    }
}

static void put_pairs(struct line *line, const char *format, struct arguments *arguments) {
    while (*format && !line->full) {
        struct conversion conversion;
        size_t literal = strcspn(format, "%");

        put(line, format, literal, 0);
        format += literal;
        if (!*format)
            return;
        format = parse_conversion(format + 1, arguments, &conversion);
        if (!put_conversion(line, &conversion, arguments))
            return;
    }
}

static void write_line(struct line *line, enum gfs_log_level level, size_t prefix_length) {
    if (atomic_load(&to_syslog)) {
        syslog((int)level, "%.*s", (int)(line->length - prefix_length), line->text + prefix_length);
        return;
    }
    line->text[line->length++] = '\n';
    /* A log that cannot be written has nowhere to say so. */
    ssize_t written = write(STDERR_FILENO, line->text, line->length);
    (void)written;
}

void gfs_log(enum gfs_log_level level, const char *event, const char *format, ...) {
    struct line line = {.length = 0, .full = false};
    struct arguments arguments;
    char prefix[16];

    if (level > gfs_log_level())
        return;
    size_t prefix_length = (size_t)snprintf(prefix, sizeof(prefix), "<%d>", (int)level);
    put(&line, prefix, prefix_length, 0);
    put(&line, "event=", 6, 0);
    put(&line, event, strlen(event), 0);
    if (*format) {
        put(&line, " ", 1, 0);
        va_start(arguments.list, format);
        put_pairs(&line, format, &arguments);
        va_end(arguments.list);
    }
    write_line(&line, level, prefix_length);
}
