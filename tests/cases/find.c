#include <errno.h>
#include <string.h>

#include "tests/cases/parse.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool case_find_group(const struct case_file *file, const char *name) {
    for (size_t i = 0; i < file->group_count; i++)
        if (strcmp(file->groups[i], name) == 0)
            return true;
    return false;
}

const struct case_principal *case_find_principal(const struct case_file *file, const char *name) {
    for (size_t i = 0; i < file->principal_count; i++)
        if (strcmp(file->principals[i].name, name) == 0)
            return &file->principals[i];
    return NULL;
}

const struct case_share *case_find_share(const struct case_file *file, const char *name, size_t length) {
    for (size_t i = 0; i < file->share_count; i++)
        if (strlen(file->shares[i].name) == length && memcmp(file->shares[i].name, name, length) == 0)
            return &file->shares[i];
    return NULL;
}

const struct case_item *case_find_item(const struct case_file *file, const char *path, size_t length) {
    for (size_t i = 0; i < file->item_count; i++)
        if (strlen(file->items[i].path) == length && memcmp(file->items[i].path, path, length) == 0)
            return &file->items[i];
    return NULL;
}

static const struct {
    const char *name;
    int error;
} errnos[] = {
    {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"EEXIST", EEXIST}, {"EINVAL", EINVAL},         {"ENOENT", ENOENT},
    {"EPERM", EPERM},   {"EROFS", EROFS},   {"EXDEV", EXDEV},   {"EOPNOTSUPP", EOPNOTSUPP},
};

int case_errno_parse(const char *name) {
    for (size_t i = 0; i < COUNT(errnos); i++)
        if (strcmp(errnos[i].name, name) == 0)
            return errnos[i].error;
    return 0;
}

const char *case_errno_name(int error) {
    for (size_t i = 0; i < COUNT(errnos); i++)
        if (errnos[i].error == error)
            return errnos[i].name;
    return NULL;
}
