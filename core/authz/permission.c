#include "guildfs/permission.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct named_set {
    const char *name;
    gfs_perms perms;
};

static const struct named_set permissions[] = {
    {"view", GFS_VIEW},     {"download", GFS_DOWNLOAD}, {"upload", GFS_UPLOAD},
    {"rename", GFS_RENAME}, {"delete", GFS_DELETE},     {"make-folder", GFS_MAKE_FOLDER},
};

static const struct named_set presets[] = {
    {"viewer", GFS_VIEW},
    {"reader", GFS_VIEW | GFS_DOWNLOAD},
    {"contributor", GFS_VIEW | GFS_DOWNLOAD | GFS_UPLOAD | GFS_MAKE_FOLDER},
    {"editor", GFS_ALL_PERMS},
    {"dropbox", GFS_UPLOAD | GFS_MAKE_FOLDER},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool find_named(const struct named_set *sets, size_t count, const char *word, size_t length, gfs_perms *out) {
    for (size_t i = 0; i < count; i++) {
        if (strlen(sets[i].name) == length && memcmp(sets[i].name, word, length) == 0) {
            *out = sets[i].perms;
            return true;
        }
    }
    return false;
}

static int parse_word(const char *word, size_t length, gfs_perms *out, struct gfs_error *err) {
    if (find_named(permissions, COUNT(permissions), word, length, out) ||
        find_named(presets, COUNT(presets), word, length, out))
        return 0;
    return gfs_error_set(err, EINVAL,
                         "\"%.*s\" is no permission: use view, download, upload, rename, delete, make-folder, or one "
                         "of viewer, reader, contributor, editor, dropbox",
                         (int)(length < 64 ? length : 64), word);
}

/* The word between two commas, without the blanks around it. */
static const char *trim(const char *word, size_t *length) {
    while (*length > 0 && *word == ' ') {
        word++;
        --*length;
    }
    while (*length > 0 && word[*length - 1] == ' ')
        --*length;
    return word;
}

int gfs_perms_parse(const char *text, gfs_perms *out, struct gfs_error *err) {
    gfs_perms all = 0;
    size_t whole_length = strlen(text);
    const char *whole = trim(text, &whole_length);

    if (whole_length == 4 && memcmp(whole, "none", 4) == 0) {
        *out = 0;
        return 0;
    }
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ","), word_length = length;
        const char *word = trim(at, &word_length);
        gfs_perms perms = 0;
        int result = parse_word(word, word_length, &perms, err);

        if (result < 0)
            return result;
        all |= perms;
        at += length;
        if (!*at)
            break;
    }
    *out = all;
    return 0;
}

void gfs_perms_format(gfs_perms perms, char text[static GFS_PERMS_TEXT_SIZE]) {
    size_t used = 0;

    snprintf(text, GFS_PERMS_TEXT_SIZE, "none");
    for (size_t i = 0; i < COUNT(permissions); i++)
        if (perms & permissions[i].perms)
            used +=
                (size_t)snprintf(text + used, GFS_PERMS_TEXT_SIZE - used, "%s%s", used ? "," : "", permissions[i].name);
}

const char *gfs_perms_preset(gfs_perms perms) {
    for (size_t i = 0; i < COUNT(presets); i++)
        if (presets[i].perms == perms)
            return presets[i].name;
    return NULL;
}
