/*
 * fs/ops/xattr.c, explain.c and statfs.c. The backing filesystem's attributes are played here, so
 * that its errors can be, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/notify.h"
#include "fs/ops/explain.h"
#include "fs/ops/ops.h"
#include "fs/quota.h"
#include "guildfs/clock.h"

/* ---- libfuse ---- */

enum { NONE = -1 };

static struct {
    int error;
    long length; /* of fuse_reply_xattr */
    char data[70000];
    size_t size;
    struct statvfs statfs;
} reply;

int fuse_reply_err(fuse_req_t req, int error) {
    (void)req;
    reply.error = error;
    return 0;
}

int fuse_reply_xattr(fuse_req_t req, size_t count) {
    (void)req;
    reply.length = (long)count;
    return 0;
}

int fuse_reply_buf(fuse_req_t req, const char *data, size_t size) {
    (void)req;
    assert_true(size < sizeof(reply.data));
    memcpy(reply.data, data, size);
    reply.data[size] = '\0';
    reply.size = size;
    return 0;
}

int fuse_reply_statfs(fuse_req_t req, const struct statvfs *st) {
    (void)req;
    reply.statfs = *st;
    return 0;
}

/* ---- the backing file ---- */

static const char *backing_list;
static size_t backing_list_size;
static int backing_error; /* negative */
static char backing_last[64];

ssize_t gfs_path_getxattr(int fd, const char *name, void *value, size_t size) {
    (void)fd;
    if (backing_error)
        return backing_error;
    if (strcmp(name, "user.colour") != 0)
        return -ENODATA;
    if (size > 0 && size < 4)
        return -ERANGE;
    if (size > 0)
        memcpy(value, "blue", 4);
    return 4;
}

ssize_t gfs_path_listxattr(int fd, char *list, size_t size) {
    (void)fd;
    if (backing_error)
        return backing_error;
    assert_true(size >= backing_list_size);
    memcpy(list, backing_list, backing_list_size);
    return (ssize_t)backing_list_size;
}

int gfs_path_setxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    (void)fd;
    (void)value;
    (void)size;
    (void)flags;
    snprintf(backing_last, sizeof(backing_last), "set %s", name);
    return backing_error;
}

int gfs_path_removexattr(int fd, const char *name) {
    (void)fd;
    snprintf(backing_last, sizeof(backing_last), "remove %s", name);
    return backing_error;
}

static int reopened;

int gfs_path_reopen(int path_fd, int flags, int *fd) {
    assert_int_equal(flags & O_ACCMODE, O_RDONLY);
    reopened++;
    *fd = dup(path_fd);
    return 0;
}

/* ---- the policy ---- */

static const struct gfs_group genomics = {.id = 5, .name = "genomics"};
static const struct gfs_user bob = {.id = 2, .name = "bob", .uuid = "uuid-of-bob"};
static bool exceeded;
static int64_t used_bytes;

const struct gfs_group *gfs_snapshot_group(const struct gfs_snapshot *snapshot, gfs_id id) {
    (void)snapshot;
    return id == genomics.id ? &genomics : NULL;
}

const struct gfs_user *gfs_snapshot_user_by_uuid(const struct gfs_snapshot *snapshot, const char *uuid) {
    (void)snapshot;
    return strcmp(uuid, bob.uuid) == 0 ? &bob : NULL;
}

size_t gfs_snapshot_sources(const struct gfs_snapshot *snapshot, gfs_id user, gfs_id share, int64_t now_ns,
                            struct gfs_source *sources, size_t size, char *text, size_t text_size, gfs_perms *ceiling,
                            bool *suspended) {
    (void)snapshot;
    (void)now_ns;
    (void)text;
    (void)text_size;
    assert_int_equal(user, 1);
    assert_int_equal(share, 3);
    assert_true(size >= 1);
    sources[0] = (struct gfs_source){.perms = GFS_VIEW | GFS_DOWNLOAD, .via = "group genomics"};
    *ceiling = GFS_ALL_PERMS;
    *suspended = false;
    return 1;
}

int fuse_req_interrupted(fuse_req_t req) {
    (void)req;
    return 0;
}

void gfs_notify_attributes(struct gfs_mount *mount, const struct stat *st, const struct gfs_node *except) {
    (void)mount, (void)st, (void)except;
}

