#include "core/cli/holders.h"

#include <stdio.h>

static const char *word(const json_t *holder, const char *key) {
    const char *value = json_string_value(json_object_get(holder, key));
    return value ? value : "?";
}

static long long count(const json_t *holder, const char *key) {
    return (long long)json_integer_value(json_object_get(holder, key));
}

char *cli_holder_text(const json_t *holder) {
    long long descriptors = count(holder, "descriptors"), mappings = count(holder, "mappings");
    char *text = NULL;

    if (asprintf(&text, "%s (pid %lld, uid %lld) of %s in %s: %lld descriptor%s, %lld mapping%s",
                 word(holder, "program"), count(holder, "pid"), count(holder, "uid"), word(holder, "user"),
                 word(holder, "share"), descriptors, descriptors == 1 ? "" : "s", mappings,
                 mappings == 1 ? "" : "s") < 0)
        return NULL;
    /* A process chooses its name. */
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    return text;
}
