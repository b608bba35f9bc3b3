#include "core/store/user.h"

#include "core/store/transaction.h"
#include "core/store/words.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

#define SELECT_USER                                                                                                    \
    "SELECT id, uuid, name, display_name, email, uid, gid, status, system_admin, plan, source, external_id, "          \
    "created_ns, "                                                                                                     \
    "updated_ns FROM users "

static void read_user(struct gfs_statement *statement, void *record) {
    struct gfs_user_record *user = record;

    user->id = gfs_column_id(statement);
    user->uuid = gfs_column_need(statement);
    user->name = gfs_column_need(statement);
    user->display_name = gfs_column_text(statement);
    user->email = gfs_column_text(statement);
    user->uid = gfs_column_uid(statement);
    user->gid = gfs_column_uid(statement);
    user->suspended = gfs_column_word(statement, &gfs_user_status_words) != 0;
    user->system_admin = gfs_column_int(statement) != 0;
    user->plan = (enum gfs_plan)gfs_column_word(statement, &gfs_plan_words);
    user->source = (enum gfs_identity_source)gfs_column_word(statement, &gfs_source_words);
    user->external_id = gfs_column_text(statement);
    user->created_ns = gfs_column_int(statement);
    user->updated_ns = gfs_column_int(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_user_record, uuid),         offsetof(struct gfs_user_record, name),
    offsetof(struct gfs_user_record, display_name), offsetof(struct gfs_user_record, email),
    offsetof(struct gfs_user_record, external_id),
};
static const struct gfs_record_type type = {sizeof(struct gfs_user_record), texts, sizeof texts / sizeof texts[0],
                                            read_user};

/* The columns that a caller sets, in one order for adding and changing. */
static void bind_user(struct gfs_statement *statement, const struct gfs_user_record *user) {
    gfs_bind_text(statement, user->name);
    gfs_bind_text(statement, user->display_name);
    gfs_bind_text(statement, user->email);
    gfs_bind_uid(statement, user->uid);
    gfs_bind_uid(statement, user->gid);
    gfs_bind_word(statement, &gfs_user_status_words, user->suspended);
    gfs_bind_int(statement, user->system_admin);
    gfs_bind_word(statement, &gfs_plan_words, (int)user->plan);
    gfs_bind_word(statement, &gfs_source_words, (int)user->source);
    gfs_bind_text(statement, user->external_id);
}

int gfs_store_user_add(struct gfs_tx *tx, const struct gfs_user_record *user, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    char uuid[GFS_UUID_SIZE];
    int rc = gfs_name_check("user name", user->name, err);

    if (rc == 0)
        rc = gfs_store_uuid(uuid, err);
    if (rc < 0)
        return rc;
    gfs_statement_open(
        &statement, tx->store,
        "INSERT INTO users (name, display_name, email, uid, gid, status, system_admin, plan, source, "
        "external_id, uuid, created_ns, updated_ns, suspended_ns) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, iif(?6 = 'suspended', ?12, NULL))",
        err);
    bind_user(&statement, user);
    gfs_bind_text(&statement, uuid);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_run(&statement);
    if (rc == 0)
        *id = gfs_tx_added(tx);
    return rc;
}

int gfs_store_user_update(struct gfs_tx *tx, const struct gfs_user_record *user, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    int rc = gfs_name_check("user name", user->name, err);

    if (rc < 0)
        return rc;
    gfs_statement_open(&statement, tx->store,
                       "UPDATE users SET name = ?1, display_name = ?2, email = ?3, uid = ?4, gid = ?5, status = ?6, "
                       "system_admin = ?7, plan = ?8, source = ?9, external_id = ?10, updated_ns = ?12, "
                       "suspended_ns = iif(?6 = 'suspended', ifnull(suspended_ns, ?12), NULL) WHERE id = ?11",
                       err);
    bind_user(&statement, user);
    gfs_bind_int(&statement, user->id);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_change(&statement, "there is no user \"%s\"", user->name);
    return rc;
}

int gfs_store_user_load(struct gfs_store *store, const char *name, struct gfs_user_record **out,
                        struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_USER "WHERE name = ?1", err);
    gfs_bind_text(&statement, name);
    return gfs_statement_load(&statement, &type, out, "there is no user \"%s\"", name);
}

int gfs_store_user_load_id(struct gfs_store *store, gfs_id id, struct gfs_user_record **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_USER "WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_load(&statement, &type, out, "there is no user with id %lld", (long long)id);
}

int gfs_store_user_load_uid(struct gfs_store *store, uint32_t uid, struct gfs_user_record **out,
                            struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_USER "WHERE uid = ?1", err);
    gfs_bind_uid(&statement, uid);
    return gfs_statement_load(&statement, &type, out, "there is no user with uid %u", uid);
}

int gfs_store_user_load_email(struct gfs_store *store, const char *email, struct gfs_user_record **out,
                              struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_USER "WHERE email = ?1", err);
    gfs_bind_text(&statement, email);
    return gfs_statement_load(&statement, &type, out, "there is no user with the e-mail address \"%s\"", email);
}

int gfs_store_user_list(struct gfs_store *store, int (*each)(void *context, const struct gfs_user_record *user),
                        void *context, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store, SELECT_USER "ORDER BY name", err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_user_record user;
        read_user(&statement, &user);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &user);
        if (rc != 0)
            return rc;
    }
    return rc;
}
