#include "core/cli/audit_match.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "guildfs/audit.h"

static bool has_text(const json_t *object, const char *member, const char *text) {
    const char *value = json_string_value(json_object_get(object, member));
    return value && strcmp(value, text) == 0;
}

/* The path itself, something below it, or a pattern. By bytes, since a name need not be UTF-8. */
static bool path_fits(const json_t *record, const char *member, const char *wanted) {
    char *path = gfs_audit_bytes(record, member);
    size_t length = strlen(wanted);

    while (length > 1 && wanted[length - 1] == '/')
        length--;
    bool fits = path && ((strncmp(path, wanted, length) == 0 && (path[length] == '\0' || path[length] == '/')) ||
                         fnmatch(wanted, path, 0) == 0);
    free(path);
    return fits;
}

bool cli_audit_matches(const struct cli_audit_query *query, const json_t *record) {
    if (query->user && !has_text(record, "user_uuid", query->user_uuid))
        return false;
    if (query->of_share && !has_text(record, "share_uuid", query->share_uuid))
        return false;
    if (query->denied && !has_text(record, "outcome", "denied"))
        return false;
    if (query->operation && !has_text(record, "operation", query->operation))
        return false;
    return !query->path || path_fits(record, "path", query->path) || path_fits(record, "new_path", query->path);
}

/* Whether an authorization or a membership of the user is what changed. */
static bool concerns_user(const json_t *object, const char *user) {
    const char *subject = json_string_value(json_object_get(object, "subject"));
    return has_text(object, "user", user) ||
           (subject && strncmp(subject, "user:", 5) == 0 && !strcmp(subject + 5, user));
}

static bool entry_of_user(const struct gfs_audit_entry *entry, const char *user, const json_t *changed) {
    return strcmp(entry->actor_name, user) == 0 ||
           (entry->object_kind && strcmp(entry->object_kind, "user") == 0 && entry->object_name &&
            strcmp(entry->object_name, user) == 0) ||
           concerns_user(json_object_get(changed, "before"), user) ||
           concerns_user(json_object_get(changed, "after"), user);
}

bool cli_audit_matches_entry(const struct cli_audit_query *query, const struct gfs_audit_entry *entry,
                             const json_t *changed) {
    if (query->denied || query->path)
        return false; /* what is in the store was done, and to no file */
    if (entry->at_ns < query->since_ns || entry->at_ns > query->until_ns)
        return false;
    if (query->user && !entry_of_user(entry, query->user, changed))
        return false;
    if (query->of_share &&
        (!entry->object_kind || strcmp(entry->object_kind, "share") != 0 || entry->object != query->share))
        return false;
    return !query->operation || strcmp(entry->action, query->operation) == 0;
}
