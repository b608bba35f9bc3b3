#include "tests/cases/line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int case_bad(const struct line *line, const char *format, ...) {
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return gfs_error_set(line->err, EINVAL, "%s:%d: %s", line->file->path, line->number, text);
}

int case_bad_error(const struct line *line, const struct gfs_error *why) {
    return case_bad(line, "%s", why->message);
}

char *case_take(struct line *line) {
    return line->next < line->count ? line->words[line->next++] : NULL;
}

bool case_take_if(struct line *line, const char *word) {
    if (line->next == line->count || strcmp(line->words[line->next], word) != 0)
        return false;
    line->next++;
    return true;
}

int case_take_name(struct line *line, const char *what, const char **out) {
    const char *word = case_take(line);

    if (!word)
        return case_bad(line, "%s is missing", what);
    *out = word;
    return 0;
}

/* Reads one word, in place: quotes are taken away as a shell would. NULL at an open quote. */
static char *read_word(char **at) {
    char *word = *at, *to = *at;

    while (**at && !strchr(" \t#", **at)) {
        char quote = **at;
        if (quote != '"' && quote != '\'') {
            *to++ = *(*at)++;
            continue;
        }
        for (++*at; **at && **at != quote; ++*at)
            *to++ = **at;
        if (!**at)
            return NULL;
        ++*at;
    }
    /* What ends the word may be overwritten by its NUL. */
    if (**at == '#')
        **at = '\0';
    else if (**at)
        ++*at;
    *to = '\0';
    return word;
}

int case_split(struct line *line, char *text) {
    for (char *at = text + strspn(text, " \t"); *at && *at != '#'; at += strspn(at, " \t")) {
        if (line->count == MAX_WORDS)
            return case_bad(line, "more than %d words", MAX_WORDS);
        line->words[line->count] = read_word(&at);
        if (!line->words[line->count++])
            return case_bad(line, "a quote is not closed");
    }
    return 0;
}

void *case_append(void *array_pointer, size_t *count, size_t size) {
    void *array, *grown;

    memcpy(&array, array_pointer, sizeof(array));
    grown = reallocarray(array, *count + 1, size);
    if (!grown)
        return NULL;
    memcpy(array_pointer, &grown, sizeof(grown));
    return memset((char *)grown + size * (*count)++, 0, size);
}
