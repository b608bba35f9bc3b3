#include "tests/cases/facts.h"

#include <string.h>

/* Every file of a case is this long; for the quota. */
#define FILE_SIZE_BYTES 16

static bool is_member(const struct case_principal *user, const char *group) {
    for (size_t i = 0; i < user->in_count; i++)
        if (strcmp(user->in[i].group, group) == 0)
            return true;
    return false;
}

static bool reaches_user(const struct case_grant *grant, const struct case_principal *user) {
    switch (grant->subject_kind) {
    case GFS_SUBJECT_USER:
        return strcmp(grant->subject, user->name) == 0;
    case GFS_SUBJECT_GROUP:
        return is_member(user, grant->subject);
    case GFS_SUBJECT_ORGANIZATION:
    case GFS_SUBJECT_EVERYONE:
        return true;
    case GFS_SUBJECT_TEAM:
        break;
    }
    return false;
}

static const char *source_name(const struct case_grant *grant) {
    return grant->subject ? grant->subject : "everyone";
}

size_t case_sources(const struct case_file *file, const struct case_principal *user, const struct case_share *share,
                    struct gfs_source sources[static CASE_MAX_SOURCES]) {
    size_t count = 0;

    if (share->owner && strcmp(share->owner, user->name) == 0)
        sources[count++] = (struct gfs_source){.perms = GFS_ALL_PERMS, .via = "owner"};
    for (size_t i = 0; i < file->grant_count && count < CASE_MAX_SOURCES; i++) {
        const struct case_grant *grant = &file->grants[i];
        if (strcmp(grant->share, share->name) == 0 && reaches_user(grant, user))
            sources[count++] = (struct gfs_source){.perms = grant->perms, .via = source_name(grant)};
    }
    return count;
}

static bool is_below(const char *path, const char *folder) {
    size_t length = strlen(folder);

    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

static bool over_quota(const struct case_file *file, const struct case_share *share) {
    int64_t used_bytes = 0;

    for (size_t i = 0; i < file->item_count; i++)
        if (file->items[i].kind == CASE_FILE && is_below(file->items[i].path, share->name))
            used_bytes += FILE_SIZE_BYTES;
    return share->quota_bytes > 0 && used_bytes >= share->quota_bytes;
}

static bool is_own_pending(const struct case_item *item, const struct case_principal *user,
                           const struct case_share *share) {
    return item->pending && share->grace_ns > 0 && strcmp(item->by, user->name) == 0;
}

/* Whether nothing is in the folder but what is the user's own and pending. */
static bool holds_own(const struct case_file *file, const struct case_item *folder, const struct case_principal *user,
                      const struct case_share *share) {
    for (size_t i = 0; i < file->item_count; i++)
        if (is_below(file->items[i].path, folder->path) && !is_own_pending(&file->items[i], user, share))
            return false;
    return true;
}

static struct gfs_facts make_facts(const struct case_file *file, const struct case_principal *user,
                                   const struct case_share *share, const struct case_item *item) {
    struct gfs_source sources[CASE_MAX_SOURCES];
    size_t count = case_sources(file, user, share, sources);
    struct gfs_facts facts = {
        .effective = gfs_effective(sources, count, GFS_ALL_PERMS, user->suspended),
        .archived = share->archived,
        .overwrite_upload = share->overwrite_upload,
        .over_quota = over_quota(file, share),
        .share_root = !item,
        .folder = !item || item->kind == CASE_FOLDER,
    };

    if (item && is_own_pending(item, user, share)) {
        facts.own_listed = facts.folder;
        facts.own_pending = !facts.folder || holds_own(file, item, user, share);
    }
    return facts;
}

bool case_object_find(const struct case_file *file, const struct case_principal *user, const char *path, size_t length,
                      struct case_object *out) {
    size_t share_length = strcspn(path, "/");
    const struct case_share *share = case_find_share(file, path, share_length);
    const struct case_item *item = length > share_length ? case_find_item(file, path, length) : NULL;

    if (!share || (length > share_length && !item))
        return false;
    *out = (struct case_object){.share = share, .item = item, .facts = make_facts(file, user, share, item)};
    return true;
}

size_t case_folder_length(const char *path) {
    return (size_t)(strrchr(path, '/') - path);
}

bool case_reaches(const struct case_file *file, const struct case_principal *user, const char *path) {
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        struct case_object folder;
        if (!case_object_find(file, user, path, (size_t)(slash - path), &folder) || !gfs_visible(&folder.facts))
            return false;
    }
    return true;
}
