#include "core/cli/words.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Reads one word at *from, writes it at to, ends it. false: a quote or a backslash stays open. */
static bool take(char **from, char *to) {
    char quote = '\0';
    char *at = *from;
    for (; *at && (quote || !is_blank(*at)); at++) {
        if (quote == *at && quote) {
            quote = '\0';
        } else if (!quote && (*at == '"' || *at == '\'')) {
            quote = *at;
        } else if (*at == '\\' && quote != '\'') {
            if (at[1] == '\0' || at[1] == '\n')
                return false;
            *to++ = *++at;
        } else {
            *to++ = *at;
        }
    }
    if (quote)
        return false;
    *from = *at ? at + 1 : at;
    *to = '\0';
    return true;
}

int cli_words_split(char *line, char **words, size_t size, size_t *count, struct gfs_error *err) {
    size_t found = 0;
    for (char *at = line;;) {
        while (is_blank(*at))
            at++;
        if (!*at)
            break;
        if (found == size)
            return gfs_error_set(err, EINVAL, "too many words");
        char *word = at;
        if (!take(&at, word))
            return gfs_error_set(err, EINVAL, "a quote or a backslash without its end");
        words[found++] = word;
    }
    *count = found;
    return 0;
}
