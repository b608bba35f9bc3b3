/* Finding a share by what a person writes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/store/share_record.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

/* A part of a reference, between two '/'. */
struct part {
    const char *text;
    int length;
};

/* Takes the part before the next '/' from *text, and moves *text behind that. false: none is left. */
static bool next_part(const char **text, struct part *out) {
    const char *end = strchrnul(*text, '/');

    if (end == *text)
        return false;
    *out = (struct part){*text, (int)(end - *text)};
    while (*end == '/')
        end++;
    *text = end;
    return true;
}

static bool part_is(struct part part, const char *text) {
    return strlen(text) == (size_t)part.length && memcmp(part.text, text, (size_t)part.length) == 0;
}

static const char *kind_of_folder(struct part part) {
    for (enum gfs_kind kind = 0; kind < GFS_KIND_COUNT; kind++)
        if (part_is(part, gfs_kind_folder(kind)))
            return gfs_kind_name(kind);
    return NULL;
}

static int load_in_group(struct gfs_store *store, const char *group, const char *kind, const char *name,
                         struct gfs_share_record **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, GFS_SELECT_SHARE "WHERE g.name = ?2 AND s.kind = ?3 AND s.name = ?4", err);
    gfs_bind_text(&statement, store->path);
    gfs_bind_text(&statement, group);
    gfs_bind_text(&statement, kind);
    gfs_bind_text(&statement, name);
    return gfs_statement_load(&statement, &gfs_share_type, out, "the group \"%s\" has no %s share \"%s\"", group, kind,
                              name);
}

static int load_uuid(struct gfs_store *store, const char *uuid, struct gfs_share_record **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, GFS_SELECT_SHARE "WHERE s.uuid = ?2", err);
    gfs_bind_text(&statement, store->path);
    gfs_bind_text(&statement, uuid);
    return gfs_statement_load(&statement, &gfs_share_type, out, "there is no share \"%s\"", uuid);
}

/* -EINVAL, with references that tell the shares of this name apart, as many as a line takes. */
static int fail_ambiguous(struct gfs_store *store, const char *name, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    char references[512] = "";
    size_t used = 0;
    int rc;

    gfs_statement_open(&statement, store,
                       "SELECT s.uuid, s.kind, g.name FROM shares s LEFT JOIN groups g ON g.id = s.group_id "
                       "WHERE s.name = ?1 ORDER BY g.name, s.kind, s.id LIMIT 4",
                       err);
    gfs_bind_text(&statement, name);
    while ((rc = gfs_statement_step(&statement)) == 1 && used < sizeof references - 1) {
        enum gfs_kind kind = GFS_KIND_FILES;
        const char *uuid = gfs_column_need(&statement);
        if (gfs_kind_parse(gfs_column_need(&statement), &kind, NULL) < 0)
            continue;
        const char *group = gfs_column_text(&statement);
        int length = group ? snprintf(references + used, sizeof references - used, ", %s/%s/%s", group,
                                      gfs_kind_folder(kind), name)
                           : snprintf(references + used, sizeof references - used, ", %s", uuid);
        used += length > 0 ? (size_t)length : 0;
    }
    if (rc < 0)
        return rc;
    return gfs_error_set(err, EINVAL, "more than one share is named \"%s\": write %s", name,
                         used > 2 ? references + 2 : "GROUP/KIND/NAME");
}

static int load_name(struct gfs_store *store, const char *name, struct gfs_share_record **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;

    gfs_statement_open(&statement, store, GFS_SELECT_SHARE "WHERE s.name = ?2 LIMIT 2", err);
    gfs_bind_text(&statement, store->path);
    gfs_bind_text(&statement, name);
    int rc = gfs_statement_load(&statement, &gfs_share_type, &share, "there is no share \"%s\"", name);
    if (rc < 0)
        return rc;
    rc = gfs_statement_step(&statement);
    if (rc == 1)
        return fail_ambiguous(store, name, err);
    if (rc < 0)
        return rc;
    *out = share;
    share = NULL;
    return 0;
}

/* Copies of the parts of a reference; a part that is longer than a name can be names nothing. */
static int copy_part(struct part part, char text[static GFS_NAME_MAX + 1], struct gfs_error *err) {
    if (part.length > GFS_NAME_MAX)
        return gfs_error_set(err, ENOENT, "there is no share \"%.40s...\"", part.text);
    memcpy(text, part.text, (size_t)part.length);
    text[part.length] = '\0';
    return 0;
}

int gfs_store_share_resolve(struct gfs_store *store, const char *text, struct gfs_share_record **out, const char **rest,
                            struct gfs_error *err) {
    const char *behind_first = text, *behind_third;
    char first[GFS_NAME_MAX + 1], third[GFS_NAME_MAX + 1];
    struct part parts[3];

    if (!next_part(&behind_first, &parts[0]))
        return gfs_error_set(err, EINVAL, "\"%s\" names no share: write NAME, or GROUP/KIND/NAME", text);
    behind_third = behind_first;
    int rc = copy_part(parts[0], first, err);
    if (rc < 0)
        return rc;
    if (next_part(&behind_third, &parts[1]) && next_part(&behind_third, &parts[2])) {
        const char *kind = kind_of_folder(parts[1]);
        rc = kind ? copy_part(parts[2], third, err) : -ENOENT;
        if (rc == 0)
            rc = load_in_group(store, first, kind, third, out, err);
        if (rc == 0)
            *rest = behind_third;
        if (rc != -ENOENT)
            return rc;
    }
    rc = gfs_uuid_valid(first) ? load_uuid(store, first, out, err) : load_name(store, first, out, err);
    if (rc == 0)
        *rest = behind_first;
    else if (rc == -ENOENT)
        return gfs_error_set(err, ENOENT, "there is no share \"%s\": write NAME, or GROUP/KIND/NAME", text);
    return rc;
}

int gfs_store_share_load(struct gfs_store *store, const char *reference, struct gfs_share_record **out,
                         struct gfs_error *err) {
    GFS_CLEANUP(gfs_record_freep) struct gfs_share_record *share = NULL;
    const char *rest = NULL;
    int rc = gfs_store_share_resolve(store, reference, &share, &rest, err);

    if (rc < 0)
        return rc;
    if (*rest)
        return gfs_error_set(err, ENOENT, "there is no share \"%s\": write NAME, or GROUP/KIND/NAME", reference);
    *out = share;
    share = NULL;
    return 0;
}