bool gfs_quota_exceeded(struct gfs_mount *mount, const struct gfs_share *share) {
    (void)mount;
    (void)share;
    return exceeded;
}

int64_t gfs_quota_used(struct gfs_mount *mount, const struct gfs_share *share) {
    (void)mount;
    (void)share;
    return used_bytes;
}

const struct gfs_user *gfs_snapshot_user(const struct gfs_snapshot *snapshot, gfs_id id) {
    static const struct gfs_user alice_record = {.id = 1, .name = "alice"};
    (void)snapshot;
    return id == alice_record.id ? &alice_record : NULL;
}

void gfs_target_read_upload(struct gfs_call *call, struct gfs_target *target) {
    (void)call;
    target->upload_read = true;
}

void gfs_target_look_into(struct gfs_call *call, struct gfs_target *target) {
    gfs_target_read_upload(call, target);
}

static struct gfs_mount the_mount;
static struct gfs_call the_call = {.mount = &the_mount};
static struct gfs_view alice = {.user = 1};
static struct gfs_tree tree = {.view = &alice};
static struct gfs_share share;
static struct gfs_target target;

static int set_up(void **state) {
    (void)state;
    share = (struct gfs_share){.id = 3, .group = 5, .name = "atlas", .kind = GFS_KIND_VOLUME};
    target = (struct gfs_target){.tree = &tree, .share = &share, .fd = -1};
    target.st.st_mode = S_IFREG | 0600;
    target.facts.effective = GFS_VIEW | GFS_DOWNLOAD;
    backing_error = 0;
    backing_list = "";
    backing_list_size = 0;
    backing_last[0] = '\0';
    exceeded = false;
    reopened = 0;
    return 0;
}

static void clear_reply(void) {
    reply.error = NONE;
    reply.length = NONE;
    reply.size = 0;
    reply.data[0] = '\0';
}

static const char *get(const char *name, size_t size) {
    clear_reply();
    gfs_op_getxattr(&the_call, &target, name, size);
    return reply.data;
}

static int get_error(const char *name) {
    get(name, 1000);
    return reply.error;
}

static void list(const char *names, size_t size_of_names, size_t size) {
    clear_reply();
    backing_list = names;
    backing_list_size = size_of_names;
    gfs_op_listxattr(&the_call, &target, size);
}

/* ---- tests ---- */

static void classes(void **state) {
    (void)state;
    assert_int_equal(gfs_xattr_class("user.colour"), GFS_XATTR_STORED);
    assert_int_equal(gfs_xattr_class("user.guildfsx"), GFS_XATTR_STORED);
    assert_int_equal(gfs_xattr_class("user.guildfs.xxh3"), GFS_XATTR_VIRTUAL);
    assert_int_equal(gfs_xattr_class("user.guildfs.anything"), GFS_XATTR_VIRTUAL);
    assert_int_equal(gfs_xattr_class("trusted.guildfs.upload"), GFS_XATTR_UNSUPPORTED);
    assert_int_equal(gfs_xattr_class("security.capability"), GFS_XATTR_UNSUPPORTED);
    assert_int_equal(gfs_xattr_class("system.posix_acl_access"), GFS_XATTR_UNSUPPORTED);
    assert_int_equal(gfs_xattr_class("User.colour"), GFS_XATTR_UNSUPPORTED);
    assert_int_equal(gfs_xattr_class(""), GFS_XATTR_UNSUPPORTED);
    assert_true(gfs_xattr_reads_content("user.guildfs.xxh3"));
    assert_false(gfs_xattr_reads_content("user.guildfs.share"));
}

static void stored_values_pass(void **state) {
    (void)state;
    assert_string_equal(get("user.colour", 10), "blue");
    get("user.colour", 0);
    assert_int_equal(reply.length, 4);
    get("user.colour", 3);
    assert_int_equal(reply.error, ERANGE);
    assert_int_equal(get_error("user.none"), ENODATA);
}

