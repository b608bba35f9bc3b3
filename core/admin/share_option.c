/* The options of a share, as people write them: KEY=VALUE. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "guildfs/admin.h"
#include "guildfs/value.h"

#define TITLE_MAX 255 /* bytes */

/* 0 for no, 1 for yes; -EINVAL. */
static int parse_choice(const char *key, const char *value, const char *no, const char *yes, struct gfs_error *err) {
    if (strcmp(value, no) == 0)
        return 0;
    if (strcmp(value, yes) == 0)
        return 1;
    return gfs_error_set(err, EINVAL, "%s=%s: the value is %s or %s", key, value, no, yes);
}

static int set_overwrite(const char *value, struct gfs_share_options *options, struct gfs_error *err) {
    int choice = parse_choice("overwrite", value, "delete", "upload", err);
    options->overwrite_upload = choice > 0;
    return choice;
}

static int set_grace(const char *value, struct gfs_share_options *options, struct gfs_error *err) {
    return gfs_duration_parse(value, &options->grace_ns, err);
}

static int set_quota(const char *value, struct gfs_share_options *options, struct gfs_error *err) {
    options->quota_bytes = 0;
    if (strcmp(value, "none") == 0)
        return 0;
    int rc = gfs_size_parse(value, &options->quota_bytes, err);
    /* 0 would read as "nothing fits", and mean "no limit". */
    if (rc == 0 && options->quota_bytes == 0)
        rc = gfs_error_set(err, EINVAL, "quota=0: write quota=none for no quota; state=archived lets nobody add");
    return rc;
}

static int set_state(const char *value, struct gfs_share_options *options, struct gfs_error *err) {
    int choice = parse_choice("state", value, "active", "archived", err);
    options->state = choice > 0 ? GFS_SHARE_ARCHIVED : GFS_SHARE_ACTIVE;
    return choice;
}

static int set_data(const char *value, struct gfs_share_options *options, struct gfs_error *err) {
    int choice = parse_choice("data", value, "revocable", "fast", err);
    options->data_mode = choice > 0 ? GFS_DATA_FAST : GFS_DATA_REVOCABLE;
    return choice;
}

static int set_audit(const char *value, struct gfs_share_options *options, struct gfs_error *err) {
    for (int depth = GFS_AUDIT_NONE; depth <= GFS_AUDIT_ALL; depth++) {
        if (strcmp(value, gfs_share_audit_name((enum gfs_share_audit)depth)) == 0) {
            options->audit = (enum gfs_share_audit)depth;
            return 0;
        }
    }
    return gfs_error_set(err, EINVAL, "audit=%s: the value is none, changes or all", value);
}

static int set_on_revoke(const char *value, struct gfs_share_options *options, struct gfs_error *err) {
    int choice = parse_choice("on_revoke", value, "poison", "kill", err);
    options->on_revoke = choice > 0 ? GFS_REVOKE_KILL : GFS_REVOKE_POISON;
    return choice;
}

static int set_title(const char *value, struct gfs_share_options *options, struct gfs_error *err) {
    if (strlen(value) > TITLE_MAX)
        return gfs_error_set(err, EINVAL, "the title is longer than %d bytes", TITLE_MAX);
    for (const char *at = value; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return gfs_error_set(err, EINVAL, "the title has a control character in it");
    }
    json_t *probe = json_string(value);
    json_decref(probe);
    if (!probe)
        return gfs_error_set(err, EINVAL, "the title is no UTF-8");
    options->title = value;
    return 0;
}

static int set_owner(const char *value, struct gfs_share_options *options, struct gfs_error *err) {
    (void)err;
    options->owner = strcmp(value, "none") == 0 ? "" : value;
    return 0;
}

static const struct {
    const char *key;
    enum gfs_share_option option;
    int (*set)(const char *value, struct gfs_share_options *options, struct gfs_error *err);
} keys[] = {
    {"overwrite", GFS_SET_OVERWRITE, set_overwrite},
    {"grace", GFS_SET_GRACE, set_grace},
    {"quota", GFS_SET_QUOTA, set_quota},
    {"state", GFS_SET_STATE, set_state},
    {"data", GFS_SET_DATA, set_data},
    {"audit", GFS_SET_AUDIT, set_audit},
    {"on_revoke", GFS_SET_ON_REVOKE, set_on_revoke},
    {"title", GFS_SET_TITLE, set_title},
    {"owner", GFS_SET_OWNER, set_owner},
};

int gfs_share_option_parse(const char *assignment, struct gfs_share_options *options, struct gfs_error *err) {
    const char *equals = strchr(assignment, '=');
    size_t length = equals ? (size_t)(equals - assignment) : 0;
    for (size_t i = 0; equals && i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strlen(keys[i].key) != length || strncmp(keys[i].key, assignment, length) != 0)
            continue;
        struct gfs_share_options changed = *options;
        int rc = keys[i].set(equals + 1, &changed, err);
        if (rc < 0)
            return rc;
        changed.set |= keys[i].option;
        *options = changed;
        return 0;
    }
    return gfs_error_set(err, EINVAL,
                         "\"%s\" is no option of a share; options are overwrite=, grace=, quota=, state=, data=, "
                         "audit=, on_revoke=, title= and owner=",
                         assignment);
}
