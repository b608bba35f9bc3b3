/* Filling a store with a large made-up policy, for tests and benchmarks. In no program. */
#ifndef GUILDFS_CORE_STORE_BULK_H
#define GUILDFS_CORE_STORE_BULK_H

#include "guildfs/store.h"

/*
 * Into an empty store opened for writing, in one transaction (with its audit row and one
 * generation): users "user-1" to "user-N" with uids from 100000 on, members of the default organization;
 * groups "group-1" to "group-N", of which user i is in three; one files share "share-1" ... for
 * each group, owned by a user, and as many authorizations as asked for, spread over users, groups
 * and shares, of which at most users + groups can be on one share. The same numbers give the same store, but for UUIDs.
 */
int gfs_store_bulk_fill(struct gfs_store *store, unsigned users, unsigned groups, unsigned grants,
                        struct gfs_error *err) GFS_MUST_CHECK;

#endif
