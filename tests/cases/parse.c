#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cases/line.h"

/* ---- group, principal ---- */

int case_add_group(struct line *line, const char *name) {
    struct case_file *file = line->file;

    if (case_find_group(file, name))
        return 0;
    const char **group = case_append(&file->groups, &file->group_count, sizeof(*group));
    if (!group)
        return -ENOMEM;
    *group = name;
    return 0;
}

static int parse_group(struct line *line) {
    const char *name = "";
    int result = case_take_name(line, "the group's name", &name);

    return result < 0 ? result : case_add_group(line, name);
}

static int parse_role(const struct line *line, const char *text, enum gfs_role *out) {
    static const char *const names[] = {
        [GFS_ROLE_MEMBER] = "member", [GFS_ROLE_ADMIN] = "admin", [GFS_ROLE_OWNER] = "owner"};

    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum gfs_role)i;
            return 0;
        }
    }
    return case_bad(line, "\"%s\" is no role: use member, admin or owner", text);
}

static int parse_membership(struct line *line, struct case_principal *principal) {
    char *word = case_take(line);

    if (!word)
        return case_bad(line, "the group is missing after \"in\"");
    if (principal->in_count == CASE_MAX_GROUPS)
        return case_bad(line, "more than %d groups", CASE_MAX_GROUPS);
    struct case_membership *membership = &principal->in[principal->in_count++];
    char *colon = strchr(word, ':');
    if (colon) {
        *colon = '\0';
        int result = parse_role(line, colon + 1, &membership->role);
        if (result < 0)
            return result;
    }
    membership->group = word;
    return case_add_group(line, word);
}

static int parse_principal(struct line *line) {
    struct case_file *file = line->file;
    struct case_principal principal = {.line = line->number};
    int result = case_take_name(line, "the principal's name", &principal.name);

    if (result == 0 && case_find_principal(file, principal.name))
        return case_bad(line, "the principal \"%s\" has been declared already", principal.name);
    while (result == 0) {
        if (case_take_if(line, "in"))
            result = parse_membership(line, &principal);
        else if (case_take_if(line, "suspended"))
            principal.suspended = true;
        else
            break;
    }
    if (result < 0)
        return result;
    struct case_principal *added = case_append(&file->principals, &file->principal_count, sizeof(*added));
    if (!added)
        return -ENOMEM;
    *added = principal;
    return 0;
}

/* ---- grant ---- */

static int parse_subject(const struct line *line, const char *text, struct case_grant *grant) {
    if (strcmp(text, "everyone") == 0) {
        grant->subject_kind = GFS_SUBJECT_EVERYONE;
        return 0;
    }
    const char *colon = strchr(text, ':');
    grant->subject = colon ? colon + 1 : "";
    if (strncmp(text, "user:", 5) == 0) {
        grant->subject_kind = GFS_SUBJECT_USER;
        return case_find_principal(line->file, grant->subject)
                   ? 0
                   : case_bad(line, "the user \"%s\" has not been declared", grant->subject);
    }
    if (strncmp(text, "group:", 6) == 0) {
        grant->subject_kind = GFS_SUBJECT_GROUP;
        return case_find_group(line->file, grant->subject)
                   ? 0
                   : case_bad(line, "the group \"%s\" has not been declared", grant->subject);
    }
    if (strcmp(text, "organization:default") == 0) {
        grant->subject_kind = GFS_SUBJECT_ORGANIZATION;
        return 0;
    }
    return case_bad(line, "\"%s\" is no subject: use user:NAME, group:NAME, organization:default or everyone", text);
}

