#include <string.h>

#include "core/store/db.h"

static const char *text_at(const void *record, size_t offset) {
    const char *text;

    memcpy(&text, (const char *)record + offset, sizeof text);
    return text;
}

void *gfs_record_dup(const void *record, size_t size, const size_t *texts, size_t text_count) {
    size_t total = size;

    for (size_t i = 0; i < text_count; i++)
        if (text_at(record, texts[i]))
            total += strlen(text_at(record, texts[i])) + 1;
    char *copy = malloc(total);
    if (!copy)
        return NULL;
    memcpy(copy, record, size);
    char *end = copy + size;
    for (size_t i = 0; i < text_count; i++) {
        const char *text = text_at(record, texts[i]);
        if (!text)
            continue;
        size_t length = strlen(text) + 1;
        memcpy(end, text, length);
        memcpy(copy + texts[i], &end, sizeof end);
        end += length;
    }
    return copy;
}
