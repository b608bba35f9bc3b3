#include "core/cli/audit_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/output.h"
#include "guildfs/audit.h"

/* A text that grows; NULL when memory is out. */
struct text {
    FILE *stream;
    char *buffer;
    size_t size;
};

static void begin(struct text *text) {
    *text = (struct text){0};
    text->stream = open_memstream(&text->buffer, &text->size);
}

static json_t *end(struct text *text) {
    json_t *value = NULL;
    if (text->stream && fclose(text->stream) == 0)
        value = *text->buffer ? cli_json_text(text->buffer) : json_null();
    free(text->buffer);
    return value;
}

/* A member of the record, as it is on the disk, escaped. */
static void put(struct text *text, const char *before, const json_t *record, const char *member) {
    char *bytes = gfs_audit_bytes(record, member), *shown = bytes ? gfs_audit_shown(bytes) : NULL;
    if (text->stream && shown)
        fprintf(text->stream, "%s%s", before, shown);
    free(shown);
    free(bytes);
}

static json_t *outcome_of(const json_t *record) {
    struct text text;
    const json_t *repeated = json_object_get(record, "repeated"), *lost = json_object_get(record, "lost");

    begin(&text);
    put(&text, "", record, "outcome");
    put(&text, " ", record, "error");
    if (text.stream && repeated)
        fprintf(text.stream, " x%" JSON_INTEGER_FORMAT, json_integer_value(repeated));
    if (text.stream && lost)
        fprintf(text.stream, "%" JSON_INTEGER_FORMAT " lines", json_integer_value(lost));
    return end(&text);
}

static json_t *operation_of(const json_t *record) {
    struct text text;
    bool known = json_is_string(json_object_get(record, "operation"));

    begin(&text);
    if (known)
        put(&text, "", record, "operation");
    else if (json_is_true(json_object_get(record, "flood")))
        fputs("many", text.stream ? text.stream : stderr);
    else
        put(&text, "", record, "event");
    return end(&text);
}

static json_t *what_of(const json_t *record) {
    const json_t *object = json_object_get(record, "object");
    struct text text;

    begin(&text);
    if (object) {
        put(&text, "", object, "kind");
        put(&text, " ", object, "name");
    } else {
        put(&text, "", record, "share");
        put(&text, ":", record, "path");
        put(&text, " -> ", record, "new_path");
    }
    return end(&text);
}

static json_t *process_of(const json_t *record) {
    const json_t *pid = json_object_get(record, "pid");
    struct text text;

    begin(&text);
    put(&text, "", record, "process");
    if (text.stream && json_integer_value(pid) > 0)
        fprintf(text.stream, "[%" JSON_INTEGER_FORMAT "]", json_integer_value(pid));
    return end(&text);
}

static void put_perms(struct text *text, const char *before, const json_t *perms) {
    const json_t *perm;
    size_t i;

    json_array_foreach(perms, i, perm) if (text->stream && json_is_string(perm))
        fprintf(text->stream, "%s%s", i ? "," : before, json_string_value(perm));
}

/* What was missing, and what there was; for an act of administration, from where. */
static json_t *why_of(const json_t *record) {
    const json_t *source, *missing = json_object_get(record, "missing");
    struct text text;
    size_t i;

    begin(&text);
    put(&text, "", record, "origin");
    if (json_array_size(missing))
        put_perms(&text, "missing ", missing);
    else
        put(&text, "", record, "reason");
    bool more = json_is_string(json_object_get(record, "reason"));
    json_array_foreach(json_object_get(record, "authorizations"), i, source) {
        put(&text, i || more ? "; " : "", source, "via");
        put_perms(&text, ": ", json_object_get(source, "perms"));
    }
    return end(&text);
}

static json_t *one(const json_t *record, const char *member) {
    struct text text;
    begin(&text);
    put(&text, "", record, member);
    return end(&text);
}

json_t *cli_audit_row(const json_t *record) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time", one(record, "time"), "outcome", outcome_of(record),
                     "operation", operation_of(record), "user", one(record, "user"), "what", what_of(record), "process",
                     process_of(record), "why", why_of(record));
}
