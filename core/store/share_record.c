#include "core/store/share_record.h"

#include "core/store/words.h"

static void read_options(struct gfs_statement *statement, struct gfs_share_record *share) {
    share->kind = (enum gfs_kind)gfs_column_word(statement, &gfs_kind_words);
    share->state = (enum gfs_share_state)gfs_column_word(statement, &gfs_share_state_words);
    share->archived_ns = gfs_column_moment(statement);
    share->unarchived_ns = gfs_column_moment(statement);
    share->grace_ns = gfs_column_int(statement);
    share->overwrite_upload = gfs_column_word(statement, &gfs_overwrite_words) != 0;
    share->quota_bytes = gfs_column_moment(statement);
    share->data_mode = (enum gfs_data_mode)gfs_column_word(statement, &gfs_data_mode_words);
    share->audit = (enum gfs_share_audit)gfs_column_word(statement, &gfs_share_audit_words);
    share->bin_days = gfs_column_int(statement);
    share->purge_days = gfs_column_int(statement);
    share->on_revoke = (enum gfs_on_revoke)gfs_column_word(statement, &gfs_on_revoke_words);
    share->discoverable = gfs_column_int(statement) != 0;
    share->published_ns = gfs_column_moment(statement);
    share->published_by = gfs_column_id(statement);
    share->work_status = gfs_column_text(statement);
    share->copied_from = gfs_column_id(statement);
    share->permanent = gfs_column_int(statement) != 0;
    share->created_by = gfs_column_id(statement);
    share->created_ns = gfs_column_int(statement);
    share->updated_ns = gfs_column_int(statement);
}

static void read_share(struct gfs_statement *statement, void *record) {
    struct gfs_share_record *share = record;

    share->id = gfs_column_id(statement);
    share->organization = gfs_column_id(statement);
    share->group = gfs_column_id(statement);
    share->project = gfs_column_id(statement);
    share->parent = gfs_column_id(statement);
    share->owner = gfs_column_id(statement);
    share->node = gfs_column_id(statement);
    share->uuid = gfs_column_need(statement);
    share->name = gfs_column_need(statement);
    share->title = gfs_column_text(statement);
    share->description = gfs_column_text(statement);
    share->path = gfs_column_need(statement);
    read_options(statement, share);
    share->organization_name = gfs_column_need(statement);
    share->group_name = gfs_column_text(statement);
    share->project_name = gfs_column_text(statement);
    share->parent_name = gfs_column_text(statement);
    share->owner_name = gfs_column_text(statement);
    share->node_name = gfs_column_need(statement);
    share->node_path = gfs_column_need(statement);
}

static const size_t texts[] = {
    offsetof(struct gfs_share_record, uuid),
    offsetof(struct gfs_share_record, name),
    offsetof(struct gfs_share_record, title),
    offsetof(struct gfs_share_record, description),
    offsetof(struct gfs_share_record, path),
    offsetof(struct gfs_share_record, work_status),
    offsetof(struct gfs_share_record, organization_name),
    offsetof(struct gfs_share_record, group_name),
    offsetof(struct gfs_share_record, project_name),
    offsetof(struct gfs_share_record, parent_name),
    offsetof(struct gfs_share_record, owner_name),
    offsetof(struct gfs_share_record, node_name),
    offsetof(struct gfs_share_record, node_path),
};
_Static_assert(sizeof(struct gfs_share_record) <= GFS_RECORD_MAX, "a record fits where records are read");
const struct gfs_record_type gfs_share_type = {sizeof(struct gfs_share_record), texts, sizeof texts / sizeof texts[0],
                                               read_share};

void gfs_share_bind(struct gfs_statement *statement, const struct gfs_share_record *share) {
    gfs_bind_int(statement, share->organization);
    gfs_bind_id(statement, share->group);
    gfs_bind_id(statement, share->project);
    gfs_bind_id(statement, share->owner);
    gfs_bind_text(statement, share->name);
    gfs_bind_text(statement, share->title);
    gfs_bind_text(statement, share->description);
    gfs_bind_word(statement, &gfs_share_state_words, (int)share->state);
    gfs_bind_int(statement, share->grace_ns);
    gfs_bind_word(statement, &gfs_overwrite_words, share->overwrite_upload);
    gfs_bind_moment(statement, share->quota_bytes);
    gfs_bind_word(statement, &gfs_data_mode_words, (int)share->data_mode);
    gfs_bind_word(statement, &gfs_share_audit_words, (int)share->audit);
    gfs_bind_int(statement, share->bin_days);
    gfs_bind_int(statement, share->purge_days);
    gfs_bind_word(statement, &gfs_on_revoke_words, (int)share->on_revoke);
    gfs_bind_int(statement, share->discoverable);
    gfs_bind_moment(statement, share->published_ns);
    gfs_bind_id(statement, share->published_by);
    gfs_bind_text(statement, share->work_status);
    gfs_bind_id(statement, share->copied_from);
    gfs_bind_int(statement, share->permanent);
    gfs_bind_id(statement, share->created_by);
}
