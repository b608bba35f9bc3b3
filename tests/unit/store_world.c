#include "tests/unit/store_world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guildfs/hash.h"

int world_setup_empty(void **state) {
    struct world *world = calloc(1, sizeof *world);
    const char *parent = getenv("TMPDIR");

    if (!world)
        return -1;
    snprintf(world->base, sizeof world->base, "%s/guildfs-store-XXXXXX",
             parent && strlen(parent) < 40 ? parent : "/tmp");
    if (!mkdtemp(world->base)) {
        free(world);
        return -1;
    }
    snprintf(world->directory, sizeof world->directory, "%s/store", world->base);
    *state = world;
    return 0;
}

int world_setup(void **state) {
    if (world_setup_empty(state) < 0)
        return -1;
    struct world *world = *state;
    if (gfs_store_init(world->directory, &world->err) < 0 ||
        gfs_store_open(world->directory, GFS_STORE_WRITE, 2000, &world->store, &world->err) < 0 ||
        gfs_tx_begin(world->store, &world->tx, &world->err) < 0) {
        print_error("%s\n", world->err.message);
        return -1;
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status, (void)kind, (void)where;
    return remove(path);
}

void world_close(struct world *world) {
    gfs_tx_end(world->tx);
    world->tx = NULL;
    gfs_store_close(world->store);
    world->store = NULL;
}

int world_teardown(void **state) {
    struct world *world = *state;

    world_close(world);
    nftw(world->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(world);
    return 0;
}

static void begin_again(struct world *world) {
    gfs_tx_end(world->tx);
    world->tx = NULL;
    assert_ok(world, gfs_tx_begin(world->store, &world->tx, &world->err));
}

void world_commit(struct world *world) {
    const struct gfs_audit_entry entry = {.actor_name = "test", .action = "test.commit"};

    assert_ok(world, gfs_tx_audit(world->tx, &entry, &world->err));
    assert_ok(world, gfs_tx_commit(world->tx, &world->err));
    begin_again(world);
}

void world_roll_back(struct world *world) {
    begin_again(world);
}

gfs_id world_user(struct world *world, const char *name) {
    struct gfs_user_record user = gfs_user_record_default(name);
    gfs_id id = 0;

    assert_ok(world, gfs_store_user_add(world->tx, &user, &id, &world->err));
    return id;
}

gfs_id world_group(struct world *world, const char *name, gfs_id owner) {
    const struct gfs_group_record group = {.organization = GFS_DEFAULT_ORGANIZATION, .name = name, .owner = owner};
    gfs_id id = 0;

    assert_ok(world, gfs_store_group_add(world->tx, &group, &id, &world->err));
    return id;
}

gfs_id world_builtin(struct world *world, const char *name, enum gfs_builtin builtin) {
    const struct gfs_group_record group = {
        .organization = GFS_DEFAULT_ORGANIZATION, .name = name, .kind = GFS_GROUP_BUILTIN, .builtin = builtin};
    gfs_id id = 0;

    assert_ok(world, gfs_store_group_add(world->tx, &group, &id, &world->err));
    return id;
}

gfs_id world_share(struct world *world, const char *name, enum gfs_kind kind, gfs_id group, gfs_id owner) {
    struct gfs_share_record share = gfs_share_record_default(name, kind);
    gfs_id id = 0;

    share.group = group;
    share.owner = owner;
    assert_ok(world, gfs_store_share_add(world->tx, &share, &id, &world->err));
    return id;
}

int world_member(struct world *world, gfs_id group, gfs_id user, enum gfs_role role,
                 enum gfs_membership_status status) {
    const struct gfs_membership_record membership = {
        .group = group, .user = user, .role = role, .status = status, .expires_ns = GFS_NEVER};

    return gfs_store_membership_put(world->tx, &membership, &world->err);
}

int world_organization_member(struct world *world, gfs_id user, bool admin) {
    const struct gfs_organization_member_record member = {.organization = GFS_DEFAULT_ORGANIZATION,
                                                          .user = user,
                                                          .admin = admin,
                                                          .active = true,
                                                          .expires_ns = GFS_NEVER};

    return gfs_store_organization_member_put(world->tx, &member, &world->err);
}

int world_grant(struct world *world, enum gfs_subject_kind kind, gfs_id subject, gfs_id share, gfs_perms perms) {
    const struct gfs_grant_record grant = {.subject_kind = kind,
                                           .subject = subject,
                                           .object_kind = GFS_OBJECT_SHARE,
                                           .object = share,
                                           .perms = perms,
                                           .expires_ns = GFS_NEVER};

    return gfs_store_grant_put(world->tx, &grant, &world->err);
}

int world_sql(struct world *world, const char *format, ...) {
    char sql[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    return gfs_db_exec(world->store, sql, &world->err);
}

int64_t world_number(struct world *world, const char *format, ...) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    char sql[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    gfs_statement_open(&statement, world->store, sql, &world->err);
    int rc = gfs_statement_step(&statement);
    if (rc < 0)
        fail_msg("%s: %s", sql, world->err.message);
    return rc == 1 ? gfs_column_int(&statement) : -1;
}

void world_hash(const struct world *world, char text[static 64]) {
    char file[256];

    snprintf(file, sizeof file, "%s/guildfs.db", world->directory);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(gfs_hash_fd(fd, text), 0);
    close(fd); /* no connection of this process may be open now: it would lose its locks */
}
