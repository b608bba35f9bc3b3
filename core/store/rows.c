/* Reading rows of the policy, column by column in the order of the GFS_ROW_ texts. */
#include "core/store/rows.h"

#include "core/store/words.h"

void gfs_read_organization(struct gfs_statement *statement, struct gfs_organization_row *row) {
    row->id = gfs_column_id(statement);
    row->uuid = gfs_column_need(statement);
    row->name = gfs_column_need(statement);
    row->ceiling_group = gfs_column_id(statement);
    row->ceiling_perms = (gfs_perms)gfs_column_int(statement);
    row->group_admin_capsule_perms = (gfs_perms)gfs_column_int(statement);
    row->organization_admin_perms = (gfs_perms)gfs_column_int(statement);
}

void gfs_read_user(struct gfs_statement *statement, struct gfs_user_row *row) {
    row->id = gfs_column_id(statement);
    row->uuid = gfs_column_need(statement);
    row->name = gfs_column_need(statement);
    row->uid = gfs_column_uid(statement);
    row->gid = gfs_column_uid(statement);
    row->suspended = gfs_column_word(statement, &gfs_user_status_words) != 0;
}

void gfs_read_organization_member(struct gfs_statement *statement, struct gfs_organization_member_row *row) {
    row->organization = gfs_column_id(statement);
    row->user = gfs_column_id(statement);
    row->admin = gfs_column_int(statement) != 0;
    row->expires_ns = gfs_column_end(statement);
}

void gfs_read_group(struct gfs_statement *statement, struct gfs_group_row *row) {
    row->id = gfs_column_id(statement);
    row->organization = gfs_column_id(statement);
    row->uuid = gfs_column_need(statement);
    row->name = gfs_column_need(statement);
}

void gfs_read_membership(struct gfs_statement *statement, struct gfs_membership_row *row) {
    row->group = gfs_column_id(statement);
    row->user = gfs_column_id(statement);
    row->role = (enum gfs_role)gfs_column_word(statement, &gfs_role_words);
    row->status = (enum gfs_membership_status)gfs_column_word(statement, &gfs_membership_status_words);
    row->expires_ns = gfs_column_end(statement);
}

void gfs_read_team(struct gfs_statement *statement, struct gfs_team_row *row) {
    row->id = gfs_column_id(statement);
    row->organization = gfs_column_id(statement);
    row->uuid = gfs_column_need(statement);
    row->name = gfs_column_need(statement);
}

void gfs_read_team_member(struct gfs_statement *statement, struct gfs_team_member_row *row) {
    row->team = gfs_column_id(statement);
    row->group = gfs_column_id(statement);
    row->user = gfs_column_id(statement);
    row->nested = gfs_column_id(statement);
}

void gfs_read_project(struct gfs_statement *statement, struct gfs_project_row *row) {
    row->id = gfs_column_id(statement);
    row->organization = gfs_column_id(statement);
    row->parent = gfs_column_id(statement);
    row->uuid = gfs_column_need(statement);
    row->name = gfs_column_need(statement);
}

void gfs_read_node(struct gfs_statement *statement, struct gfs_node_row *row) {
    row->id = gfs_column_id(statement);
    row->uuid = gfs_column_need(statement);
    row->name = gfs_column_need(statement);
    row->path = gfs_column_need(statement);
}

void gfs_read_share(struct gfs_statement *statement, struct gfs_share_row *row) {
    row->id = gfs_column_id(statement);
    row->organization = gfs_column_id(statement);
    row->group = gfs_column_id(statement);
    row->project = gfs_column_id(statement);
    row->parent = gfs_column_id(statement);
    row->owner = gfs_column_id(statement);
    row->node = gfs_column_id(statement);
    row->uuid = gfs_column_need(statement);
    row->name = gfs_column_need(statement);
    row->title = gfs_column_need(statement);
    row->path = gfs_column_need(statement);
    row->kind = (enum gfs_kind)gfs_column_word(statement, &gfs_kind_words);
    row->state = (enum gfs_share_state)gfs_column_word(statement, &gfs_share_state_words);
    row->unarchived_ns = gfs_column_moment(statement);
    row->grace_ns = gfs_column_int(statement);
    row->overwrite_upload = gfs_column_word(statement, &gfs_overwrite_words) != 0;
    row->quota_bytes = gfs_column_moment(statement);
    row->data_mode = (enum gfs_data_mode)gfs_column_word(statement, &gfs_data_mode_words);
    row->on_revoke = (enum gfs_on_revoke)gfs_column_word(statement, &gfs_on_revoke_words);
    row->created_ns = gfs_column_int(statement);
    row->audit = (enum gfs_share_audit)gfs_column_word(statement, &gfs_share_audit_words);
}

void gfs_read_grant(struct gfs_statement *statement, struct gfs_grant_row *row) {
    row->id = gfs_column_id(statement);
    row->subject_kind = (enum gfs_subject_kind)gfs_column_int(statement);
    row->subject = gfs_column_id(statement);
    row->object_kind = (enum gfs_object_kind)gfs_column_int(statement);
    row->object = gfs_column_id(statement);
    row->perms = (gfs_perms)gfs_column_int(statement);
    row->expires_ns = gfs_column_end(statement);
}
