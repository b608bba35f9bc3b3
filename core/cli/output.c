#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/cli/output.h"
#include "guildfs/clock.h"
#include "guildfs/permission.h"

/* ---- values ---- */

/* Bytes of the UTF-8 character at text, 0 when it is none. jansson is asked, so that what passes
 * here passes there. */
static size_t character_length(const char *text) {
    for (size_t length = 1; length <= 4 && text[length - 1]; length++) {
        json_t *probe = json_stringn(text, length);
        if (probe) {
            json_decref(probe);
            return length;
        }
    }
    return 0;
}

static json_t *repaired_text(const char *text) {
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    char *copy = malloc(3 * strlen(text) + 1), *end = copy;
    if (!copy)
        return NULL;
    while (*text) {
        size_t length = character_length(text);
        const char *from = length ? text : replacement;
        size_t size = length ? length : sizeof(replacement) - 1;
        memcpy(end, from, size);
        end += size;
        text += length ? length : 1;
    }
    json_t *result = json_stringn(copy, (size_t)(end - copy));
    free(copy);
    return result;
}

json_t *cli_json_text(const char *text) {
    if (!text)
        return json_null();
    json_t *result = json_string(text);
    return result ? result : repaired_text(text);
}

json_t *cli_json_time(int64_t ns) {
    if (ns == GFS_NEVER || ns == 0)
        return json_null();
    time_t seconds = (time_t)(ns / GFS_NS_PER_S);
    struct tm parts;
    char text[32];
    if (!gmtime_r(&seconds, &parts) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts))
        return json_null();
    return json_string(text);
}

json_t *cli_json_perms(unsigned perms) {
    json_t *list = json_array();
    for (unsigned bit = 1; bit <= GFS_ALL_PERMS; bit <<= 1) {
        char text[GFS_PERMS_TEXT_SIZE];
        gfs_perms_format((gfs_perms)bit, text);
        if (perms & bit)
            json_array_append_new(list, json_string(text));
    }
    return list;
}

/* ---- printing ---- */

enum gfs_exit cli_flush(const struct cli_call *call) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return GFS_EXIT_DONE;
    struct gfs_error err;
    gfs_error_set(&err, EIO, "cannot write to standard output: %s", strerror(errno));
    return cli_fail(call, &err);
}

static enum gfs_exit out_of_memory(const struct cli_call *call) {
    struct gfs_error err;
    gfs_error_set(&err, ENOMEM, "out of memory");
    return cli_fail(call, &err);
}

static void print_json(const json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
}

/* The text of a value, for people. The caller frees it. */
static char *cell_text(const json_t *value) {
    char *text = NULL;
    if (!value || json_is_null(value))
        return strdup("-");
    if (json_is_string(value))
        return strdup(json_string_value(value));
    if (json_is_integer(value))
        return asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) < 0 ? NULL : text;
    if (json_is_boolean(value))
        return strdup(json_is_true(value) ? "yes" : "no");
    size_t index, size = 0;
    const json_t *element;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return NULL;
    json_array_foreach(value, index, element) {
        char *part = cell_text(element);
        fprintf(stream, "%s%s", index ? "," : "", part ? part : "?");
        free(part);
    }
    if (json_array_size(value) == 0)
        fputs("-", stream);
    fclose(stream);
    return text;
}

/* Columns that a text takes: its characters, as if none were wide. */
static int text_width(const char *text) {
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

/* A path may hold anything: control characters do not reach the terminal. */
static void print_clean(const char *text) {
    for (; *text; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

#define MAX_COLUMNS 16

static void measure(const json_t *list, const struct cli_column *columns, int widths[MAX_COLUMNS]) {
    for (size_t c = 0; c < MAX_COLUMNS && columns[c].key; c++) {
        widths[c] = columns[c].title ? text_width(columns[c].title) : 0;
        size_t row;
        const json_t *object;
        json_array_foreach(list, row, object) {
            char *text = cell_text(json_object_get(object, columns[c].key));
            int width = text ? text_width(text) : 0;
            widths[c] = width > widths[c] ? width : widths[c];
            free(text);
        }
    }
}

static void print_cell(const char *text, int width, bool last) {
    print_clean(text);
    if (!last)
        printf("%*s", width - text_width(text) + 2, "");
}

static bool is_last(const struct cli_column *columns, size_t c) {
    for (c++; columns[c].key; c++) {
        if (columns[c].title)
            return false;
    }
    return true;
}

static void print_table(const json_t *list, const struct cli_column *columns) {
    int widths[MAX_COLUMNS];
    measure(list, columns, widths);
    if (json_array_size(list) == 0)
        return;
    for (size_t c = 0; c < MAX_COLUMNS && columns[c].key; c++) {
        if (columns[c].title)
            print_cell(columns[c].title, widths[c], is_last(columns, c));
    }
    putchar('\n');
    size_t row;
    const json_t *object;
    json_array_foreach(list, row, object) {
        for (size_t c = 0; c < MAX_COLUMNS && columns[c].key; c++) {
            if (!columns[c].title)
                continue;
            char *text = cell_text(json_object_get(object, columns[c].key));
            print_cell(text ? text : "?", widths[c], is_last(columns, c));
            free(text);
        }
        putchar('\n');
    }
}

enum gfs_exit cli_print_list(const struct cli_call *call, json_t *list, const struct cli_column *columns) {
    if (!list)
        return out_of_memory(call);
    if (call->json)
        print_json(list);
    else
        print_table(list, columns);
    json_decref(list);
    return cli_flush(call);
}

enum gfs_exit cli_print_object(const struct cli_call *call, json_t *object, const struct cli_column *columns) {
    if (!object)
        return out_of_memory(call);
    if (call->json) {
        print_json(object);
    } else {
        int width = 0;
        for (size_t c = 0; columns[c].key; c++) {
            if (columns[c].title && text_width(columns[c].title) > width)
                width = text_width(columns[c].title);
        }
        for (size_t c = 0; columns[c].key; c++) {
            if (!columns[c].title)
                continue;
            char *text = cell_text(json_object_get(object, columns[c].key));
            print_cell(columns[c].title, width, false);
            print_clean(text ? text : "?");
            putchar('\n');
            free(text);
        }
    }
    json_decref(object);
    return cli_flush(call);
}

enum gfs_exit cli_print_done(const struct cli_call *call, json_t *object) {
    if (!object)
        return out_of_memory(call);
    if (call->json)
        print_json(object);
    json_decref(object);
    return cli_flush(call);
}
