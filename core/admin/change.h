/*
 * One use case that changes something: may the actor, one transaction, one audit row.
 *
 *     struct gfs_admin_change change;
 *     int rc = gfs_change_begin(store, actor, &change, err);
 *     if (rc == 0)
 *         rc = gfs_store_..._add(change.tx, ..., &id, err);
 *     if (rc == 0)
 *         rc = gfs_change_audit(&change, "user.add", "user", id, name, NULL, after, err);
 *     return gfs_change_end(&change, rc, err);
 */
#ifndef GUILDFS_ADMIN_CHANGE_H
#define GUILDFS_ADMIN_CHANGE_H

#include <jansson.h>

#include "core/store/tx.h"
#include "guildfs/admin.h"

struct gfs_admin_change {
    struct gfs_tx *tx;
    const struct gfs_actor *actor;
    gfs_id acting; /* the person who acts; 0: the system administrator */
};

/* Judges the actor inside the transaction, so that nobody can lose the right in between. */
int gfs_change_begin(struct gfs_store *store, const struct gfs_actor *actor, struct gfs_admin_change *out,
                     struct gfs_error *err) GFS_MUST_CHECK;

/* Writes the audit row. before and after are taken over; NULL where there was or is nothing. */
int gfs_change_audit(struct gfs_admin_change *change, const char *action, const char *kind, gfs_id id, const char *name,
                     json_t *before, json_t *after, struct gfs_error *err) GFS_MUST_CHECK;

/* Commits when rc is 0, else undoes everything; ends the transaction. Returns rc, or what the
 * commit said. */
int gfs_change_end(struct gfs_admin_change *change, int rc, struct gfs_error *err) GFS_MUST_CHECK;

/* Ends the transaction without a change, because there is none to make. */
void gfs_change_cancel(struct gfs_admin_change *change);

/* Text as a JSON string, or JSON's null for NULL and for what is no UTF-8. */
json_t *gfs_audit_text(const char *text);

#endif