static int parse_grant(struct line *line) {
    struct case_file *file = line->file;
    struct case_grant grant = {.line = line->number};
    const char *subject = case_take(line), *share = case_take(line), *perms = case_take(line);
    struct gfs_error why;

    if (!perms)
        return case_bad(line, "a grant is: grant SUBJECT share:NAME PERMISSIONS");
    int result = parse_subject(line, subject, &grant);
    if (result < 0)
        return result;
    if (strncmp(share, "share:", 6) != 0 || !case_find_share(file, share + 6, strlen(share + 6)))
        return case_bad(line, "\"%s\" is no share that has been declared: write share:NAME", share);
    grant.share = share + 6;
    if (gfs_perms_parse(perms, &grant.perms, &why) < 0)
        return case_bad_error(line, &why);
    struct case_grant *added = case_append(&file->grants, &file->grant_count, sizeof(*added));
    if (!added)
        return -ENOMEM;
    *added = grant;
    return 0;
}

/* ---- folder, file, symlink ---- */

/* That a path begins with a share, and that the folders on the way to its last name are there. */
static int check_path(const struct line *line, const char *path) {
    const struct case_file *file = line->file;
    size_t length = strcspn(path, "/");

    if (!case_find_share(file, path, length))
        return case_bad(line, "the path \"%s\" begins with no share that has been declared", path);
    while (path[length]) {
        size_t name_length = strcspn(path + length + 1, "/");
        if (name_length == 0)
            return case_bad(line, "the path \"%s\" has an empty name", path);
        length += 1 + name_length;
        const struct case_item *item = case_find_item(file, path, length);
        if (path[length] && (!item || item->kind != CASE_FOLDER))
            return case_bad(line, "the folder \"%.*s\" has not been declared", (int)length, path);
    }
    return 0;
}

static int parse_item(struct line *line, enum case_item_kind kind) {
    struct case_file *file = line->file;
    struct case_item item = {.line = line->number, .kind = kind};
    int result = case_take_name(line, "the path", &item.path);

    if (result == 0)
        result = check_path(line, item.path);
    if (result < 0)
        return result;
    if (!strchr(item.path, '/') || case_find_item(file, item.path, strlen(item.path)))
        return case_bad(line, "\"%s\" is there already", item.path);
    if (case_take_if(line, "by")) {
        result = case_take_name(line, "the user after \"by\"", &item.by);
        if (result < 0)
            return result;
        if (!case_find_principal(file, item.by))
            return case_bad(line, "the user \"%s\" has not been declared", item.by);
        item.pending = case_take_if(line, "pending");
    }
    struct case_item *added = case_append(&file->items, &file->item_count, sizeof(*added));
    if (!added)
        return -ENOMEM;
    *added = item;
    return 0;
}

/* ---- expect ---- */

static bool is_part_of_rename(enum gfs_op op) {
    return op == GFS_OP_MOVE_OUT || op == GFS_OP_MOVE_IN_FILE || op == GFS_OP_MOVE_IN_FOLDER || op == GFS_OP_REPLACE ||
           op == GFS_OP_SAVE;
}

static bool takes_two_paths(enum gfs_op op) {
    return op == GFS_OP_RENAME || op == GFS_OP_EXCHANGE || op == GFS_OP_LINK;
}

static int parse_operation(const struct line *line, const char *name, struct case_expect *expect) {
    struct gfs_error why;

    expect->exclusive = strcmp(name, "create-excl") == 0;
    if (gfs_op_parse(expect->exclusive ? "create" : name, &expect->op, &why) < 0)
        return case_bad_error(line, &why);
    if (is_part_of_rename(expect->op))
        return case_bad(line, "%s is a part of a rename: write rename PATH to PATH", name);
    return 0;
}

static int parse_outcome(struct line *line, struct case_expect *expect) {
    const char *error = "";

    if (case_take_if(line, "allow"))
        return 0;
    if (!case_take_if(line, "deny"))
        return case_bad(line, "the outcome is missing: allow, or deny ERRNO");
    int result = case_take_name(line, "the errno", &error);
    if (result < 0)
        return result;
    expect->error = case_errno_parse(error);
    return expect->error ? 0 : case_bad(line, "\"%s\" is no errno that the contract knows", error);
}

