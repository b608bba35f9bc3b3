/*
 * The authority: holds the current snapshot, replaces it when the store changes, and fails closed
 * when the store cannot be read for too long. Readers take no lock.
 */
#ifndef GUILDFS_AUTHORITY_H
#define GUILDFS_AUTHORITY_H

#include "guildfs/snapshot.h"

struct gfs_authority;

struct gfs_authority_options {
    int64_t stale_limit_ns; /* how long a snapshot serves after the store could last be read; 0: 30 s */
    /*
     * Called after each swap, with both snapshots alive, by the refresher thread or the one that is
     * in gfs_authority_refresh(). Must return within bounded time, and call neither
     * gfs_authority_refresh() nor gfs_authority_free(). May be NULL.
     * A swap happens when the store changed, and when a membership or an authorization ended: then
     * both snapshots have the same generation. What a user had before is
     * gfs_snapshot_rights(before, user, gfs_snapshot_loaded_ns(before)); asked at the present time,
     * `before` too would leave out what has ended. gfs_snapshot_may_differ() says of whom nothing
     * needs to be compared.
     */
    void (*changed)(void *context, const struct gfs_snapshot *before, const struct gfs_snapshot *after);
    /*
     * Called once when the limit has passed, by a thread of its own, also while the store hangs: for
     * what goes on without asking. From then on gfs_authority_enter() has given no snapshot, until the
     * store answers; that may be meanwhile. Must return within bounded time. May be NULL.
     */
    void (*stale)(void *context);
    void *context;
};

/*
 * Loads the first snapshot and starts the refresher thread (so a daemon forks before). options may
 * be NULL. Errors as for gfs_store_open(), -ENOMEM, -EAGAIN (no thread).
 */
int gfs_authority_new(const char *store_directory, const struct gfs_authority_options *options,
                      struct gfs_authority **out, struct gfs_error *err) GFS_MUST_CHECK;
/* Stops the refresher, frees everything. No reader may be inside. When the refresher hangs in the
 * store it is left behind after 10 s. NULL is allowed. */
void gfs_authority_free(struct gfs_authority *authority);

/*
 * The current snapshot, for the duration of one request: it stays alive until the matching
 * leave, in the same thread. Never blocks; allocates only at a thread's first call. Calls may nest
 * in one thread (up to 8 deep). NULL when the authority is stale beyond its limit (or the nesting
 * is too deep, or memory is out): the caller denies with EIO.
 */
const struct gfs_snapshot *gfs_authority_enter(struct gfs_authority *authority) GFS_NONNULL(1);
/* Leaves may come in any order. A NULL snapshot is allowed. */
void gfs_authority_leave(struct gfs_authority *authority, const struct gfs_snapshot *snapshot);

/* Whether a request that entered with this snapshot is not over yet. Meaningful in changed(), of
 * `before`: no new one begins with it. */
bool gfs_authority_in_use(const struct gfs_snapshot *snapshot) GFS_NONNULL(1);

/* For `status`. */
struct gfs_authority_status {
    uint64_t generation;  /* in force: changed() has returned for it */
    int64_t loaded_ns;    /* when the current snapshot was loaded, wall clock */
    int64_t last_read_ns; /* when the store last answered, wall clock */
    bool stale;           /* refusing everything */
    char problem[256];    /* what is wrong with the store; "" when nothing is */
};
void gfs_authority_status(struct gfs_authority *authority, struct gfs_authority_status *out) GFS_NONNULL(1, 2);

/* Loads the store now, in the calling thread (not one that serves requests), and swaps. For
 * SIGHUP and tests. Errors as for gfs_store_open(); -ETIMEDOUT when a look at the store that is
 * under way does not end within 10 s. */
int gfs_authority_refresh(struct gfs_authority *authority, struct gfs_error *err);

#endif
