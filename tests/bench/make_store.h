/* A store with a large made-up policy, for benchmarks. */
#ifndef GUILDFS_TESTS_BENCH_MAKE_STORE_H
#define GUILDFS_TESTS_BENCH_MAKE_STORE_H

#include "guildfs/error.h"

/*
 * Makes a store in dir: users "user-1" ... (uids from 100000 on), each in the default organization and in about
 * three of the groups "group-1" ...; a files share "share-1" ... in each group; authorizations
 * spread over them. Link guildfs_store_bulk.
 */
int bench_make_store(const char *dir, unsigned users, unsigned groups, unsigned grants, struct gfs_error *err);

#endif
