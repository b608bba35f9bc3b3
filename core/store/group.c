#include "core/store/group.h"

#include "core/store/transaction.h"
#include "core/store/words.h"
#include "guildfs/name.h"
#include "guildfs/uuid.h"

static const char *const kinds[] = {
    [GFS_GROUP_NORMAL] = "normal", [GFS_GROUP_PUBLIC] = "public", [GFS_GROUP_BUILTIN] = "builtin"};
static const struct gfs_words kind_words = {kinds, 3, "kind of group"};

static const char *const levels[] = {
    [GFS_LEVEL_NONE] = "none", [GFS_LEVEL_CONTRIBUTE] = "contribute", [GFS_LEVEL_MANAGE] = "manage"};
static const struct gfs_words level_words = {levels, 3, "level of a group"};

static const char *const builtins[] = {
    [GFS_BUILTIN_NONE] = "", /* stored as NULL */
    [GFS_BUILTIN_ALL_USERS] = "all-users",
    [GFS_BUILTIN_CURATORS] = "curators",
    [GFS_BUILTIN_ALL_MEMBERS] = "all-members",
    [GFS_BUILTIN_AUTHORS] = "authors",
    [GFS_BUILTIN_ORGANIZATION_ADMINS] = "organization-admins",
};
static const struct gfs_words builtin_words = {builtins, 6, "built-in group"};

#define SELECT_GROUP                                                                                                   \
    "SELECT g.id, g.organization_id, g.uuid, g.name, g.kind, g.builtin, g.level, g.owner_id, g.label, g.description, " \
    "g.discoverable, g.source, g.external_id, g.created_ns, g.updated_ns, o.name, u.name "                             \
    "FROM groups g JOIN organizations o ON o.id = g.organization_id LEFT JOIN users u ON u.id = g.owner_id "

static void read_group(struct gfs_statement *statement, void *record) {
    struct gfs_group_record *group = record;

    group->id = gfs_column_id(statement);
    group->organization = gfs_column_id(statement);
    group->uuid = gfs_column_need(statement);
    group->name = gfs_column_need(statement);
    group->kind = (enum gfs_group_kind)gfs_column_word(statement, &kind_words);
    group->builtin = (enum gfs_builtin)gfs_column_word(statement, &builtin_words);
    group->level = (enum gfs_group_level)gfs_column_word(statement, &level_words);
    group->owner = gfs_column_id(statement);
    group->label = gfs_column_text(statement);
    group->description = gfs_column_text(statement);
    group->discoverable = gfs_column_int(statement) != 0;
    group->source = (enum gfs_identity_source)gfs_column_word(statement, &gfs_source_words);
    group->external_id = gfs_column_text(statement);
    group->created_ns = gfs_column_int(statement);
    group->updated_ns = gfs_column_int(statement);
    group->organization_name = gfs_column_need(statement);
    group->owner_name = gfs_column_text(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_group_record, uuid),        offsetof(struct gfs_group_record, name),
    offsetof(struct gfs_group_record, label),       offsetof(struct gfs_group_record, description),
    offsetof(struct gfs_group_record, external_id), offsetof(struct gfs_group_record, organization_name),
    offsetof(struct gfs_group_record, owner_name),
};
static const struct gfs_record_type type = {sizeof(struct gfs_group_record), texts, sizeof texts / sizeof texts[0],
                                            read_group};

/* The columns that a caller sets, in one order for adding and changing. */
static void bind_group(struct gfs_statement *statement, const struct gfs_group_record *group) {
    gfs_bind_text(statement, group->name);
    gfs_bind_word(statement, &kind_words, (int)group->kind);
    if (group->builtin == GFS_BUILTIN_NONE)
        gfs_bind_text(statement, NULL);
    else
        gfs_bind_word(statement, &builtin_words, (int)group->builtin);
    gfs_bind_word(statement, &level_words, (int)group->level);
    gfs_bind_text(statement, group->label);
    gfs_bind_text(statement, group->description);
    gfs_bind_int(statement, group->discoverable);
    gfs_bind_word(statement, &gfs_source_words, (int)group->source);
    gfs_bind_text(statement, group->external_id);
    gfs_bind_int(statement, group->organization);
}