static int parse_expect(struct line *line) {
    struct case_file *file = line->file;
    struct case_expect expect = {.line = line->number};
    const char *op;

    expect.user = case_take(line);
    op = case_take(line);
    expect.path = case_take(line);
    if (!expect.path)
        return case_bad(line, "an expectation is: expect USER OPERATION PATH [to PATH] allow|deny ERRNO");
    if (!case_find_principal(file, expect.user))
        return case_bad(line, "the user \"%s\" has not been declared", expect.user);
    int result = parse_operation(line, op, &expect);
    if (result == 0)
        result = check_path(line, expect.path);
    if (result == 0 && case_take_if(line, "to"))
        result = case_take_name(line, "the path after \"to\"", &expect.to);
    if (result == 0 && expect.to)
        result = check_path(line, expect.to);
    if (result < 0)
        return result;
    if (takes_two_paths(expect.op) != (expect.to != NULL))
        return case_bad(line, expect.to ? "%s takes one path" : "%s takes two paths: write \"to PATH\"", op);
    result = parse_outcome(line, &expect);
    if (result < 0)
        return result;
    struct case_expect *added = case_append(&file->expects, &file->expect_count, sizeof(*added));
    if (!added)
        return -ENOMEM;
    *added = expect;
    return 0;
}

/* ---- the file ---- */

static int parse_statement(struct line *line) {
    const char *verb = case_take(line);

    if (strcmp(verb, "group") == 0)
        return parse_group(line);
    if (strcmp(verb, "principal") == 0)
        return parse_principal(line);
    if (strcmp(verb, "share") == 0)
        return case_parse_share(line);
    if (strcmp(verb, "grant") == 0)
        return parse_grant(line);
    if (strcmp(verb, "folder") == 0)
        return parse_item(line, CASE_FOLDER);
    if (strcmp(verb, "file") == 0)
        return parse_item(line, CASE_FILE);
    if (strcmp(verb, "symlink") == 0)
        return parse_item(line, CASE_SYMLINK);
    if (strcmp(verb, "expect") == 0)
        return parse_expect(line);
    return case_bad(line, "\"%s\" is no statement: use group, principal, share, grant, folder, file, symlink or expect",
                    verb);
}

static int parse_line(struct case_file *file, int number, char *text, struct gfs_error *err) {
    struct line line = {.file = file, .err = err, .number = number};
    int result = case_split(&line, text);

    if (result < 0 || line.count == 0)
        return result;
    result = parse_statement(&line);
    if (result == 0 && line.next < line.count)
        return case_bad(&line, "unexpected \"%s\"", line.words[line.next]);
    return result;
}

static int read_text(const char *path, char **out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int result = 0;

    if (fd < 0 || fstat(fd, &st) < 0) {
        result = -errno;
        if (fd >= 0)
            close(fd);
        return result;
    }
    char *text = calloc((size_t)st.st_size + 1, 1);
    ssize_t got = text ? read(fd, text, (size_t)st.st_size) : -1;
    if (got != st.st_size) {
        result = got < 0 ? -errno : -EIO;
        free(text);
    } else
        *out = text;
    close(fd);
    return result;
}

int case_file_read(const char *path, struct case_file *out, struct gfs_error *err) {
    struct case_file file = {.path = path};
    int number = 0, result = read_text(path, &file.text);

    if (result < 0)
        return gfs_error_set(err, -result, "%s: %s", path, strerror(-result));
    for (char *rest = file.text, *text; result == 0 && (text = strsep(&rest, "\n"));)
        result = parse_line(&file, ++number, text, err);
    if (result < 0) {
        if (result == -ENOMEM)
            gfs_error_set(err, ENOMEM, "%s: out of memory", path);
        case_file_free(&file);
        return result;
    }
    *out = file;
    return 0;
}

void case_file_free(struct case_file *file) {
    free(file->text);
    free(file->groups);
    free(file->principals);
    free(file->shares);
    free(file->grants);
    free(file->items);
    free(file->expects);
    *file = (struct case_file){0};
}
