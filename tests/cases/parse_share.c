/* The statement `share`, with its options. */
#include <errno.h>
#include <string.h>

#include "guildfs/clock.h"
#include "tests/cases/line.h"

/* A number and its unit, out of a list of units; -1 when it is neither. */
static int64_t parse_amount(const char *text, const char *units, const int64_t *factors) {
    int64_t value = 0;
    const char *unit, *at = text;

    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
            return -1;
    if (at == text)
        return -1;
    if (!*at)
        return value;
    unit = strchr(units, *at);
    if (!unit || at[1] || __builtin_mul_overflow(value, factors[unit - units], &value))
        return -1;
    return value;
}

static int64_t parse_size(const char *text) {
    static const int64_t factors[] = {1LL << 10, 1LL << 20, 1LL << 30, 1LL << 40};

    return strcmp(text, "none") == 0 ? 0 : parse_amount(text, "KMGT", factors);
}

static int64_t parse_duration(const char *text) {
    static const int64_t factors[] = {GFS_NS_PER_S, 60 * GFS_NS_PER_S, 3600 * GFS_NS_PER_S, 86400 * GFS_NS_PER_S};
    size_t length = strlen(text);

    /* Without a unit it would be nanoseconds, which nobody means. */
    return length > 0 && strchr("smhd", text[length - 1]) ? parse_amount(text, "smhd", factors) : -1;
}

/* Whether value is yes or no, and which. */
static bool parse_choice(const char *value, const char *no, const char *yes, bool *out) {
    *out = strcmp(value, yes) == 0;
    return *out || strcmp(value, no) == 0;
}

static int parse_option(const struct line *line, struct case_share *share, const char *word) {
    const char *value = strchr(word, '=') + 1;
    size_t key_length = (size_t)(value - word);
    bool known = true;

    if (strncmp(word, "overwrite=", key_length) == 0)
        known = parse_choice(value, "delete", "upload", &share->overwrite_upload);
    else if (strncmp(word, "state=", key_length) == 0)
        known = parse_choice(value, "active", "archived", &share->archived);
    else if (strncmp(word, "quota=", key_length) == 0)
        known = (share->quota_bytes = parse_size(value)) >= 0;
    else if (strncmp(word, "grace=", key_length) == 0)
        known = (share->grace_ns = parse_duration(value)) >= 0;
    else if (strncmp(word, "data=", key_length) == 0)
        known = strcmp(value, "revocable") == 0 || strcmp(value, "fast") == 0; /* decides nothing */
    else if (strncmp(word, "title=", key_length) != 0)
        return case_bad(line, "\"%s\" is no option of a share: use overwrite, state, quota, grace, data or title",
                        word);
    return known ? 0 : case_bad(line, "\"%s\" has no value that the option knows", word);
}

static int parse_share_word(struct line *line, struct case_share *share) {
    const char *word = case_take(line);
    struct gfs_error why;
    int result;

    if (strcmp(word, "kind") == 0) {
        result = case_take_name(line, "the kind", &word);
        if (result == 0 && gfs_kind_parse(word, &share->kind, &why) < 0)
            return case_bad_error(line, &why);
        return result;
    }
    if (strcmp(word, "group") == 0) {
        result = case_take_name(line, "the group", &share->group);
        return result < 0 ? result : case_add_group(line, share->group);
    }
    if (strcmp(word, "owner") == 0) {
        result = case_take_name(line, "the owner", &share->owner);
        if (result == 0 && !case_find_principal(line->file, share->owner))
            return case_bad(line, "the owner \"%s\" has not been declared", share->owner);
        return result;
    }
    return strchr(word, '=') ? parse_option(line, share, word) : case_bad(line, "unexpected \"%s\"", word);
}

int case_parse_share(struct line *line) {
    struct case_file *file = line->file;
    struct case_share share = {.line = line->number, .grace_ns = 3600 * GFS_NS_PER_S};
    int result = case_take_name(line, "the share's name", &share.name);

    if (result == 0 && case_find_share(file, share.name, strlen(share.name)))
        return case_bad(line, "the share \"%s\" has been declared already", share.name);
    while (result == 0 && line->next < line->count)
        result = parse_share_word(line, &share);
    if (result < 0)
        return result;
    struct case_share *added = case_append(&file->shares, &file->share_count, sizeof(*added));
    if (!added)
        return -ENOMEM;
    *added = share;
    return 0;
}