static void other_namespaces_are_not_supported(void **state) {
    (void)state;
    assert_int_equal(get_error("trusted.guildfs.upload"), EOPNOTSUPP);
    assert_int_equal(get_error("security.capability"), EOPNOTSUPP);
    clear_reply();
    gfs_op_setxattr(&the_call, &target, "system.posix_acl_access", "x", 1, 0);
    assert_int_equal(reply.error, EOPNOTSUPP);
    clear_reply();
    gfs_op_removexattr(&the_call, &target, "trusted.guildfs.upload");
    assert_int_equal(reply.error, EOPNOTSUPP);
    assert_string_equal(backing_last, "");
}

static void virtual_ones_cannot_be_written(void **state) {
    (void)state;
    clear_reply();
    gfs_op_setxattr(&the_call, &target, "user.guildfs.uploader", "x", 1, 0);
    assert_int_equal(reply.error, EPERM);
    clear_reply();
    gfs_op_removexattr(&the_call, &target, "user.guildfs.new");
    assert_int_equal(reply.error, EPERM);
    assert_string_equal(backing_last, "");
}

static void stored_ones_can(void **state) {
    (void)state;
    clear_reply();
    gfs_op_setxattr(&the_call, &target, "user.a", "x", 1, 0);
    assert_int_equal(reply.error, 0);
    assert_string_equal(backing_last, "set user.a");
    clear_reply();
    gfs_op_removexattr(&the_call, &target, "user.a");
    assert_int_equal(reply.error, 0);
    assert_string_equal(backing_last, "remove user.a");
}

/* After one ENOSYS the kernel would never ask again, for any file. */
static void no_enosys_passes(void **state) {
    (void)state;
    backing_error = -ENOSYS;
    assert_int_equal(get_error("user.colour"), EOPNOTSUPP);
    list("", 0, 100);
    assert_int_equal(reply.error, EOPNOTSUPP);
    gfs_op_setxattr(&the_call, &target, "user.a", "x", 1, 0);
    assert_int_equal(reply.error, EOPNOTSUPP);
    gfs_op_removexattr(&the_call, &target, "user.a");
    assert_int_equal(reply.error, EOPNOTSUPP);
    backing_error = -EIO;
    assert_int_equal(get_error("user.colour"), EIO);
}

static void the_list_shows_what_people_stored(void **state) {
    static const char names[] = "security.selinux\0user.a\0trusted.guildfs.upload\0user.guildfs.x\0user.bb";
    static const char shown[] = "user.a\0user.bb";

    (void)state;
    list(names, sizeof(names), 100);
    assert_int_equal(reply.size, sizeof(shown));
    assert_memory_equal(reply.data, shown, sizeof(shown));
    list(names, sizeof(names), 0);
    assert_int_equal(reply.length, sizeof(shown));
    list(names, sizeof(names), sizeof(shown) - 1);
    assert_int_equal(reply.error, ERANGE);
    list(names, sizeof(names), sizeof(shown));
    assert_int_equal(reply.size, sizeof(shown));
    list("user.a\0user.cut", 15, 100); /* no NUL at its end */
    assert_int_equal(reply.size, 7);
    list("", 0, 100);
    assert_int_equal(reply.error, NONE);
    assert_int_equal(reply.size, 0);
}

static void a_long_list(void **state) {
    static char names[65536];
    size_t size = 0, shown = 0;

    (void)state;
    for (int i = 0; size + 40 < sizeof(names); i++) {
        size_t length =
            (size_t)snprintf(names + size, sizeof(names) - size, "%s.name%d", i % 2 ? "user" : "trusted", i) + 1;
        size += length;
        shown += i % 2 ? length : 0;
    }
    list(names, size, 65536);
    assert_int_equal(reply.size, shown);
}

static void permissions_as_the_archive_cuts_them(void **state) {
    (void)state;
    target.facts.effective = GFS_VIEW | GFS_DELETE;
    assert_string_equal(get("user.guildfs.permissions", 100), "view,delete");
    get("user.guildfs.permissions", 0);
    assert_int_equal(reply.length, strlen("view,delete"));
    get("user.guildfs.permissions", 5);
    assert_int_equal(reply.error, ERANGE);
    target.facts.archived = true;
    assert_string_equal(get("user.guildfs.permissions", 100), "view");
    target.facts.effective = 0;
    assert_string_equal(get("user.guildfs.permissions", 100), "none");
}

static void the_share_as_the_command_line_takes_it(void **state) {
    (void)state;
    assert_string_equal(get("user.guildfs.share", 100), "genomics/volumes/atlas");
    share.group = 0;
    assert_string_equal(get("user.guildfs.share", 100), "atlas");
}

