/*
 * The case language (README.md), parsed. Everything that a struct case_file holds lives until
 * case_file_free(). References between declarations have been checked: a group, user, share or
 * folder that is named has been declared.
 */
#ifndef GUILDFS_TESTS_CASES_PARSE_H
#define GUILDFS_TESTS_CASES_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guildfs/model.h"
#include "guildfs/op.h"

#define CASE_MAX_GROUPS 8 /* of one principal */

struct case_membership {
    const char *group;
    enum gfs_role role;
};

struct case_principal {
    int line;
    const char *name;
    struct case_membership in[CASE_MAX_GROUPS];
    size_t in_count;
    bool suspended;
};

struct case_share {
    int line;
    const char *name, *group, *owner; /* group and owner may be NULL */
    enum gfs_kind kind;
    bool overwrite_upload, archived;
    int64_t grace_ns;
    int64_t quota_bytes; /* 0: none */
};

struct case_grant {
    int line;
    enum gfs_subject_kind subject_kind;
    const char *subject; /* NULL for everyone */
    const char *share;
    gfs_perms perms;
};

enum case_item_kind { CASE_FOLDER, CASE_FILE, CASE_SYMLINK };

struct case_item {
    int line;
    enum case_item_kind kind;
    const char *path;
    const char *by; /* who uploaded it; NULL: nobody knows */
    bool pending;
};

struct case_expect {
    int line;
    const char *user, *path, *to; /* to: NULL where there is none */
    enum gfs_op op;
    bool exclusive; /* create-excl */
    int error;      /* positive errno; 0: allowed */
};

struct case_file {
    const char *path;
    char *text;
    const char **groups;
    struct case_principal *principals;
    struct case_share *shares;
    struct case_grant *grants;
    struct case_item *items;
    struct case_expect *expects;
    size_t group_count, principal_count, share_count, grant_count, item_count, expect_count;
};

/*
 * Reads a file. 0; -EINVAL when a line is not in the language, or the errno of open(2) and
 * read(2). err then says "FILE:LINE: what is wrong".
 */
int case_file_read(const char *path, struct case_file *out, struct gfs_error *err) GFS_MUST_CHECK;
void case_file_free(struct case_file *file);

/* Lookups (find.c). NULL when there is none. */
bool case_find_group(const struct case_file *file, const char *name);
const struct case_principal *case_find_principal(const struct case_file *file, const char *name);
const struct case_share *case_find_share(const struct case_file *file, const char *name, size_t length);
const struct case_item *case_find_item(const struct case_file *file, const char *path, size_t length);

/* "EACCES" and the other errnos that the contract knows; 0 and NULL for any other. */
int case_errno_parse(const char *name);
const char *case_errno_name(int error);

#endif
