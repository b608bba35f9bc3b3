/*
 * An administrative transaction: everything or nothing, one audit row at least, and the
 * generation raised by exactly one.
 *
 *     GFS_CLEANUP(gfs_tx_endp) struct gfs_tx *tx = NULL;
 *     int rc = gfs_tx_begin(store, &tx, err);
 *     if (rc == 0)
 *         rc = gfs_store_user_add(tx, &user, &id, err);
 *     if (rc == 0)
 *         rc = gfs_tx_audit(tx, &entry, err);
 *     return rc == 0 ? gfs_tx_commit(tx, err) : rc;
 *
 * It holds the store's only write lock: validate what can be validated before, and do nothing
 * slow inside.
 */
#ifndef GUILDFS_CORE_STORE_TX_H
#define GUILDFS_CORE_STORE_TX_H

#include "core/store/record.h"

struct gfs_tx;

/*
 * Takes the write lock, waiting up to the store's timeout. -EBUSY when another process keeps it;
 * -EINVAL when the store was opened for reading or is in a transaction already.
 */
int gfs_tx_begin(struct gfs_store *store, struct gfs_tx **out, struct gfs_error *err) GFS_MUST_CHECK;

/* Makes the transaction permanent. -EINVAL when no audit row was written in it, or when the store
 * refused a part of it (which may then be half done). Whatever it returns, the transaction is over;
 * only gfs_tx_end() may follow. */
int gfs_tx_commit(struct gfs_tx *tx, struct gfs_error *err) GFS_NONNULL(1) GFS_MUST_CHECK;

/* Frees tx, after undoing what was not committed. NULL is allowed. */
void gfs_tx_end(struct gfs_tx *tx);
static inline void gfs_tx_endp(struct gfs_tx **tx) {
    gfs_tx_end(*tx);
}

/* The store, for reading inside the transaction. */
struct gfs_store *gfs_tx_store(const struct gfs_tx *tx) GFS_NONNULL(1);

/* The generation that this transaction will make. */
uint64_t gfs_tx_generation(const struct gfs_tx *tx) GFS_NONNULL(1);

/* When the transaction began, wall clock: the one "now" of everything written in it. */
int64_t gfs_tx_now_ns(const struct gfs_tx *tx) GFS_NONNULL(1);

/* Who did what to whom. Strings may be NULL where nothing is known. */
struct gfs_audit_entry {
    int64_t id;              /* shown */
    int64_t at_ns;           /* shown */
    uint64_t generation;     /* shown: the one that this made */
    gfs_id actor;            /* user who acted; 0: the system itself, or root */
    const char *actor_name;  /* as it was then, "system" for root without a person; required */
    const char *origin;      /* from where: "cli uid=0 pid=811", a host, an address */
    const char *action;      /* "user.add", "grant.set"; required */
    const char *object_kind; /* "user", "share" ... */
    gfs_id object;
    const char *object_name;
    const char *before, *after; /* JSON objects; NULL where there was or is nothing */
};

int gfs_tx_audit(struct gfs_tx *tx, const struct gfs_audit_entry *entry, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;

enum gfs_change { GFS_CHANGE_ADDED, GFS_CHANGE_UPDATED, GFS_CHANGE_REMOVED }; /* "added" "updated" "removed" */

/*
 * Enters the change feed, for what is no row of the policy: for those the schema does it (feed.sql). entity is a noun
 * ("project-admin") that gfs_store_load_changes() knows; one that it does not know makes every daemon read everything.
 */
int gfs_tx_change(struct gfs_tx *tx, const char *entity, gfs_id id, enum gfs_change what, struct gfs_error *err)
    GFS_NONNULL(1, 2) GFS_MUST_CHECK;

#endif