static void the_uploader_where_known(void **state) {
    (void)state;
    assert_int_equal(get_error("user.guildfs.uploader"), ENODATA);
    target.has_upload = true;
    strcpy(target.upload.uploader, "uuid-of-bob");
    assert_string_equal(get("user.guildfs.uploader", 100), "bob");
    strcpy(target.upload.uploader, "somebody gone");
    assert_int_equal(get_error("user.guildfs.uploader"), ENODATA);
}

static void the_hash_of_regular_files(void **state) {
    FILE *file = tmpfile();

    (void)state;
    target.fd = fileno(file);
    get("user.guildfs.xxh3", 0);
    assert_int_equal(reply.length, 32);
    get("user.guildfs.xxh3", 31);
    assert_int_equal(reply.error, ERANGE);
    assert_int_equal(reopened, 0); /* nothing was read for that */
    assert_string_equal(get("user.guildfs.xxh3", 32), "99aa06d3014798d86001c324468d497f"); /* of nothing */
    fputs("a", file);
    fflush(file);
    assert_string_equal(get("user.guildfs.xxh3", 32), "a96faf705af16834e6c632b61e964e1f");
    /* As many at a time as leave threads for other requests, and no more. */
    the_mount.options.max_threads = 8;
    the_mount.hashing = 2;
    assert_int_equal(get_error("user.guildfs.xxh3"), EAGAIN);
    assert_int_equal(the_mount.hashing, 2);
    the_mount.hashing = 1;
    assert_string_equal(get("user.guildfs.xxh3", 32), "a96faf705af16834e6c632b61e964e1f");
    assert_int_equal(the_mount.hashing, 1);
    the_mount.hashing = 0;
    target.st.st_mode = S_IFDIR | 0700;
    assert_int_equal(get_error("user.guildfs.xxh3"), ENODATA);
    fclose(file);
}

static void other_virtual_names_do_not_exist(void **state) {
    (void)state;
    assert_int_equal(get_error("user.guildfs.kind"), ENODATA);
    assert_int_equal(get_error("user.guildfs."), ENODATA);
}

static void the_explanation_of_a_file(void **state) {
    (void)state;
    const char *text = get("user.guildfs.explain", 60000);
    assert_non_null(strstr(text, "open-read: allowed"));
    assert_non_null(strstr(text, "open-write: denied EACCES: missing upload,delete"));
    assert_non_null(strstr(text, "unlink: denied EACCES"));
    assert_non_null(strstr(text, "rename: denied EACCES"));
    assert_non_null(
        strstr(text, "alice holds on genomics/volumes/atlas: view,download\n  group genomics: view,download"));
    assert_null(strstr(text, "pending"));
    assert_null(strstr(text, "mkdir"));
    assert_true(text[reply.size - 1] != '\n');

    target.facts.effective |= GFS_UPLOAD;
    target.facts.own_pending = true;
    target.pending_until_ns = 1000000000 * GFS_NS_PER_S;
    text = get("user.guildfs.explain", 60000);
    assert_non_null(strstr(text, "open-write: allowed"));
    assert_non_null(strstr(text, "your own pending upload: until 2001-09-09T01:46:40Z"));
    target.pending_until_ns = GFS_NEVER;
    assert_non_null(strstr(get("user.guildfs.explain", 60000), "while you have it open for writing"));
}

static void the_explanation_of_a_folder(void **state) {
    (void)state;
    target.st.st_mode = S_IFDIR | 0700;
    target.facts.folder = true;
    target.facts.effective = GFS_ALL_PERMS;
    exceeded = true;
    const char *text = get("user.guildfs.explain", 60000);
    assert_non_null(strstr(text, "list: allowed"));
    assert_non_null(strstr(text, "create: denied EDQUOT"));
    assert_non_null(strstr(text, "rmdir: allowed"));
    assert_null(strstr(text, "open-read"));
    target.facts.share_root = true;
    assert_null(strstr(get("user.guildfs.explain", 60000), "rmdir"));
}