int gfs_store_group_add(struct gfs_tx *tx, const struct gfs_group_record *group, gfs_id *id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    char uuid[GFS_UUID_SIZE];
    int rc = gfs_name_check("group name", group->name, err);

    if (rc == 0)
        rc = gfs_store_uuid(uuid, err);
    if (rc < 0)
        return rc;
    gfs_statement_open(&statement, tx->store,
                       "INSERT INTO groups (name, kind, builtin, level, label, description, discoverable, source, "
                       "external_id, organization_id, uuid, owner_id, created_ns, updated_ns) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)",
                       err);
    bind_group(&statement, group);
    gfs_bind_text(&statement, uuid);
    gfs_bind_id(&statement, group->owner);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_run(&statement);
    if (rc == 0)
        *id = gfs_tx_added(tx);
    return rc;
}

int gfs_store_group_update(struct gfs_tx *tx, const struct gfs_group_record *group, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement = {0};
    int rc = gfs_name_check("group name", group->name, err);

    if (rc < 0)
        return rc;
    gfs_statement_open(
        &statement, tx->store,
        "UPDATE groups SET name = ?1, kind = ?2, builtin = ?3, level = ?4, label = ?5, description = ?6, "
        "discoverable = ?7, source = ?8, external_id = ?9, organization_id = ?10, updated_ns = ?12 "
        "WHERE id = ?11",
        err);
    bind_group(&statement, group);
    gfs_bind_int(&statement, group->id);
    gfs_bind_int(&statement, tx->now_ns);
    rc = gfs_statement_change(&statement, "there is no group \"%s\"", group->name);
    return rc;
}

int gfs_store_group_remove(struct gfs_tx *tx, gfs_id id, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "DELETE FROM groups WHERE id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_change(&statement, "there is no group with id %lld", (long long)id);
}

int gfs_store_group_set_owner(struct gfs_tx *tx, gfs_id group, gfs_id user, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, tx->store, "UPDATE groups SET owner_id = ?2, updated_ns = ?3 WHERE id = ?1", err);
    gfs_bind_int(&statement, group);
    gfs_bind_id(&statement, user);
    gfs_bind_int(&statement, tx->now_ns);
    return gfs_statement_change(&statement, "there is no group with id %lld", (long long)group);
}

int gfs_store_group_load(struct gfs_store *store, const char *name, struct gfs_group_record **out,
                         struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_GROUP "WHERE g.name = ?1", err);
    gfs_bind_text(&statement, name);
    return gfs_statement_load(&statement, &type, out, "there is no group \"%s\"", name);
}

int gfs_store_group_load_id(struct gfs_store *store, gfs_id id, struct gfs_group_record **out, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;

    gfs_statement_open(&statement, store, SELECT_GROUP "WHERE g.id = ?1", err);
    gfs_bind_int(&statement, id);
    return gfs_statement_load(&statement, &type, out, "there is no group with id %lld", (long long)id);
}

int gfs_store_group_list(struct gfs_store *store, int (*each)(void *context, const struct gfs_group_record *group),
                         void *context, struct gfs_error *err) {
    GFS_CLEANUP(gfs_statement_close) struct gfs_statement statement;
    int rc;

    gfs_statement_open(&statement, store, SELECT_GROUP "ORDER BY g.name", err);
    while ((rc = gfs_statement_step(&statement)) == 1) {
        struct gfs_group_record group;
        read_group(&statement, &group);
        rc = gfs_statement_failed(&statement);
        if (rc == 0)
            rc = each(context, &group);
        if (rc != 0)
            return rc;
    }
    return rc;
}
