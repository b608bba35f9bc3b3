/* How a share is read from the store, shared by the files that do. Internal to core/store. */
#ifndef GUILDFS_CORE_STORE_SHARE_RECORD_H
#define GUILDFS_CORE_STORE_SHARE_RECORD_H

#include "core/store/db.h"
#include "core/store/share.h"

/* ?1 is the store's directory, in which the default node lies. */
#define GFS_SELECT_SHARE                                                                                               \
    "SELECT s.id, s.organization_id, s.group_id, s.project_id, s.parent_id, s.owner_id, s.node_id, s.uuid, s.name, "   \
    "s.title, s.description, s.path, s.kind, s.state, s.archived_ns, s.unarchived_ns, s.grace_ns, s.overwrite, "       \
    "s.quota_bytes, s.data_mode, s.audit, s.bin_days, s.purge_days, s.on_revoke, s.discoverable, s.published_ns, "     \
    "s.published_by, s.work_status, s.copied_from, s.permanent, s.created_by, s.created_ns, s.updated_ns, "            \
    "o.name, g.name, p.name, a.name, u.name, n.name, iif(n.path LIKE '/%', n.path, rtrim(?1, '/') || '/' || n.path) "  \
    "FROM shares s JOIN organizations o ON o.id = s.organization_id JOIN nodes n ON n.id = s.node_id "                 \
    "LEFT JOIN groups g ON g.id = s.group_id LEFT JOIN projects p ON p.id = s.project_id "                             \
    "LEFT JOIN shares a ON a.id = s.parent_id LEFT JOIN users u ON u.id = s.owner_id "

extern const struct gfs_record_type gfs_share_type;

/* The columns that a caller may change later, in one order for adding and changing: ?1 to ?23. */
void gfs_share_bind(struct gfs_statement *statement, const struct gfs_share_record *share);

#endif