static void an_explanation_of_what_cuts(void **state) {
    struct gfs_explanation explanation = {.user = "alice",
                                          .share = "atlas",
                                          .mode = S_IFREG,
                                          .facts = {.effective = GFS_VIEW, .archived = true},
                                          .ceiling = GFS_VIEW | GFS_DOWNLOAD,
                                          .suspended = true};
    char *text;
    size_t length;

    (void)state;
    assert_int_equal(gfs_explanation_write(&explanation, &text, &length), 0);
    assert_int_equal(strlen(text), length);
    assert_non_null(strstr(text, "ceiling: view,download"));
    assert_non_null(strstr(text, "suspended"));
    assert_non_null(strstr(text, "archived"));
    free(text);
}

static void folders_of_the_view(void **state) {
    struct gfs_node node = {.kind = GFS_NODE_PLACE, .group = 5, .view = &alice};

    (void)state;
    clear_reply();
    gfs_op_getxattr_virtual_node(&the_call, &node, "user.guildfs.explain", 1000);
    assert_non_null(strstr(reply.data, "group genomics in the view of alice"));
    clear_reply();
    gfs_op_getxattr_virtual_node(&the_call, &node, "user.guildfs.share", 1000);
    assert_int_equal(reply.error, ENODATA);
    gfs_op_getxattr_virtual_node(&the_call, &node, "user.colour", 1000);
    assert_int_equal(reply.error, ENODATA);
    gfs_op_getxattr_virtual_node(&the_call, &node, "security.capability", 1000);
    assert_int_equal(reply.error, EOPNOTSUPP);
    for (int kind = GFS_NODE_TOP; kind <= GFS_NODE_KIND; kind++) {
        struct gfs_node any = {.kind = (enum gfs_node_kind)kind, .view = kind == GFS_NODE_TOP ? NULL : &alice};
        clear_reply();
        gfs_op_getxattr_virtual_node(&the_call, &any, "user.guildfs.permissions", 1000);
        assert_true(reply.size > 0);
    }
}

static void statfs_shows_the_quota(void **state) {
    (void)state;
    target.fd = open("/tmp", O_PATH | O_DIRECTORY);
    gfs_op_statfs(&the_call, &target);
    assert_int_equal(reply.statfs.f_namemax, 255);
    const fsblkcnt_t backing_blocks = reply.statfs.f_blocks;
    assert_true(backing_blocks > 0);

    share.quota_bytes = 40 * 4096;
    used_bytes = 30 * 4096;
    gfs_op_statfs(&the_call, &target);
    assert_int_equal(reply.statfs.f_frsize, 4096);
    assert_int_equal(reply.statfs.f_blocks, 40);
    assert_int_equal(reply.statfs.f_bfree, 10);
    assert_int_equal(reply.statfs.f_bavail, 10);
    used_bytes = 50 * 4096;
    gfs_op_statfs(&the_call, &target);
    assert_int_equal(reply.statfs.f_bfree, 0);
    assert_int_equal(reply.statfs.f_bavail, 0);

    share.quota_bytes = INT64_MAX; /* more than the disk has */
    gfs_op_statfs(&the_call, &target);
    assert_true(reply.statfs.f_bavail < reply.statfs.f_bfree);
    close(target.fd);
}

#define XATTR_TEST(test) cmocka_unit_test_setup(test, set_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        XATTR_TEST(classes),
        XATTR_TEST(stored_values_pass),
        XATTR_TEST(other_namespaces_are_not_supported),
        XATTR_TEST(virtual_ones_cannot_be_written),
        XATTR_TEST(stored_ones_can),
        XATTR_TEST(no_enosys_passes),
        XATTR_TEST(the_list_shows_what_people_stored),
        XATTR_TEST(a_long_list),
        XATTR_TEST(permissions_as_the_archive_cuts_them),
        XATTR_TEST(the_share_as_the_command_line_takes_it),
        XATTR_TEST(the_uploader_where_known),
        XATTR_TEST(the_hash_of_regular_files),
        XATTR_TEST(other_virtual_names_do_not_exist),
        XATTR_TEST(the_explanation_of_a_file),
        XATTR_TEST(the_explanation_of_a_folder),
        XATTR_TEST(an_explanation_of_what_cuts),
        XATTR_TEST(folders_of_the_view),
        XATTR_TEST(statfs_shows_the_quota),
    };
    return cmocka_run_group_tests_name("fs_xattr", tests, NULL, NULL);
}
