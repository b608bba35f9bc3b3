/* A store of its own for each test of core/store, and short ways to fill it. */
#ifndef GUILDFS_TESTS_UNIT_STORE_WORLD_H
#define GUILDFS_TESTS_UNIT_STORE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/store/db.h"
#include "core/store/grant.h"
#include "core/store/group.h"
#include "core/store/organization.h"
#include "core/store/policy.h"
#include "core/store/share.h"
#include "core/store/tx.h"
#include "core/store/user.h"

struct world {
    char base[64];       /* a temporary directory, removed at the end */
    char directory[128]; /* of the store, in it */
    struct gfs_store *store;
    struct gfs_tx *tx; /* open, in every test that begins with world_setup() */
    struct gfs_error err;
};

/* For cmocka. world_setup_empty makes the temporary directory alone; the store does not exist. */
int world_setup_empty(void **state);
int world_setup(void **state);
int world_teardown(void **state);

/* Ends the transaction (with an audit row, or by taking it back) and begins the next. */
void world_commit(struct world *world);
void world_roll_back(struct world *world);
/* Ends it and closes the store. */
void world_close(struct world *world);

gfs_id world_user(struct world *world, const char *name);
gfs_id world_group(struct world *world, const char *name, gfs_id owner);
gfs_id world_share(struct world *world, const char *name, enum gfs_kind kind, gfs_id group, gfs_id owner);
int world_member(struct world *world, gfs_id group, gfs_id user, enum gfs_role role, enum gfs_membership_status status);
int world_organization_member(struct world *world, gfs_id user, bool admin);
int world_grant(struct world *world, enum gfs_subject_kind kind, gfs_id subject, gfs_id share, gfs_perms perms);
gfs_id world_builtin(struct world *world, const char *name, enum gfs_builtin builtin);

/* SQL past the API: what somebody could do with a database shell. */
int world_sql(struct world *world, const char *format, ...) GFS_PRINTF(2, 3);
/* The number that a query gives; -1 when it gives no row. */
int64_t world_number(struct world *world, const char *format, ...) GFS_PRINTF(2, 3);

/* XXH3 of the database file, as text. */
void world_hash(const struct world *world, char text[static 64]);

#define assert_ok(world, call)                                                                                         \
    do {                                                                                                               \
        int assert_ok_rc = (call);                                                                                     \
        if (assert_ok_rc != 0)                                                                                         \
            fail_msg("%s: %d %s", #call, assert_ok_rc, (world)->err.message);                                          \
    } while (0)

/* The call fails with this errno, and the error says so, in one line that holds the text. */
#define assert_fails(world, call, errno_, text)                                                                        \
    do {                                                                                                               \
        (world)->err = (struct gfs_error){0};                                                                          \
        assert_int_equal((call), -(errno_));                                                                           \
        assert_int_equal((world)->err.code, (errno_));                                                                 \
        if (!strstr((world)->err.message, (text)))                                                                     \
            fail_msg("%s: \"%s\" does not say \"%s\"", #call, (world)->err.message, (text));                           \
        assert_null(strchr((world)->err.message, '\n'));                                                               \
    } while (0)

#endif
